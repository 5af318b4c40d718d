"""Who gave a command is proved from the records alone; and each part of the proof, forged, is found."""

from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from exchange.core import State, decide, fold
from exchange.journal.signatures import Signers, sign
from exchange.journal.store import open_writing
from exchange.journal.verify import verify
from exchange.values.commands import AnyCommand
from exchange.values.enums import Mode, Role
from exchange.values.ids import AdminId
from exchange.values.modes.commands import DropToCancelOnly, SetMode
from exchange.values.modes.events import ModeChanged
from exchange.values.people.admins import AdminSpec
from exchange.values.people.commands import AddAdmin, RevokeAdmin
from exchange.values.people.events import AdminAdded
from exchange.values.process.commands import AcceptLoss
from exchange.values.process.events import Refused
from exchange.values.record import Record, Signed, encode
from tests import venue as core
from tests.venue import ADMIN, genesis, public_key, signing_key

FOUNDER, SECOND, THIRD, STRANGER = 2, 5, 6, 99


class Signing:
    """A venue whose founder signed its first record, and whose admins sign what they ask for."""

    def __init__(self) -> None:
        self.venue = core.Venue()
        self.records: list[Record] = []
        self.sign(genesis(), FOUNDER, again=True)
        self.second = self.add(SECOND)

    def add(self, number: int, by: int | None = None) -> AdminId:
        """A new admin; `by` is the second person for it, once there is one."""
        spec = AdminSpec(str(number), public_key(number), (Role.APPROVER, Role.OPERATOR))
        record = self.sign(AddAdmin(ADMIN, spec, "test"), FOUNDER)
        if by is not None:
            record = self.sign(AddAdmin(self.second, spec, "test"), by)
        added = record.events[-1]
        assert isinstance(added, AdminAdded)
        return added.admin

    def sign(self, command: AnyCommand, *keys: int, again: bool = False) -> Record:
        """The record of a command that these people signed; `again`: the venue has made it already."""
        if not again:
            self.venue.do(command)
        record = self.venue.records[-1]
        signed = tuple(sign(command, signing_key(key), record.time_us) for key in keys)
        self.records.append(replace(record, signed=signed))
        return self.records[-1]


def judged(records: list[Record], promised: bool = False) -> Signers:
    state, signers = State(), Signers(promised)
    for record in records:
        signers.see(state, record)
        fold(state, record)
    return signers


@pytest.fixture
def signing() -> Signing:
    signing = Signing()
    signing.sign(SetMode(signing.second, Mode.POST_ONLY, "opening, at 100% & more = all"), SECOND)
    return signing


def test_what_everybody_signed_is_proved(signing: Signing) -> None:
    signers = judged(signing.records)
    assert (signers.proved, signers.found) == (3, [])


Forge = Callable[[Record, Signed], Record]


def with_signed(change: Callable[[Record, Signed], Signed]) -> Forge:
    return lambda record, signed: replace(record, signed=(change(record, signed),))


@pytest.mark.parametrize(
    ("forge", "why"),
    [
        (with_signed(lambda _, s: replace(s, signature=b64encode(bytes(64)).decode())), "the signature is not"),
        (with_signed(lambda _, s: replace(s, signature="no base64")), "the signature is not"),
        (with_signed(lambda _, s: replace(s, text=s.text.replace("POST_ONLY", "FULL"))), "the signature is not"),
        (with_signed(lambda _, s: replace(s, public_key=public_key(STRANGER))), "the signature is not"),
        (lambda r, _: replace(r, command=replace(r.command, mode=Mode.FULL)), "is not this command"),
        (lambda r, _: replace(r, command=replace(r.command, reason="opening")), "is not this command"),
        (lambda r, _: replace(r, command=replace(r.command, market="SOL_USDC")), "is not this command"),
        (lambda r, _: replace(r, command=replace(r.command, admin=ADMIN)), "not signed with the keys in force"),
        (with_signed(lambda r, _: sign(r.command, signing_key(STRANGER), r.time_us)), "not signed with the keys in"),
        (with_signed(lambda r, _: sign(r.command, signing_key(FOUNDER), r.time_us)), "not signed with the keys in"),
        (lambda r, _: replace(r, signed=()), "nobody has signed it"),
    ],
)
def test_every_part_that_is_forged_is_found(signing: Signing, forge: Forge, why: str) -> None:
    *before, last = signing.records
    [signed] = last.signed
    signers = judged([*before, forge(last, signed)])
    [(seq, said)] = signers.found
    assert seq == last.seq
    assert why in said


