"""The draft of a post-mortem has what the records say of a bad day, and its two forms say the same."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from exchange.journal.layout import journal_path
from exchange.journal.store import open_writing
from exchange.maintenance.evidence.reading import Span, span
from exchange.maintenance.stories import incident, incident_text
from exchange.maintenance.stories.incident_report import IncidentReport
from exchange.rules.gates import GATES
from exchange.values.enums import CancelReason, Mode, Side
from exchange.values.ids import AccountId, OrderId, id_at
from exchange.values.modes.commands import DropToCancelOnly
from exchange.values.orders.commands import CancelForAccount, SetCancelAllAfter
from exchange.values.process.commands import AcceptLoss, StartProcess
from exchange.values.record import encode
from exchange.values.windows.certificate import CertificateKind, Gate, GateResult
from exchange.values.windows.commands import ReportGates, WaiveGate
from tests.core.windows import by_hand as m
from tests.maintenance.evidence.books import Books
from tests.venue import ADMIN, deposit


class BadDay:
    """A window with a gate that fails and is waived, a crash, a fault, and orders ended for their owners."""

    def __init__(self, data_dir: Path) -> None:
        self.books = books = Books(data_dir, trades=60)
        venue = books.venue
        self.ann, self.bob, *_ = books.accounts
        venue.do(venue.cancel_all(self.ann))  # so that what ends below is what is placed below
        self.from_seq = venue.state.seq + 1
        venue.expect(SetCancelAllAfter(self.ann, venue.key(self.ann), 1_000_000))
        venue.expect(deposit(venue.state, self.ann, "USDC", 10**9, "for the day"))
        venue.expect(venue.limit(self.ann, Side.BID, 9_000, 10, post_only=True))
        venue.expect(venue.cancel(self.ann, OrderId(id_at(venue.state.seq))))
        venue.expect(venue.limit(self.ann, Side.BID, 9_000, 10, post_only=True))
        venue.time_us += 2_000_000
        venue.expect(CancelForAccount(self.ann, CancelReason.CANCEL_ALL_AFTER))
        books.fault(venue.limit(self.bob, Side.ASK, 10_500, 5))
        self.fault_seq = venue.state.seq
        self.window = books.close()
        venue.time_us += 60_000_000
        venue.expect(StartProcess("another build", False))
        venue.do(venue.limit(self.bob, Side.ASK, 10_500, 5))  # refused: the venue is shut
        results = tuple(GateResult(gate, gate is not Gate.CUSTODY, "seen") for gate in GATES)
        (data_dir / "reports").mkdir()
        (data_dir / "reports" / "gates-1.json").write_bytes(
            b'{"build":"b","window":1,"as_of_seq":1,"time_us":1,"seconds":1.0,"findings":[{"gate":"custody",'
            b'"passed":false,"evidence":"seen","details":["USDC: 5 atoms missing"]}]}'
        )
        venue.expect(ReportGates(self.window, results, "gate custody failed", "gates-1"))
        for admin in (ADMIN, books.second):
            venue.expect(WaiveGate(admin, self.window, Gate.CUSTODY, "counted by hand | twice over"))
        waived = {Gate.CUSTODY: (ADMIN, books.second)}
        m.approve(venue, m.certify(venue, self.window, waived=waived), ADMIN, books.second)
        m.open_window(venue, self.window)
        books.write()

    def report(self) -> IncidentReport:
        return incident.investigate(self.books.data_dir, span(self.books.data_dir, str(self.from_seq)))


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> BadDay:
    return BadDay(tmp_path_factory.mktemp("day") / "data")


@pytest.fixture(scope="module")
def report(day: BadDay) -> IncidentReport:
    return day.report()


def test_the_timeline_tells_every_step_of_the_window_in_order_with_its_actor(
    day: BadDay, report: IncidentReport
) -> None:
    seqs = [happening.seq for happening in report.timeline]
    assert seqs == sorted(seqs)
    told = [happening.command for happening in report.timeline]
    for command in ("PlanWindow", "BeginWindow", "Certify", "StartProcess", "ReportGates", "WaiveGate", "StepWindow"):
        assert command in told
    waived = [happening.actor for happening in report.timeline if happening.command == "WaiveGate"]
    assert waived == [f"admin {ADMIN}", f"admin {day.books.second}"]
    # What traders ask for, also in vain, is counted elsewhere; a command a bug stopped is told.
    assert [happening.seq for happening in report.timeline if happening.command == "PlaceOrder"] == [day.fault_seq]
    assert not any(happening.command == "SetCancelAllAfter" for happening in report.timeline)


def test_modes_follow_on_each_other_without_a_gap(day: BadDay, report: IncidentReport) -> None:
    venue = [each for each in report.modes if not each.market]
    assert venue[0].mode is Mode.FULL
    assert [each.mode for each in venue][-2:] == [Mode.POST_ONLY, Mode.FULL]
    assert Mode.OFFLINE in [each.mode for each in venue]
    assert [each.to_us for each in venue[:-1]] == [each.from_us for each in venue[1:]]
    assert venue[-1].to_us is None


def test_the_crash_is_an_outage_with_its_length(report: IncidentReport) -> None:
    [outage] = report.outages
    assert not outage.clean
    assert outage.build == "another build"
    assert outage.to_us - outage.from_us >= 60_000_000


def test_gates_are_told_with_the_operators_findings_and_the_waiver(day: BadDay, report: IncidentReport) -> None:
    failed, passed = report.gate_runs
    assert not failed.passed
    assert failed.findings[0].details == ("USDC: 5 atoms missing",)
    assert [result.waived_by for result in passed.results if not result.passed] == [(ADMIN, day.books.second)]
    assert [issued.certificate.kind for issued in report.certificates] == [
        CertificateKind.CLOSING,
        CertificateKind.OPENING,
    ]


def test_faults_refusals_and_orders_ended_for_somebody_are_counted_by_account(
    day: BadDay, report: IncidentReport
) -> None:
    [fault] = report.faults
    assert (fault.seq, fault.account, fault.error) == (day.fault_seq, day.bob, "e-1")
    [refused] = report.refusals
    assert (refused.commands, refused.accounts) == (1, 1)
    accounts = {affected.account: affected for affected in report.accounts}
    assert report.accounts[0].account == day.bob  # a fault weighs most
    assert accounts[day.bob].refused == {refused.code: 1}
    assert accounts[day.ann].ended_for_them == {"CancelAllAfter": 1}
    assert accounts[day.ann].orders_placed == 2
    assert accounts[day.bob].orders_placed == 0


def test_net_changes_and_totals_are_those_of_the_books(day: BadDay, report: IncidentReport) -> None:
    moved = {account.account: account.moved for account in report.accounts}
    [credit] = [each for each in moved[day.ann] if each.atoms > 0 and each.bucket == "available"]
    assert (credit.asset, credit.said) == ("USDC", "1000 USDC")
    before = {total.asset: total for total in report.totals_before}
    for after in report.totals_after:
        change = after.users_atoms - before[after.asset].users_atoms
        users = [of for account, of in moved.items() if account > AccountId(99)]
        assert change == sum(each.atoms for of in users for each in of if each.asset == after.asset)
        assert not after.over_atoms
    assert report.violations == ()


def test_both_forms_hold_the_same_facts(day: BadDay, report: IncidentReport) -> None:
    text = incident_text.text(report)
    assert msgspec.json.decode(report.to_json(), type=IncidentReport) == report
    for fact in ("another build", "USDC: 5 atoms missing", "e-1", "after a crash", f"waived by admins {ADMIN} and"):
        assert fact in text
    assert "## Cause\n\n[" in text
    assert "None." not in text.split("## Faults")[1].split("##")[0]


def test_somebodys_text_does_not_break_a_table(day: BadDay, tmp_path: Path) -> None:
    again = Books(tmp_path / "data", trades=0)
    again.venue.expect(DropToCancelOnly("a | b\n# c\x1b[2K"))
    again.write()
    text = incident_text.text(incident.investigate(again.data_dir, span(again.data_dir)))
    [row] = [line for line in text.splitlines() if line.startswith("| venue | CANCEL_ONLY") and "a / b" in line]
    assert row.count("|") == 6
    assert "\n# c" not in text
    assert "\x1b" not in text


def test_damaged_records_end_the_report_and_are_named(tmp_path: Path) -> None:
    day = BadDay(tmp_path / "data")
    last = day.books.venue.state.seq
    with sqlite3.connect(journal_path(day.books.data_dir)) as journal:
        journal.execute("UPDATE batches SET lines = CAST(replace(lines, 'for the day', 'for the dax') AS BLOB)")
    report = incident.investigate(day.books.data_dir, Span(2, last))
    assert f"{day.from_seq + 1}" in report.damage
    assert report.to_seq == day.from_seq
    assert report.damage in incident_text.text(report)


def test_lost_records_are_named_and_the_span_is_told_on_both_sides_of_them(tmp_path: Path) -> None:
    books = Books(tmp_path, trades=10)
    venue = books.venue
    before = len(venue.records)
    lost_us = venue.time_us
    venue.time_us += 10_000_000
    venue.expect(AcceptLoss(ADMIN, books.second, venue.state.seq + 50, "00" * 32, "the disk is gone"))
    venue.expect(deposit(venue.state, books.accounts[0], "SOL", 7, "again"))
    journal = open_writing(tmp_path)
    for part in (venue.records[:before], venue.records[before:]):
        journal.append(part[0].seq, [encode(record) for record in part])
    journal.close()

    whole = span(tmp_path)
    report = incident.investigate(tmp_path, whole)
    assert report.losses == ((2, before + 1, before + 50),)
    assert report.records == len(venue.records)
    assert f"**records {before + 1} to {before + 50} are lost**" in incident_text.text(report)
    assert next(h.actor for h in report.timeline if h.command == "AcceptLoss") == f"admins {ADMIN} and {books.second}"
    for begin in range(before - 1, before + 53):
        found = incident.investigate(tmp_path, Span(begin, whole.to_seq))
        assert found.records == sum(record.seq >= begin for record in venue.records)
    behind = datetime.fromtimestamp(lost_us / 10**6 + 1, UTC).isoformat()
    assert span(tmp_path, behind).from_seq in range(before + 1, before + 52)
    assert incident.investigate(tmp_path, span(tmp_path, behind)).records == 2
