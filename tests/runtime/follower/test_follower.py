"""The follower keeps the read models up with the journal, and finds every difference that is put before it."""

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from exchange.core import State, fold, rehearsal
from exchange.core.digest import digest, partition_digest
from exchange.journal import snapshots
from exchange.runtime.follower import process as follower_module
from exchange.runtime.follower import snapshotter as snapshotter_module
from exchange.runtime.follower.messages import NOT_MADE, Check, Digest, FromFollower, Mismatch, ToFollower
from exchange.runtime.follower.process import MAX_MISMATCHES, Follower
from exchange.runtime.follower.read_models import FILE_NAME, ReadModels, ReadModelWriter
from exchange.runtime.follower.snapshotter import make
from exchange.values.enums import Mode
from exchange.values.modes.commands import SetMode
from exchange.values.orders.commands import PlaceOrder
from exchange.values.orders.events import OrderRested
from exchange.values.process.events import Faulted
from exchange.values.record import Record
from tests.runtime.follower.recorded import ADMIN, History, keep
from tests.runtime.follower.test_read_models import fill, tables

ACCOUNTS_PARTITION = 7


def state_at(records: list[Record], seq: int) -> State:
    state = State()
    for record in records[:seq]:
        fold(state, record)
    return state


@pytest.fixture(scope="module")
def history() -> History:
    return History().run(1_500)


@pytest.fixture
def data(history: History, tmp_path: Path) -> Path:
    """A data folder whose journal holds the history."""
    keep(tmp_path, history.records)
    return tmp_path


