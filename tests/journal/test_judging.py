"""A journal that was made up, its chain and witness made anew: what nobody ever decided or signed is found."""

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from exchange.core import decide
from exchange.journal.layout import witness_path
from exchange.journal.store import open_writing
from exchange.journal.verify import Report, verify
from exchange.journal.witness import Witness
from exchange.values.commands import AnyCommand
from exchange.values.enums import Mode, ProposalEnd, Role
from exchange.values.events import AnyEvent
from exchange.values.ids import AdminId, id_at
from exchange.values.modes.commands import ResumeModes, SetMode
from exchange.values.modes.events import ModeChanged
from exchange.values.money.events import Posted
from exchange.values.orders.commands import CancelAll, PlaceOrder
from exchange.values.people.admins import AdminSpec
from exchange.values.people.commands import AddAdmin
from exchange.values.people.events import AdminAdded, ProposalEnded
from exchange.values.process.events import Faulted
from exchange.values.record import Record, encode
from tests.maintenance.evidence.books import Books
from tests.venue import ADMIN, SOL_USDC, Venue, deposit, public_key, signing_key

FOUNDER, SECOND, THIRD = 2, 5, 6


def spec(number: int) -> AdminSpec:
    return AdminSpec(str(number), public_key(number), (Role.APPROVER,))


def verified(folder: Path, records: list[Record]) -> Report:
    journal = open_writing(folder)
    witness = Witness(witness_path(folder))
    witness.begin(journal.genesis, journal.last_seq, journal.last_chain)
    journal.append(1, [encode(record) for record in records])
    witness.write(journal.genesis, journal.last_seq, journal.last_chain)
    witness.sync()
    journal.close()
    return verify(folder)


class Forger:
    """Has the records of an open venue of two admins who sign, and can make the last one say anything."""

    def __init__(self) -> None:
        self.venue = Venue(signs=(signing_key(FOUNDER), signing_key(SECOND)))
        self.venue.expect(AddAdmin(ADMIN, spec(SECOND), "test"))
        self.venue.open()
        self.mine, self.other = (self.venue.account({"USDC": 1_000}) for _ in range(2))
        self.deposit = deposit(self.venue.state, self.mine, "USDC", 500, "a deposit")
        [posted] = decide(self.venue.state, self.venue.time_us + 1_000, self.deposit)
        assert isinstance(posted, Posted)
        self.posted = posted

    def forged(self, command: AnyCommand, *events: AnyEvent) -> list[Record]:
        """The last command stands there as it was signed, with these facts instead of its own."""
        self.venue.do(command)
        return [*self.venue.records[:-1], replace(self.venue.records[-1], events=list(events))]

    def added(self) -> AdminAdded:
        return AdminAdded(AdminId(id_at(self.venue.state.seq + 1)), spec(THIRD))

    def cancel(self) -> CancelAll:
        return CancelAll(self.mine, self.venue.key(self.mine), SOL_USDC.symbol)


def ten_times(forger: Forger) -> list[Record]:
    legs = tuple(replace(leg, atoms=10 * leg.atoms) for leg in forger.posted.legs)
    return forger.forged(forger.deposit, replace(forger.posted, legs=legs))


def to_another(forger: Forger) -> list[Record]:
    moved = {forger.mine: forger.other}
    legs = tuple(replace(leg, account=moved.get(leg.account, leg.account)) for leg in forger.posted.legs)
    return forger.forged(forger.deposit, replace(forger.posted, legs=legs))


def another_mode(forger: Forger) -> list[Record]:
    return forger.forged(SetMode(ADMIN, Mode.CANCEL_ONLY, "test"), ModeChanged(Mode.OFFLINE, Mode.FULL, "test"))


def another_reason(forger: Forger) -> list[Record]:
    return forger.forged(SetMode(ADMIN, Mode.OFFLINE, "test"), ModeChanged(Mode.OFFLINE, Mode.FULL, "an attack"))


def nobody_proposed(forger: Forger) -> list[Record]:
    return forger.forged(AddAdmin(ADMIN, spec(THIRD), "test"), replace(forger.added(), by=(ADMIN,)))


