"""A start has the state of every durable record, and refuses where it can't be proved."""

import gc
import sqlite3
from pathlib import Path

import pytest

from exchange.core.digest import digest
from exchange.journal import snapshots, witness
from exchange.journal.errors import (
    BehindWitness,
    ClockBehind,
    InvariantBroken,
    JournalDamaged,
    NoJournal,
    WitnessDamaged,
    WitnessDisagrees,
    WitnessMissing,
)
from exchange.journal.layout import journal_path, snapshots_dir, witness_path
from exchange.journal.recovery import recover, replay
from exchange.journal.store import JournalReader, open_writing
from exchange.values.enums import Bucket
from exchange.values.money.events import Leg, Posted
from exchange.values.process.commands import StopProcess
from exchange.values.record import Record, encode
from tests.journal.kept import keep
from tests.journal.timeline import START_US, Timeline


@pytest.fixture
def venue(tmp_path: Path) -> Timeline:
    """A venue with 600 orders; its journal, a witness, and snapshots at two seqs lie in `tmp_path`."""
    timeline = Timeline()
    for commands in (200, 200, 200):
        timeline.trade(commands)
        keep(tmp_path, timeline)
        snapshots.write(tmp_path, timeline.state, timeline.chain)
    newest = snapshots.newest_first(tmp_path)[0]
    newest.unlink()
    return timeline


def test_the_newest_snapshot_and_the_records_after_it_give_the_live_state(tmp_path: Path, venue: Timeline) -> None:
    steps: list[tuple[int, int]] = []
    recovered = recover(tmp_path, lambda seq, last_seq: steps.append((seq, last_seq)))
    assert digest(recovered.state) == digest(venue.state)
    assert (recovered.seq, recovered.chain) == (venue.state.seq, venue.chain)
    assert recovered.snapshot_seq == venue.state.seq - 200
    assert recovered.skipped == ()
    assert steps[-1] == (venue.state.seq, venue.state.seq)
    assert gc.isenabled()


def test_without_a_snapshot_it_folds_from_genesis(tmp_path: Path, venue: Timeline) -> None:
    for path in snapshots.newest_first(tmp_path):
        path.unlink()
    recovered = recover(tmp_path)
    assert recovered.snapshot_seq == 0
    assert digest(recovered.state) == digest(venue.state)


@pytest.mark.parametrize("damage", ["cut", "flip", "digit", "empty", "format"])
def test_a_damaged_snapshot_is_reported_and_the_one_before_it_taken(
    tmp_path: Path, venue: Timeline, damage: str
) -> None:
    newest, older = snapshots.newest_first(tmp_path)
    content = newest.read_bytes()
    middle = len(content) // 2
    newest.write_bytes(
        {
            "cut": content[:middle],
            "flip": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
            "digit": content[:middle] + content[middle:].replace(b"1", b"2", 1),
            "empty": b"",
            "format": content.replace(b'"format":1', b'"format":9', 1),
        }[damage]
    )
    recovered = recover(tmp_path)
    assert recovered.snapshot_seq == int(older.stem)
    assert len(recovered.skipped) == 1
    assert newest.name in recovered.skipped[0]
    assert digest(recovered.state) == digest(venue.state)


def test_a_snapshot_of_another_history_is_not_taken(tmp_path: Path, venue: Timeline) -> None:
    header, state = snapshots.load(snapshots.newest_first(tmp_path)[0])
    snapshots.write(tmp_path, state, bytes(32))
    recovered = recover(tmp_path)
    assert recovered.snapshot_seq < header.seq
    assert "was not made at this journal's record" in recovered.skipped[0]


def test_only_the_newest_snapshots_are_kept(tmp_path: Path, venue: Timeline) -> None:
    for _ in range(snapshots.KEPT_SNAPSHOTS + 2):
        venue.trade(1)
        snapshots.write(tmp_path, venue.state, venue.chain)
    kept = [int(path.stem) for path in snapshots.newest_first(tmp_path)]
    assert kept == list(range(venue.state.seq, venue.state.seq - snapshots.KEPT_SNAPSHOTS, -1))
    assert not list(snapshots_dir(tmp_path).glob("*.tmp"))