def test_what_was_signed_once_counts_once(signing: Signing) -> None:
    signing.sign(SetMode(ADMIN, Mode.OFFLINE, "test"), FOUNDER)
    once = signing.records[-2]
    signing.sign(once.command, SECOND)
    assert not judged(signing.records).found
    signing.records[-1] = replace(signing.records[-1], signed=once.signed)
    [(_, said)] = judged(signing.records).found
    assert "stands in an earlier record too" in said


def test_two_are_two_people(signing: Signing) -> None:
    """One who signs for both is one."""
    seq, time_us = signing.venue.state.seq, signing.venue.time_us
    command = AcceptLoss(ADMIN, signing.second, seq + 9, "00" * 32, "the disk is gone")
    events = decide(signing.venue.state, time_us, command)

    def record(*keys: int) -> Record:
        # Each at a time of their own: nobody is found by having signed the same text twice.
        signed = (sign(command, signing_key(key), time_us + 1_000 * at) for at, key in enumerate(keys))
        return Record(seq + 10, time_us, command, events, tuple(signed))

    assert not judged([*signing.records, record(FOUNDER, SECOND)]).found
    for keys in ((FOUNDER, FOUNDER), (FOUNDER,), (FOUNDER, STRANGER), (FOUNDER, SECOND, SECOND)):
        [(_, said)] = judged([*signing.records, record(*keys)]).found
        assert "not signed with the keys in force" in said


def test_a_brake_that_two_ask_for_where_the_data_folder_is_has_two(signing: Signing) -> None:
    """Its command names nobody: who signed for it is all that says who they were."""
    command = DropToCancelOnly("the witness was lost")
    signing.venue.do(command)
    record = signing.venue.records[-1]
    for keys, good in (((FOUNDER, SECOND), True), ((FOUNDER, FOUNDER), False), ((FOUNDER, STRANGER), False)):
        signed = (sign(command, signing_key(key), record.time_us + 1_000 * at) for at, key in enumerate(keys))
        found = judged([*signing.records, replace(record, signed=tuple(signed))]).found
        assert [seq for seq, _ in found] == ([] if good else [record.seq])


@pytest.mark.parametrize("revoked", [False, True])
def test_a_key_counts_while_it_is_in_force_and_a_refusal_needs_none(revoked: bool) -> None:
    """A journal that was made up says that a command was carried out, which came too late and was refused."""
    signing = Signing()
    venue, third = signing.venue, signing.add(THIRD, by=SECOND)
    if revoked:
        signing.sign(RevokeAdmin(ADMIN, third, "left"), FOUNDER)
    record = signing.sign(SetMode(third, Mode.POST_ONLY, "too late"), THIRD)
    assert isinstance(record.events[0], Refused) is revoked
    assert not judged(signing.records).found
    moved = ModeChanged(Mode.POST_ONLY, venue.state.venue_mode, "too late")
    signing.records[-1] = replace(record, events=[moved])
    assert bool(judged(signing.records).found) is revoked


def test_a_venue_that_nobody_signed_for_has_promised_nothing() -> None:
    venue = core.Venue().open()
    assert not judged(venue.records).found
    assert [seq for seq, _ in judged(venue.records, promised=True).found] == [1, 2, 3]


def folders(signing: Signing, tmp_path: Path) -> Iterator[tuple[Path, bool]]:
    """The journal as it is, and one in which the last record has lost its signature and the chain is made anew."""
    *before, last = signing.records
    for name, records in (("good", [*before, last]), ("bad", [*before, replace(last, signed=())])):
        journal = open_writing(tmp_path / name)
        journal.append(1, [encode(record) for record in records])
        journal.close()
        yield tmp_path / name, name == "good"


def test_verify_proves_it_from_a_data_folder(signing: Signing, tmp_path: Path) -> None:
    for path, good in folders(signing, tmp_path):
        report = verify(path)
        wrong = [problem for problem in report.problems if "signed" in problem.what]
        assert bool(wrong) is not good
        assert report.signed == (3 if good else 2)
        assert ("each signed with the keys in force" in report.text()) is True