def its_maker_confirmed(forger: Forger) -> list[Record]:
    forger.venue.expect(AddAdmin(ADMIN, spec(THIRD), "test"))
    [proposal] = forger.venue.state.proposals
    confirmed = ProposalEnded(proposal, ProposalEnd.CONFIRMED)
    return forger.forged(AddAdmin(ADMIN, spec(THIRD), "test"), confirmed, forger.added())


FORGED: list[Callable[[Forger], list[Record]]] = [
    ten_times,
    to_another,
    another_mode,
    another_reason,
    nobody_proposed,
    its_maker_confirmed,
    lambda forger: forger.forged(ResumeModes(), forger.posted),
    lambda forger: forger.forged(ResumeModes(), forger.added()),
    lambda forger: forger.forged(forger.cancel(), forger.posted),
    lambda forger: forger.forged(forger.cancel(), forger.added()),
    lambda forger: forger.forged(forger.deposit, Faulted("e-1"), forger.posted),
]


@pytest.mark.parametrize("forge", FORGED)
def test_facts_that_their_command_did_not_cause_are_named(
    tmp_path: Path, forge: Callable[[Forger], list[Record]]
) -> None:
    records = forge(Forger())
    report = verified(tmp_path, records)
    last = records[-1]
    [problem] = report.problems
    assert (report.first_bad_seq, problem.seq) == (last.seq, last.seq)
    assert f"record {last.seq}, {type(last.command).__name__}: what it caused is recorded as" in problem.what


def test_what_was_decided_is_found_decided(tmp_path: Path) -> None:
    forger = Forger()
    forger.venue.do(forger.cancel())
    forger.venue.do(ResumeModes())
    report = verified(tmp_path, forger.venue.records)
    assert report.ok, report.text()
    of_traders = sum(isinstance(record.command, CancelAll) for record in forger.venue.records)
    assert report.decided == len(forger.venue.records) - of_traders


def unsigned(record: Record) -> Record:
    return replace(record, signed=())


@pytest.mark.parametrize("left_signed", [[0], [4], [-1]])
def test_one_signature_asks_for_all_from_the_first_record_on(tmp_path: Path, left_signed: list[int]) -> None:
    """Which one it is, and so what comes before it, is no matter."""
    records = Forger().venue.records
    left = [records[at].seq for at in left_signed]
    forged = [record if record.seq in left else unsigned(record) for record in records]
    report = verified(tmp_path, forged)
    assert not report.ok
    assert [problem.seq for problem in report.problems] == [record.seq for record in records if record.seq not in left]
    assert report.first_bad_seq == (2 if left == [1] else 1)


def test_a_journal_in_which_nobody_signed_says_so(tmp_path: Path) -> None:
    records = list(map(unsigned, Forger().venue.records))
    report = verified(tmp_path, records)
    assert report.ok, report.text()
    assert f"Admins     {len(records)} commands, none of them signed" in report.text()
    assert (report.signed, report.unsigned) == (0, len(records))


@pytest.fixture
def certified(tmp_path: Path) -> Books:
    books = Books(tmp_path / "books", trades=60)
    books.close()
    return books


def test_certificates_on_record_are_held_against_key_and_chain(certified: Books, tmp_path: Path) -> None:
    report = verified(tmp_path / "kept", certified.venue.records)
    assert report.ok, report.text()
    assert report.certificates == 1


def test_a_certificate_the_venue_did_not_sign_is_named(certified: Books, tmp_path: Path) -> None:
    *before, last = certified.venue.records
    [event] = last.events
    forged = replace(last, command=replace(last.command, signature="AAAA"), events=[replace(event, signature="AAAA")])
    [problem] = verified(tmp_path / "kept", [*before, forged]).problems
    assert problem.seq == last.seq
    assert "the signature is not the venue's" in problem.what


def test_a_past_that_was_rewritten_under_a_certificate_is_found(certified: Books, tmp_path: Path) -> None:
    """An order came a microsecond later: nothing else can tell."""
    records = list(certified.venue.records)
    at = next(at for at, record in enumerate(records) if isinstance(record.command, PlaceOrder))
    records[at] = replace(records[at], time_us=records[at].time_us + 1)
    [problem] = verified(tmp_path / "kept", records).problems
    assert problem.seq == records[-1].seq
    assert "the past was rewritten" in problem.what
