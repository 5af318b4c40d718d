"""The gates on real journals: what passes, and what each of them catches, by account and amount."""

import sqlite3
from pathlib import Path

import msgspec
import pytest

from exchange.core import machine as dispatch
from exchange.core.digest import digest
from exchange.core.orders import evolve as evolve_orders
from exchange.core.state import Account, State
from exchange.journal import snapshots
from exchange.maintenance.evidence import certificates, statements
from exchange.maintenance.evidence.history import AccountHistory
from exchange.maintenance.evidence.messages import Verdict
from exchange.rules import fees
from exchange.rules.gates import GATES
from exchange.rules.versions import BAND_BY_SIDE
from exchange.runtime.follower.read_models import FILE_NAME
from exchange.runtime.follower.read_models.lists import AVAILABLE, FILL, LOCKED, ORDER
from exchange.values.enums import Side
from exchange.values.orders.events import Traded
from exchange.values.process.commands import ActivateRule
from exchange.values.windows.certificate import CertificateKind, Gate
from exchange.values.windows.commands import Certify, ReportGates, WaiveGate
from tests.core.windows import by_hand as m
from tests.maintenance.evidence.books import Books, rewrite_list
from tests.venue import ADMIN, deposit


def failed(verdict: Verdict) -> list[Gate]:
    return [result.gate for result in verdict.results if not result.passed]


def test_honest_books_pass_every_gate_and_open(tmp_path: Path) -> None:
    books = Books(tmp_path)
    window = books.close()
    books.snapshot()
    books.venue.expect(deposit(books.venue.state, books.accounts[0], "SOL", 5, "in the window"))
    books.write()
    verdict = books.prove(window)
    assert verdict.passed, books.report(verdict)
    assert [result.gate for result in verdict.results] == list(GATES)
    assert verdict.signed is not None
    certificate = verdict.signed.certificate
    assert certificate.kind is CertificateKind.OPENING
    books.venue.expect(Certify(verdict.signed.text, verdict.signed.signature))
    m.approve(books.venue, max(books.venue.state.certificates), ADMIN, books.second)
    m.open_window(books.venue, window)


def test_a_start_without_a_window_is_held_against_the_snapshots_of_earlier_processes(tmp_path: Path) -> None:
    books = Books(tmp_path)
    books.snapshot()
    books.shut()
    books.write()
    verdict = books.prove()
    assert verdict.passed, books.report(verdict)
    assert "agrees with 1 snapshots" in verdict.results[1].evidence


