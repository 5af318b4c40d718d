"""`exchange verify`, signed checkpoints, and records for a person."""

import json
import sqlite3
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from exchange.core.digest import digest
from exchange.journal import checkpoint, snapshots, verify
from exchange.journal.errors import CheckpointRefused
from exchange.journal.layout import checkpoints_dir, journal_path, segments_dir
from exchange.journal.sealing import seal
from exchange.journal.show import show
from exchange.journal.store import JournalReader
from exchange.values.ids import AccountId
from exchange.values.money.events import Leg, Posted
from exchange.values.orders.commands import PlaceOrder
from exchange.values.process.commands import StopProcess
from exchange.values.record import Record, decode, encode
from tests.journal.kept import keep
from tests.journal.timeline import VENUE_KEY, Timeline


@pytest.fixture
def venue(tmp_path: Path) -> Timeline:
    """900 orders; snapshots after each 300 but the last; the first 400 records sealed."""
    timeline = Timeline()
    for commands in (300, 300, 300):
        snapshots.write(tmp_path, timeline.state, timeline.chain)
        timeline.trade(commands)
        keep(tmp_path, timeline)
    seal(tmp_path, 400, 500)
    return timeline


def seqs(problems: tuple[verify.Problem, ...]) -> list[int | None]:
    return [problem.seq for problem in problems]


def test_a_whole_journal_verifies(tmp_path: Path, venue: Timeline) -> None:
    steps: list[tuple[int, int]] = []
    report = verify.verify(tmp_path, progress=lambda seq, last_seq: steps.append((seq, last_seq)))
    assert report.ok, report.text()
    last_seq = venue.state.seq
    assert (report.from_seq, report.to_seq, report.witness_seq, report.segments) == (0, last_seq, last_seq, 1)
    assert report.snapshot_seqs == (last_seq - 900, last_seq - 600, 400, last_seq - 300)
    assert (report.digest, report.chain) == (digest(venue.state), venue.chain.hex())
    assert steps[-1] == (last_seq, last_seq)
    assert json.loads(report.to_json())["ok"] is True
    assert "whole" in report.text()


def test_the_first_bad_record_is_named(tmp_path: Path, venue: Timeline) -> None:
    with sqlite3.connect(journal_path(tmp_path)) as connection:
        first_seq, lines = connection.execute(
            "SELECT first_seq, lines FROM batches WHERE 700 BETWEEN first_seq AND last_seq"
        ).fetchone()
        split_lines = lines.split(b"\n")
        split_lines[700 - first_seq] = split_lines[700 - first_seq].replace(b'"lots":', b'"lots":1')
        connection.execute("UPDATE batches SET lines = ? WHERE first_seq = ?", (b"\n".join(split_lines), first_seq))
    report = verify.verify(tmp_path)
    assert not report.ok
    assert report.first_bad_seq == 700
    assert "First bad seq: 700" in report.text()


def test_lost_records_are_named(tmp_path: Path, venue: Timeline) -> None:
    with sqlite3.connect(journal_path(tmp_path)) as connection:
        connection.execute("DELETE FROM batches WHERE last_seq > 700")
        (end,) = connection.execute("SELECT max(last_seq) FROM batches").fetchone()
    report = verify.verify(tmp_path)
    assert report.first_bad_seq == end + 1


def test_a_snapshot_that_holds_another_state_is_found(tmp_path: Path, venue: Timeline) -> None:
    header, state = snapshots.load(snapshots.newest_first(tmp_path)[1])
    account = next(account for account in state.accounts.values() if account.balances)
    account.balances["USDC"].available_atoms += 1
    snapshots.write(tmp_path, state, bytes.fromhex(header.chain))
    report = verify.verify(tmp_path)
    assert not report.ok
    assert report.first_bad_seq == header.seq
    assert header.seq not in report.snapshot_seqs


def test_a_damaged_snapshot_is_a_problem(tmp_path: Path, venue: Timeline) -> None:
    path = snapshots.newest_first(tmp_path)[0]
    path.write_bytes(path.read_bytes()[:-1])
    report = verify.verify(tmp_path)
    assert seqs(report.problems) == [None]
    assert path.name in report.problems[0].what


def test_a_damaged_segment_is_a_problem(tmp_path: Path, venue: Timeline) -> None:
    path = next(segments_dir(tmp_path).glob("*.gz"))
    path.write_bytes(path.read_bytes() + b"x")
    assert "hash differs" in verify.verify(tmp_path).text()