def test_it_knows_whether_the_process_before_ended_in_order(tmp_path: Path, venue: Timeline) -> None:
    assert not recover(tmp_path).clean
    venue.do(StopProcess("by hand"))
    keep(tmp_path, venue)
    assert recover(tmp_path).clean


def test_replay_gives_the_state_at_an_earlier_seq(tmp_path: Path, venue: Timeline) -> None:
    target = snapshots.newest_first(tmp_path)[-1]
    at = int(target.stem)
    with JournalReader(tmp_path) as reader:
        exact, between = replay(tmp_path, reader, at), replay(tmp_path, reader, at + 7)
    assert (exact.seq, exact.snapshot_seq, between.seq) == (at, at, at + 7)
    assert digest(exact.state) == snapshots.load(target)[0].digest


def test_a_journal_that_lost_its_end_is_refused(tmp_path: Path, venue: Timeline) -> None:
    last_seq = venue.state.seq
    with sqlite3.connect(journal_path(tmp_path)) as connection:
        connection.execute("DELETE FROM batches WHERE last_seq = ?", (last_seq,))
    with pytest.raises(BehindWitness, match=f"to {last_seq} are missing"):
        recover(tmp_path)


def test_a_snapshot_beyond_the_journals_end_shows_the_loss_without_a_witness(tmp_path: Path, venue: Timeline) -> None:
    snapshots.write(tmp_path, venue.state, venue.chain)
    witness_path(tmp_path).unlink()
    with sqlite3.connect(journal_path(tmp_path)) as connection:
        connection.execute("DELETE FROM batches WHERE last_seq = ?", (venue.state.seq,))
    with pytest.raises(JournalDamaged, match="the record is missing"):
        recover(tmp_path, accept_missing_witness=True)


def test_a_missing_witness_has_to_be_accepted_by_name(tmp_path: Path, venue: Timeline) -> None:
    witness_path(tmp_path).unlink()
    with pytest.raises(WitnessMissing):
        recover(tmp_path)
    assert recover(tmp_path, accept_missing_witness=True).seq == venue.state.seq


def test_a_torn_witness_slot_leaves_the_other(tmp_path: Path, venue: Timeline) -> None:
    path = witness_path(tmp_path)
    venue.trade(1)
    keep(tmp_path, venue)
    seen = witness.read(path)
    assert seen is not None
    assert seen.seq == venue.state.seq
    content = bytearray(path.read_bytes())
    newest = max((0, 4096), key=lambda start: content[start : start + 80])
    content[newest + 40 : newest + 4096] = bytes(4056)
    path.write_bytes(content)
    older = witness.read(path)
    assert older is not None
    assert older.seq == venue.state.seq - 1
    assert recover(tmp_path).seq == venue.state.seq
    path.write_bytes(bytes(8192))
    with pytest.raises(WitnessDamaged):
        recover(tmp_path)


def test_the_witness_of_another_history_is_refused(tmp_path: Path, venue: Timeline) -> None:
    genesis = open_writing(tmp_path).genesis
    for identity, chain in ((genesis, bytes(32)), ("00" * 32, venue.chain)):
        witness_path(tmp_path).unlink()
        witness.Witness(witness_path(tmp_path)).begin(identity, venue.state.seq, chain)
        with pytest.raises(WitnessDisagrees):
            recover(tmp_path)


def test_a_clock_behind_the_journal_is_refused(tmp_path: Path, venue: Timeline) -> None:
    with pytest.raises(ClockBehind, match="set it right"):
        recover(tmp_path, now_us=lambda: START_US)


def test_broken_books_are_refused(tmp_path: Path, venue: Timeline) -> None:
    account = venue.traders[0][0]
    locked = Posted("for no order", (Leg(account, "SOL", -5), Leg(account, "SOL", 5, Bucket.LOCKED)))
    record = Record(venue.state.seq + 1, venue.state.time_us, StopProcess("bug"), [locked])
    venue.bodies.append(encode(record))
    keep(tmp_path, venue)
    with pytest.raises(InvariantBroken, match="SOL"):
        recover(tmp_path)


def test_there_has_to_be_a_journal(tmp_path: Path) -> None:
    with pytest.raises(NoJournal):
        recover(tmp_path)
    open_writing(tmp_path)
    assert recover(tmp_path).seq == 0