@pytest.fixture
def expected(history: History, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read models filled straight from the records."""
    path = tmp_path_factory.mktemp("expected") / FILE_NAME
    fill(ReadModelWriter(path), State(), history.records, 500)
    return path


class Following:
    """A follower in this process, and what it has told."""

    def __init__(self, data: Path) -> None:
        self.told: list[FromFollower] = []
        self.follower = Follower(data, self.told.append)

    def to(self, seq: int) -> None:
        self.follower.hear(ToFollower(durable=seq))
        while self.follower.behind:
            self.follower.advance()

    @property
    def mismatches(self) -> list[Mismatch]:
        return [message.mismatch for message in self.told if message.mismatch is not None]

    @property
    def reached(self) -> list[int]:
        return [message.reached for message in self.told if message.reached is not None]


@pytest.fixture
def following(data: Path) -> Iterator[Following]:
    following = Following(data)
    yield following
    following.follower.close()


def same_rows(one: Path, other: Path) -> bool:
    """Equal but for the chain value, which only a journal gives."""
    ours, theirs = tables(one), tables(other)
    return ours.pop("progress")[0][1:3] == theirs.pop("progress")[0][1:3] and ours == theirs


# --- read models --------------------------------------------------------------------------------------


def test_it_reads_up_to_what_is_durable_and_no_further(following: Following, data: Path) -> None:
    assert following.reached == [0]
    following.to(700)
    following.to(650)
    assert following.reached == [0, 700]
    assert ReadModels(data / FILE_NAME).seq() == 700


def test_what_it_writes_is_what_the_records_say(
    following: Following, data: Path, history: History, expected: Path
) -> None:
    following.to(333)
    following.to(len(history.records))
    assert same_rows(data / FILE_NAME, expected)
    assert not following.mismatches


def test_it_works_in_bounded_batches(following: Following, history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower_module, "BATCH_RECORDS", 400)
    following.to(1_000)
    assert following.reached == [0, 400, 800, 1_000]


@pytest.mark.parametrize("snapshot_seqs", [(), (200,), (200, 900)])
def test_the_next_one_goes_on_where_the_last_one_was(
    data: Path, history: History, expected: Path, snapshot_seqs: tuple[int, ...]
) -> None:
    """Also where the newest snapshot is ahead of the read models: then an older one, or genesis, must do."""
    first = Following(data)
    first.to(500)
    first.follower.close()
    for seq in snapshot_seqs:
        make(data, seq, digest(state_at(history.records, seq)))
    second = Following(data)
    assert second.reached == [500]
    second.to(len(history.records))
    assert same_rows(data / FILE_NAME, expected)


def test_read_models_that_are_deleted_are_made_again(data: Path, history: History, expected: Path) -> None:
    first = Following(data)
    first.to(len(history.records))
    first.follower.close()
    make(data, 800, digest(state_at(history.records, 800)))
    (data / FILE_NAME).unlink()
    second = Following(data)
    assert second.reached == [0]
    second.to(len(history.records))
    assert same_rows(data / FILE_NAME, expected)


@pytest.mark.parametrize("records_left", [300, 1_000])
def test_read_models_of_another_journal_are_made_again(tmp_path: Path, records_left: int) -> None:
    """A journal restored from a backup may be shorter, or have gone on differently."""
    data = tmp_path / "restored"
    past = History(seed=2).run(500)
    keep(data, past.records)
    following = Following(data)
    following.to(500)
    following.follower.close()
    for path in data.glob("journal.sqlite*"):
        path.unlink()
    other = History(seed=3).run(records_left)
    keep(data, other.records)
    again = Following(data)
    assert again.reached == [0]
    again.to(len(other.records))
    assert ReadModels(data / FILE_NAME).seq() == len(other.records)


@pytest.mark.parametrize("sound_pages", [1, 2, 8])
def test_read_models_that_are_damaged_are_made_again(
    data: Path, history: History, expected: Path, sound_pages: int
) -> None:
    first = Following(data)
    first.to(1_000)
    first.follower.close()
    path = data / FILE_NAME
    content = bytearray(path.read_bytes())
    sound = sound_pages * 8_192
    content[sound:] = b"\xff" * (len(content) - sound)
    path.write_bytes(content)
    if sound_pages > 1:  # else the file doesn't even say what it holds
        with pytest.raises(sqlite3.DatabaseError):
            Following(data).to(len(history.records))
    second = Following(data)
    assert second.reached == [0]
    second.to(len(history.records))
    assert same_rows(path, expected)


def test_a_disk_that_is_full_costs_no_history(data: Path, history: History, expected: Path) -> None:
    first = Following(data)
    first.to(500)
    ((pages,),) = first.follower._models._connection.execute("PRAGMA page_count").fetchall()
    first.follower._models._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        first.to(len(history.records))
    second = Following(data)
    assert second.reached == [500]
    second.to(len(history.records))
    assert same_rows(data / FILE_NAME, expected)


# --- doubts ---------------------------------------------------------------------------------------------


def test_equal_digests_are_no_news(following: Following, history: History) -> None:
    for seq in (400, 401, 900):
        value = partition_digest(state_at(history.records, seq), ACCOUNTS_PARTITION)
        following.follower.hear(ToFollower(digest=Digest(seq, ACCOUNTS_PARTITION, value)))
    following.to(1_000)
    assert not following.mismatches


def test_a_digest_that_differs_is_told(following: Following, history: History) -> None:
    theirs = partition_digest(state_at(history.records, 399), 63)
    ours = partition_digest(state_at(history.records, 400), 63)
    following.follower.hear(ToFollower(digest=Digest(400, 63, theirs)))
    following.to(399)
    assert not following.mismatches
    following.to(1_000)
    assert following.mismatches == [Mismatch(Check.DIGEST, 400, theirs, ours)]


def test_a_digest_that_comes_too_late_is_let_go(following: Following) -> None:
    following.to(500)
    following.follower.hear(ToFollower(digest=Digest(500, 63, "of a seq that is past")))
    following.to(600)
    assert not following.mismatches


def _follow_changed(tmp_path: Path, history: History, seq: int, changed: Record) -> Following:
    """Follow a journal in which one record says something else than `decide` does."""
    records = [*history.records[: seq - 1], changed]
    keep(tmp_path, records)
    following = Following(tmp_path)
    following.to(seq)
    return following


def test_every_record_is_decided_again(tmp_path: Path, history: History) -> None:
    record = next(r for r in history.records if r.events and isinstance(r.events[0], OrderRested))
    rested = record.events[0]
    assert isinstance(rested, OrderRested)
    other = msgspec.structs.replace(rested, lots=rested.lots + 1)
    changed = msgspec.structs.replace(record, events=[other])
    following = _follow_changed(tmp_path, history, record.seq, changed)
    (mismatch,) = following.mismatches
    assert (mismatch.check, mismatch.seq) == (Check.REHEARSAL, record.seq)
    assert f"lots={rested.lots + 1}" in mismatch.expected
    assert f"lots={rested.lots}" in mismatch.found
    assert following.reached[-1] == record.seq


def test_a_faulted_command_is_never_decided_again(tmp_path: Path, history: History) -> None:
    record = next(r for r in history.records if isinstance(r.command, PlaceOrder))
    faulted = msgspec.structs.replace(record, events=[Faulted("e1", "SOL_USDC")])
    assert not _follow_changed(tmp_path, history, record.seq, faulted).mismatches


def test_a_decision_that_fails_is_a_doubt_and_no_end(following: Following, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(rehearsal, "decide", fail)
    following.to(5)
    assert [m.seq for m in following.mismatches] == [1, 2, 3, 4, 5]
    assert following.reached[-1] == 5


def test_doubts_without_end_are_not_told_without_end(following: Following, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "decide", lambda *_: [])
    following.to(MAX_MISMATCHES + 200)
    assert len(following.mismatches) == MAX_MISMATCHES


# --- snapshots --------------------------------------------------------------------------------------------


def test_a_snapshot_is_the_state_at_its_seq(data: Path, history: History) -> None:
    for seq in (600, 1_100):
        assert make(data, seq, digest(state_at(history.records, seq))) == FromFollower(snapshot=seq)
        header, state = snapshots.load(snapshots.newest_first(data)[0])
        assert header.seq == seq
        assert digest(state) == digest(state_at(history.records, seq))


def test_a_snapshot_that_is_not_the_followers_state_is_not_written(data: Path, history: History) -> None:
    answer = make(data, 600, digest(state_at(history.records, 599)))
    assert answer.mismatch is not None
    assert (answer.mismatch.check, answer.mismatch.seq, answer.snapshot) == (Check.RECOVERY, 600, NOT_MADE)
    assert not snapshots.newest_first(data)


def test_a_broken_invariant_is_told_and_no_snapshot_written(tmp_path: Path, history: History) -> None:
    first = history.records[:60]
    state = state_at(first, 60)
    event = next(e for r in history.records[60:] for e in r.events if isinstance(e, OrderRested))
    forged = msgspec.structs.replace(event, reserved_atoms=event.reserved_atoms + 1)
    record = Record(61, state.time_us, SetMode(ADMIN, Mode.FULL, "forged"), [forged])
    keep(tmp_path, [*first, record])
    fold(state, record)
    answer = make(tmp_path, 61, digest(state))
    assert answer.mismatch is not None
    assert (answer.mismatch.check, answer.mismatch.seq, answer.snapshot) == (Check.INVARIANT, 61, NOT_MADE)
    assert answer.mismatch.found
    assert not snapshots.newest_first(tmp_path)


def _wait_for_snapshot(following: Following) -> FromFollower:
    following.follower.look_after_snapshots()
    assert following.follower.snapshotter is not None
    following.follower.take_snapshot_answer()
    return following.told[-1]


def test_a_snapshot_is_made_when_asked_of_what_was_durable_then(following: Following, data: Path) -> None:
    following.follower.hear(ToFollower(durable=900))
    following.follower.hear(ToFollower(snapshot=True))
    following.follower.look_after_snapshots()
    assert following.follower.snapshotter is None
    following.to(900)
    assert _wait_for_snapshot(following) == FromFollower(snapshot=900)
    assert [path.stem for path in snapshots.newest_first(data)] == ["900"]
    following.follower.look_after_snapshots()
    assert following.follower.snapshotter is None


def test_a_snapshot_is_made_by_count(following: Following, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower_module, "SNAPSHOT_RECORDS", 1_000)
    following.to(999)
    following.follower.look_after_snapshots()
    assert following.follower.snapshotter is None
    following.to(1_000)
    assert _wait_for_snapshot(following) == FromFollower(snapshot=1_000)


def test_a_snapshotter_that_fails_is_not_passed_over(following: Following, data: Path) -> None:
    following.to(900)
    following.follower.hear(ToFollower(snapshot=True))
    shutil.move(data / "journal.sqlite", data / "elsewhere.sqlite")
    assert _wait_for_snapshot(following) == FromFollower(snapshot=NOT_MADE, fault="the snapshotter ended with 1")
    shutil.move(data / "elsewhere.sqlite", data / "journal.sqlite")
    following.to(1_000)
    assert following.reached[-1] == 1_000


def test_a_snapshotter_that_hangs_is_ended(following: Following, monkeypatch: pytest.MonkeyPatch) -> None:
    following.to(900)
    following.follower.hear(ToFollower(snapshot=True))
    monkeypatch.setattr(snapshotter_module, "TIMEOUT_S", -1.0)
    following.follower.look_after_snapshots()
    assert _wait_for_snapshot(following) == FromFollower(snapshot=NOT_MADE, fault="the snapshotter ended with -9")
