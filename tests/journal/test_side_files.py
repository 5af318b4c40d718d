"""What lies beside a sealed segment: the snapshot of its end, and what is attached later."""

import fcntl
import gzip
from pathlib import Path

import pytest

from exchange.core import State
from exchange.core.digest import digest
from exchange.journal import snapshots
from exchange.journal.backup import backup, restore
from exchange.journal.errors import JournalDamaged, SegmentAway, SegmentError
from exchange.journal.layout import segments_dir
from exchange.journal.recovery import fold_batch, recover
from exchange.journal.sealing import archive, attach, seal
from exchange.journal.segments import Segment, manifest
from exchange.journal.store import JournalReader, open_writing
from exchange.journal.verify import verify
from exchange.values.ids import AccountId
from exchange.values.money.events import Leg, Posted
from exchange.values.process.commands import StopProcess
from exchange.values.record import Record, encode
from tests.journal.kept import keep
from tests.journal.timeline import Timeline

INDEX = b"which records touch whom"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A venue with 1,000 orders, of which records 1 to 800 are sealed, in two goes; in `data`."""
    timeline = Timeline()
    timeline.trade(600)
    keep(tmp_path / "data", timeline)
    seal(tmp_path / "data", 400, 200)
    timeline.trade(400)
    keep(tmp_path / "data", timeline)
    seal(tmp_path / "data", 400, 200)
    journal = open_writing(tmp_path / "data")
    journal.drop_sealed(800, 1_000)
    journal.close()
    return tmp_path / "data"


def index_path(data_dir: Path, segment: Segment) -> Path:
    return next(one for one in manifest(data_dir) if one.first_seq == segment.first_seq).path(data_dir, "index")


def state_at(data_dir: Path, seq: int) -> State:
    state = State()
    with JournalReader(data_dir) as reader:
        for batch in reader.checked_batches(1, seq, bytes(32)):
            fold_batch(state, batch)
    return state


def test_the_snapshot_beside_a_segment_is_the_state_of_exactly_its_end(data_dir: Path) -> None:
    for segment in manifest(data_dir):
        header, loaded = snapshots.load(segment.path(data_dir, snapshots.KIND))
        assert (header.seq, header.chain) == (segment.last_seq, segment.sealed.chain)
        assert header.digest == digest(loaded) == digest(state_at(data_dir, segment.last_seq))


def test_it_is_kept_as_long_as_the_segment_however_many_come_after(data_dir: Path) -> None:
    recovered = recover(data_dir)
    for _ in range(snapshots.KEPT_SNAPSHOTS + 1):
        snapshots.write(data_dir, recovered.state, recovered.chain)
        recovered.state.seq += 1
    assert [seq for seq, path in snapshots.all_there(data_dir) if path.parent == segments_dir(data_dir)] == [800, 400]


def test_a_start_goes_on_from_it_where_there_is_no_newer_one(data_dir: Path) -> None:
    end = digest(state_at(data_dir, recover(data_dir).seq))
    newest = manifest(data_dir)[-1].path(data_dir, snapshots.KIND)
    assert recover(data_dir).snapshot_seq == 800
    newest.write_bytes(newest.read_bytes()[:-10])
    recovered = recover(data_dir)
    assert (recovered.snapshot_seq, digest(recovered.state)) == (400, end)
    assert newest.name in recovered.skipped[0]


def test_verification_holds_each_against_the_fold(data_dir: Path) -> None:
    assert verify(data_dir, from_genesis=True).snapshot_seqs == (400, 800)
    segment = manifest(data_dir)[0]
    path = segment.path(data_dir, snapshots.KIND)
    _, state = snapshots.load(path)
    next(account for account in state.accounts.values() if account.balances).balances["USDC"].available_atoms += 1
    path.write_bytes(snapshots.packed(state, bytes.fromhex(segment.sealed.chain)))
    report = verify(data_dir, from_genesis=True)
    assert "hash differs" in report.text()
    assert report.first_bad_seq == 400
    path.unlink()
    assert path.name in verify(data_dir, from_genesis=True).text()


def test_where_no_snapshot_is_left_the_next_is_made_from_the_first_record_on(data_dir: Path) -> None:
    keep_on = Timeline()
    keep_on.trade(1_600)
    keep(data_dir, keep_on)
    for _, path in snapshots.all_there(data_dir):
        path.unlink()
    assert [segment.last_seq for segment in seal(data_dir, 400, 400)] == [1_200]
    assert verify(data_dir, from_genesis=True).snapshot_seqs == (1_200,)


def test_nothing_is_sealed_that_cannot_be_folded(data_dir: Path) -> None:
    journal = open_writing(data_dir)
    nobody = Posted("to nobody", (Leg(AccountId(99_000), "SOL", 5),))
    seq = journal.last_seq + 1
    journal.append(seq, [encode(Record(seq, 2 * 10**15, StopProcess("bug"), [nobody]))])
    journal.close()
    with pytest.raises(JournalDamaged, match="can't be folded"):
        seal(data_dir, seq - 800, 0)
    assert len(manifest(data_dir)) == 2


def test_a_side_file_is_archived_backed_up_restored_and_verified(data_dir: Path, tmp_path: Path) -> None:
    first, second = manifest(data_dir)
    attach(data_dir, first, "index", INDEX)
    attach(data_dir, second, "index", INDEX * 2)
    assert [segment.link for segment in manifest(data_dir)] == [first.link, second.link]
    assert [segment.first_seq for segment in archive(data_dir, tmp_path / "archive", 800)] == [1]
    assert index_path(data_dir, first) == tmp_path / "archive" / "1-400.index"
    assert not (segments_dir(data_dir) / "1-400.index").exists()
    assert verify(data_dir, from_genesis=True).ok
    backup(data_dir, tmp_path / "backup")
    restore(tmp_path / "backup", tmp_path / "again")
    for segment, content in ((first, INDEX), (second, INDEX * 2)):
        assert index_path(tmp_path / "again", segment).read_bytes() == content
        assert index_path(data_dir, segment).read_bytes() == content
    index_path(data_dir, first).write_bytes(INDEX[:-1] + b"?")
    assert "1-400.index" in verify(data_dir, from_genesis=True).text()


def test_one_that_is_there_is_mended_by_the_same_content_alone(data_dir: Path) -> None:
    segment = manifest(data_dir)[0]
    attach(data_dir, segment, "index", INDEX)
    with pytest.raises(SegmentError, match="has another"):
        attach(data_dir, segment, "index", INDEX + b"!")
    index_path(data_dir, segment).unlink()
    attach(data_dir, segment, "index", INDEX)
    assert index_path(data_dir, segment).read_bytes() == INDEX
    assert [side.kind for side in manifest(data_dir)[0].sides].count("index") == 1


def test_it_waits_for_nobody_and_takes_no_other_place(data_dir: Path, tmp_path: Path) -> None:
    segment = manifest(data_dir)[0]
    with open(segments_dir(data_dir) / "lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(SegmentError, match="another process is sealing"):
            attach(data_dir, segment, "index", INDEX)
    with pytest.raises(SegmentError, match="there is no segment"):
        attach(data_dir, segment, "jsonl.gz", INDEX)
    archive(data_dir, tmp_path / "archive", 800)
    (tmp_path / "archive").rename(tmp_path / "unmounted")
    with pytest.raises(SegmentAway):
        attach(data_dir, segment, "index", INDEX)
    assert not (tmp_path / "archive").exists()


def test_a_snapshot_beside_a_segment_is_read_with_zcat(data_dir: Path) -> None:
    content = gzip.decompress(manifest(data_dir)[0].path(data_dir, snapshots.KIND).read_bytes())
    assert content.startswith(b'{"header":{"format":1,"seq":400,')


def test_of_two_snapshots_of_one_seq_both_are_verified(data_dir: Path) -> None:
    beside = manifest(data_dir)[0].path(data_dir, snapshots.KIND)
    header, state = snapshots.load(beside)
    snapshots.write(data_dir, state, bytes.fromhex(header.chain))
    assert verify(data_dir, from_genesis=True).ok
    beside.write_bytes(gzip.compress(b"another", mtime=0))
    assert f"snapshot {beside.name} can't be read" in verify(data_dir, from_genesis=True).text()
