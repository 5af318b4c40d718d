"""Certificates and proofs as the running venue gives them, also of what its state has let go of."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from exchange.journal.errors import SegmentAway
from exchange.maintenance.evidence import certificates
from exchange.values.ids import AccountId
from exchange.values.refusals import Code, Refusal
from exchange.values.windows.certificate import CertificateKind, read_certificate
from exchange.values.windows.views import CertificatesView
from tests.maintenance.windows.house import House
from verify_proof import verify


@pytest.fixture
async def house(tmp_path: Path) -> House:
    made = House(tmp_path / "data")
    await made.found()
    return made


async def test_the_proof_of_a_window_convinces_a_verifier_that_knows_nothing_of_us(house: House) -> None:
    async with house.up() as running:
        window = await running.plan()
        opening = await running.shut(window)
        document = await running.venue.proof(house.ann, None)
        assert isinstance(document, bytes)
        proof = json.loads(document)
        assert proof["window"] == window
        assert verify(proof, house.key.api_key)
        assert await running.venue.proof(house.ann, window) == document
        shown = await running.venue.certificates(10)
        assert isinstance(shown, CertificatesView)
        assert [read_certificate(each.text).kind for each in shown.certificates] == [
            CertificateKind.OPENING,
            CertificateKind.CLOSING,
        ]
        assert shown.certificates[0].certificate_id == opening.certificate
        none = await running.venue.proof(house.ann, type(window)(999))
        assert isinstance(none, Refusal)
        assert none.code is Code.RESOURCE_NOT_FOUND


async def test_a_proof_is_whole_when_the_state_has_let_go_of_half_the_window(house: House) -> None:
    async with house.up() as running:
        window = await running.plan()
        await running.shut(window)
        whole = await running.venue.proof(house.ann, window)
        assert isinstance(whole, bytes)
        del running.state.issued[min(running.state.issued)]
        assert await running.venue.proof(house.ann, window) == whole
        running.state.issued.clear()
        assert await running.venue.proof(house.ann, window) == whole


async def test_certificates_that_the_state_lets_go_of_while_they_are_read_are_shown(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house.up() as running:
        await running.shut(await running.plan())
        recorded = certificates.recorded

        def let_go(*span: Any) -> Iterator[Any]:
            running.state.issued.clear()
            return recorded(*span)

        monkeypatch.setattr(certificates, "recorded", let_go)
        shown = await running.venue.certificates(10)
        assert isinstance(shown, CertificatesView)
        assert len(shown.certificates) == 2


async def test_certificates_in_an_archive_that_is_away_are_refused_by_its_time_and_name_no_folder(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house.up() as running:
        window = await running.plan()
        await running.shut(window)

        def away(*span: Any) -> Iterator[Any]:
            raise SegmentAway(house.data_dir / "archive" / "1-9.gz", 0, 86_400_000_000)

        monkeypatch.setattr(certificates, "recorded", away)
        for asked in (running.venue.certificates(10), running.venue.proof(house.ann, window)):
            refused = await asked
            assert isinstance(refused, Refusal)
            assert refused.code is Code.MAINTENANCE
            assert "1970-01-02" in refused.message


def folder_instead(kept: Path) -> None:
    (kept / "secret.json").unlink()
    (kept / "secret.json").mkdir()


HARMS: dict[str, Callable[[Path], object]] = {
    "secret missing": lambda kept: (kept / "secret.json").unlink(),
    "secret damaged": lambda kept: (kept / "secret.json").write_bytes(b"{"),
    "statements cut": lambda kept: (kept / "statements.jsonl").write_bytes(b""),
    "a folder in place of a file": folder_instead,
    "all missing": lambda kept: shutil.rmtree(kept),
}


@pytest.mark.parametrize("harm", HARMS)
async def test_a_proof_over_missing_or_damaged_files_is_an_error_told_to_operators_and_names_no_folder(
    house: House, harm: str
) -> None:
    """Its certificate is on record, so it is never "not found"."""
    async with house.up() as running:
        window = await running.plan()
        await running.shut(window)
        [kept] = (house.data_dir / certificates.FOLDER).glob("closing-*")
        HARMS[harm](kept)
        with capture_logs() as logs:
            refused = await running.venue.proof(house.ann, window)
        assert refused == Refusal(
            Code.SERVER_ERROR, "The proof can't be made: what is kept with its certificate is missing or damaged"
        )
        [told] = [each for each in logs if each["event"] == "proof_not_made"]
        assert (told["log_level"], told["folder"]) == ("error", str(kept.parent))
        assert kept.name in told["reason"]
        if harm == "secret missing":
            assert f"{kept.name}/secret.json" in told["reason"]

        if harm != "all missing":
            (kept / "certificate.json").write_bytes(b"{")
            running.state.issued.clear()  # long ago: what is kept says where the records are
            assert await running.venue.proof(house.ann, window) == refused


async def test_a_journal_that_can_not_be_opened_is_an_error_told_to_operators(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house.up() as running:
        window = await running.plan()
        await running.shut(window)

        def unreadable(*span: Any) -> Iterator[Any]:
            return iter((house.data_dir / "gone").read_bytes())

        monkeypatch.setattr(certificates, "recorded", unreadable)
        with capture_logs() as logs:
            for asked in (running.venue.certificates(10), running.venue.proof(house.ann, window)):
                assert await asked == Refusal(Code.SERVER_ERROR, "The certificates can't be read")
        told = [each for each in logs if each["event"] == "certificates_unread"]
        assert [str(house.data_dir) in each["reason"] for each in told] == [True, True]


async def test_an_account_that_was_not_open_yet_has_no_proof(house: House) -> None:
    async with house.up() as running:
        window = await running.plan()
        await running.shut(window)
        none = await running.venue.proof(AccountId(999_999), window)
        assert none == Refusal(Code.RESOURCE_NOT_FOUND, "There is no proof: account 999999 was not open yet")