def test_books_that_do_not_hold_are_found(tmp_path: Path, venue: Timeline) -> None:
    minted = Posted("minted", (Leg(venue.traders[0][0], "SOL", 5),))
    record = Record(venue.state.seq + 1, venue.state.time_us, StopProcess("bug"), [minted])
    venue.bodies.append(encode(record))
    keep(tmp_path, venue)
    report = verify.verify(tmp_path)
    assert report.first_bad_seq == record.seq
    assert "SOL" in report.text()


def test_a_signed_checkpoint_is_where_the_next_verification_begins(tmp_path: Path, venue: Timeline) -> None:
    signed_seq = venue.state.seq
    assert verify.verify(tmp_path, key=VENUE_KEY).checkpoint_seq == signed_seq
    venue.trade(100)
    keep(tmp_path, venue)
    report = verify.verify(tmp_path)
    assert report.ok, report.text()
    assert (report.from_seq, report.to_seq) == (signed_seq, signed_seq + 100)
    assert report.digest == digest(venue.state)
    again = verify.verify(tmp_path, from_genesis=True)
    assert (again.from_seq, again.digest) == (0, report.digest)


def test_nothing_is_signed_that_does_not_verify(tmp_path: Path, venue: Timeline) -> None:
    path = snapshots.newest_first(tmp_path)[0]
    path.write_bytes(b"")
    assert verify.verify(tmp_path, key=VENUE_KEY).checkpoint_seq is None
    assert not checkpoints_dir(tmp_path).exists()


def test_a_forged_checkpoint_is_refused_and_verification_begins_at_genesis(tmp_path: Path, venue: Timeline) -> None:
    with JournalReader(tmp_path) as reader:
        genesis = reader.genesis()
    path = checkpoints_dir(tmp_path) / f"{venue.state.seq}.signed.json"

    def signed(genesis: str, key: SigningKey) -> bytes:
        checkpoint.sign(tmp_path, venue.state, venue.chain, genesis, key)
        return path.read_bytes()

    good = signed(genesis, VENUE_KEY)
    assert checkpoint.newest(tmp_path, genesis) is not None
    for forged, why in (
        (good.replace(venue.chain.hex().encode(), b"00" * 32), "good signature"),
        (good.replace(b'"signature":"', b'"signature":"AA'), "good signature"),
        (good.replace(b'{"statement":{', b'{"statement":{ '), "good signature"),
        (signed(genesis, SigningKey(bytes([9]) * 32)), "another key"),
        (signed("00" * 32, VENUE_KEY), "not about this journal"),
    ):
        path.write_bytes(forged)
        with pytest.raises(CheckpointRefused, match=why):
            checkpoint.newest(tmp_path, genesis)
    report = verify.verify(tmp_path)
    assert (report.ok, report.from_seq) == (False, 0)
    assert report.to_seq == venue.state.seq


def test_records_are_shown_to_a_person(tmp_path: Path, venue: Timeline) -> None:
    shown = list(show(tmp_path))
    assert len(shown) == venue.state.seq
    assert shown[0].startswith("#1  2026-")
    assert "Genesis" in shown[0]
    assert list(show(tmp_path, from_seq=10, to_seq=12)) == shown[9:12]
    trade = next(text for text in shown if "Traded" in text)
    assert "price=1" in trade
    assert "quantity=0.0" in trade
    assert " USDC" in trade
    assert "_ticks" not in trade
    assert "_atoms" not in trade


def test_records_are_found_by_account_and_by_order(tmp_path: Path, venue: Timeline) -> None:
    maker = next(iter(venue.state.orders.values()))
    by_order = list(show(tmp_path, order=maker.order_id))
    assert by_order[0].startswith(f"#{maker.order_id // 10} ")
    assert all(str(maker.order_id) in text for text in by_order)
    records = [decode(body) for body in venue.bodies]
    account = maker.account.account_id
    placed = [r for r in records if isinstance(r.command, PlaceOrder) and r.command.account == account]
    by_account = list(show(tmp_path, account=account))
    assert {f"#{record.seq}" for record in placed} <= {text.split()[0] for text in by_account}
    assert len(by_account) < len(records)
    assert list(show(tmp_path, account=AccountId(1))) != by_account