def test_a_build_that_folds_otherwise_is_caught_with_account_and_amount(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    books = Books(tmp_path)
    window = books.close()
    books.write()
    real = evolve_orders.traded
    first = next(e for record in books.venue.records for e in record.events if isinstance(e, Traded))

    def wrong(state: State, event: Traded) -> None:
        real(state, event)
        if event == first:
            state.accounts[event.taker_account].balances["SOL"].available_atoms += 891
            state.accounts[event.maker_account].balances["SOL"].available_atoms -= 891

    monkeypatch.setitem(dispatch._EVOLVE, Traded, wrong)
    verdict = books.prove(window)
    assert not verdict.passed
    assert Gate.STATEMENTS in failed(verdict)
    assert Gate.FOLDS in failed(verdict)
    report = books.report(verdict)
    assert f"account {first.taker_account}: SOL available" in report
    assert "(+891)" in report
    assert f"account {first.maker_account}: SOL available" in report
    assert "(-891)" in report
    assert verdict.signed is None


def test_a_build_that_decides_otherwise_is_caught_by_rehearsal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    books = Books(tmp_path)
    window = books.close()
    books.write()
    real = fees.trading_fee
    monkeypatch.setattr(fees, "trading_fee", lambda atoms, ppm: real(atoms, ppm) + 1)
    verdict = books.prove(window)
    assert failed(verdict) == [Gate.REHEARSAL]
    assert "would be decided otherwise" in verdict.reason
    assert "atoms on record" in books.report(verdict)


def test_a_failed_gate_that_two_approvers_waived_stands_in_the_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    books = Books(tmp_path)
    window = books.close()
    books.write()
    monkeypatch.setattr("exchange.maintenance.evidence.gates.MIN_FREE_DISK_BYTES", 2**60)
    verdict = books.prove(window)
    assert failed(verdict) == [Gate.FLOORS]
    waived = Books(tmp_path / "waived")
    window = waived.close()
    waived.venue.expect(ReportGates(window, verdict.results, verdict.reason, verdict.report))
    for admin in (ADMIN, waived.second):
        waived.venue.expect(WaiveGate(admin, window, Gate.FLOORS, "a small test machine"))
    waived.write()
    verdict = waived.prove(window)
    assert verdict.passed
    assert verdict.signed is not None
    [result] = [result for result in verdict.signed.certificate.gates if result.gate is Gate.FLOORS]
    assert not result.passed
    assert result.waived_by == (ADMIN, waived.second)
    waived.venue.expect(Certify(verdict.signed.text, verdict.signed.signature))


@pytest.mark.parametrize("kind", [ORDER, FILL, AVAILABLE, LOCKED])
def test_deleted_history_is_caught_by_account(tmp_path: Path, kind: int) -> None:
    books = Books(tmp_path)
    window = books.close()
    books.write()
    account = books.accounts[1]
    rewrite_list(tmp_path, account, lambda entry: None if entry.kind == kind else entry)
    verdict = books.prove(window)
    assert failed(verdict) == [Gate.HISTORY]
    assert f"account {account}: " in books.report(verdict)


def test_an_order_that_met_a_fault_is_in_no_history(tmp_path: Path) -> None:
    books = Books(tmp_path)
    books.fault(books.venue.limit(books.accounts[0], Side.BID, 10_000, 5))
    window = books.close()
    books.write()
    assert not failed(books.prove(window))


@pytest.mark.parametrize("change", [{"value": 7}, {"at": 3}, {"kind": LOCKED}, {"of": 9}])
def test_changed_history_is_caught(tmp_path: Path, change: dict[str, int]) -> None:
    books = Books(tmp_path)
    books.shut()
    books.write()
    rewrite_list(
        tmp_path, books.accounts[0], lambda entry: entry._replace(**change) if entry.kind == AVAILABLE else entry
    )
    verdict = books.prove()
    assert failed(verdict) == [Gate.HISTORY]
    assert f"account {books.accounts[0]}: " in books.report(verdict)


def test_history_of_an_account_that_has_none_is_caught(tmp_path: Path) -> None:
    books = Books(tmp_path)
    books.shut()
    books.write()
    with sqlite3.connect(tmp_path / FILE_NAME) as models:
        models.execute("INSERT INTO lists SELECT 7, chunk, before, entries FROM lists WHERE account = 2")
    models.close()
    verdict = books.prove()
    assert failed(verdict) == [Gate.HISTORY]
    assert "account 7: 0 postings on record, " in books.report(verdict)


def test_a_swapped_snapshot_is_caught(tmp_path: Path) -> None:
    books = Books(tmp_path)
    state, _, chain = books.read_back()
    hurt = state.accounts[books.accounts[2]]
    hurt.balances["USDC"].available_atoms += 80_000
    state.accounts[books.accounts[3]].balances["USDC"].available_atoms -= 80_000
    snapshots.write(tmp_path, state, chain)
    books.shut()
    books.write()
    verdict = books.prove()
    assert failed(verdict) == [Gate.FOLDS]
    assert f"account {books.accounts[2]} USDC available" in books.report(verdict)


def test_a_running_state_that_is_not_what_its_records_say_is_caught(tmp_path: Path) -> None:
    books = Books(tmp_path)
    books.shut()
    books.write()
    books.venue.state.accounts[books.accounts[0]].balances["SOL"].available_atoms += 1
    assert failed(books.prove()) == [Gate.FOLDS]


def test_closing_statements_that_were_altered_on_disk_are_not_believed(tmp_path: Path) -> None:
    books = Books(tmp_path)
    window = books.close()
    books.write()
    [kept] = (tmp_path / certificates.FOLDER).glob("closing-*")
    statements = (kept / "statements.jsonl").read_bytes()
    (kept / "statements.jsonl").write_bytes(statements.replace(b'"tier":0', b'"tier":1', 1))
    verdict = books.prove(window)
    assert not verdict.passed
    assert Gate.STATEMENTS in failed(verdict)


def test_a_closing_certificate_the_venue_did_not_sign_is_not_believed(tmp_path: Path) -> None:
    """Its record, its chain and what is kept beside it may all have been made anew."""
    books = Books(tmp_path)
    window = m.plan(books.venue)
    m.begin(books.venue, window)
    books.certify_closing(window, forged=True)
    books.write()
    verdict = books.prove(window)
    assert not verdict.passed
    assert "the signature is not the venue's" in books.report(verdict)


@pytest.mark.parametrize("debt", [0, 80_000])
def test_a_build_with_newer_statements_must_find_their_new_fields_unused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, debt: int
) -> None:
    """A made-up version 2 that knows debts, after a closing stated in version 1."""
    books = Books(tmp_path)
    window = books.close()
    books.write()
    hurt = books.accounts[0]

    def version_2(account: Account, past: AccountHistory, places: statements.Places) -> statements.Statement:
        owed = {"USDC": debt} if debt and account.account_id == hurt else {}
        return {**statements.version_1(account, past, places), "version": 2, "debts": owed}

    monkeypatch.setitem(statements.VERSIONS, 2, version_2)
    monkeypatch.setitem(statements.INITIAL, 2, {"debts": {}})
    monkeypatch.setattr(statements, "STATEMENT_VERSION", 2)
    verdict = books.prove(window)
    assert verdict.passed is not bool(debt), books.report(verdict)
    if debt:
        assert failed(verdict) == [Gate.STATEMENTS]
        assert f"account {hurt}: debts" in books.report(verdict)


def test_a_rule_version_changes_behaviour_and_every_rehearsal_stays_clean(tmp_path: Path) -> None:
    """Old history before and after activation, and an old build's view of a history it never activated."""
    books = Books(tmp_path)
    books.venue.agree(ActivateRule(ADMIN, BAND_BY_SIDE, "deep bids harm nobody"), books.second)
    deep = books.venue.limit(books.accounts[0], Side.BID, 5_000, 1)
    books.venue.expect(deep)
    books.shut()
    books.write()
    verdict = books.prove()
    assert verdict.passed, books.report(verdict)


def test_the_report_is_there_for_people_and_for_programs(tmp_path: Path) -> None:
    books = Books(tmp_path)
    books.shut()
    books.write()
    verdict = books.prove()
    report = msgspec.json.decode((tmp_path / "reports" / f"{verdict.report}.json").read_bytes())
    assert [finding["gate"] for finding in report["findings"]] == list(GATES)
    assert digest(books.venue.state) == digest(books.read_back()[0])
