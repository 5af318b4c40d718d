"""Certificates and proofs as the running venue gives them, also of what its state has let go of."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exchange.journal.errors import SegmentAway
from exchange.maintenance.evidence import certificates
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
        monkeypatch.undo()
        for kept in (house.data_dir / certificates.FOLDER).glob("closing-*"):
            (kept / "secret.json").unlink()
        refused = await running.venue.proof(house.ann, window)
        assert isinstance(refused, Refusal)
        assert refused.code is Code.RESOURCE_NOT_FOUND
        assert str(house.data_dir) not in refused.message
