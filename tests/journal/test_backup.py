"""Backup of a live journal, and its restoration: rehearsed with a real writer at work."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from exchange.core.digest import digest
from exchange.journal import snapshots
from exchange.journal.backup import backup, check, restore, restored_seq
from exchange.journal.errors import BackupError, BehindWitness, NoJournal, NotPrivate, SegmentError
from exchange.journal.layout import journal_path, restored_path, segments_dir, witness_path
from exchange.journal.recovery import recover
from exchange.journal.sealing import archive, seal
from exchange.journal.verify import verify
from tests.journal.kept import keep
from tests.journal.live import started, until
from tests.journal.timeline import Timeline


@pytest.fixture
def venue(tmp_path: Path) -> Timeline:
    """A journal with a snapshot, one segment at home and one in an archive, and a tail; in `data`."""
    timeline = Timeline()
    for commands in (400, 400, 400):
        timeline.trade(commands)
        keep(tmp_path / "data", timeline)
    snapshots.write(tmp_path / "data", timeline.state, timeline.chain)
    timeline.trade(100)
    keep(tmp_path / "data", timeline)
    seal(tmp_path / "data", 400, 400)
    archive(tmp_path / "data", tmp_path / "archive", 400)
    return timeline


async def test_a_backup_made_while_the_writer_works_is_whole_and_can_be_started(tmp_path: Path) -> None:
    data, copy, again = tmp_path / "data", tmp_path / "backup", tmp_path / "again"
    timeline = Timeline()
    timeline.trade(300)
    client, heard = await started(data)
    client.append(1, timeline.bodies)
    await heard.until_durable(300)
    done = asyncio.Event()

    async def write_on() -> None:
        while not done.is_set():
            client.append(timeline.state.seq + 1, timeline.trade(10))
            await asyncio.sleep(0.001)

    writing = asyncio.create_task(write_on())
    durable_before = client.durable_seq
    statement = await asyncio.to_thread(backup, data, copy)
    await until(lambda: client.durable_seq > statement.seq)
    done.set()
    await writing
    await client.close()
    assert heard.failed == []
    assert durable_before <= statement.seq < timeline.state.seq

    restore(copy, again)
    recovered = recover(again)
    assert recovered.seq == statement.seq
    assert verify(again).ok
    client, heard = await started(again)
    client.append(statement.seq + 1, timeline.bodies[statement.seq :])
    await client.close()
    assert digest(recover(again).state) == digest(timeline.state)


def test_segments_archive_and_snapshots_come_back_together(tmp_path: Path, venue: Timeline) -> None:
    statement = backup(tmp_path / "data", tmp_path / "backup")
    (tmp_path / "archive").rename(tmp_path / "gone")
    (tmp_path / "data").rename(tmp_path / "lost")
    restore(tmp_path / "backup", tmp_path / "data")
    assert sorted(path.name for path in segments_dir(tmp_path / "data").glob("*-*")) == [
        "1-400.blocks",
        "1-400.jsonl.gz",
        "1-400.snapshot.gz",
        "401-800.blocks",
        "401-800.jsonl.gz",
        "401-800.snapshot.gz",
    ]
    report = verify(tmp_path / "data")
    assert report.ok, report.text()
    assert report.snapshot_seqs == (400, 800, venue.state.seq - 100)
    assert (statement.seq, report.digest) == (venue.state.seq, digest(venue.state))


@pytest.mark.parametrize(
    "name",
    [
        "journal.sqlite",
        "segments/401-800.jsonl.gz",
        "segments/1-400.snapshot.gz",
        "segments/manifest.jsonl",
        "witness/witness",
    ],
)
@pytest.mark.parametrize("damage", ["flip", "missing"])
def test_a_damaged_backup_is_not_restored(tmp_path: Path, venue: Timeline, name: str, damage: str) -> None:
    backup(tmp_path / "data", tmp_path / "backup")
    path = tmp_path / "backup" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "flip":
        path.write_bytes(content)
    else:
        path.unlink()
    with pytest.raises(BackupError, match=path.name):
        restore(tmp_path / "backup", tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_damaged_journal_gives_no_backup(tmp_path: Path, venue: Timeline) -> None:
    segment = segments_dir(tmp_path / "data") / "401-800.jsonl.gz"
    whole = segment.read_bytes()
    segment.write_bytes(whole[:-100])
    with pytest.raises(SegmentError, match="hash differs"):
        backup(tmp_path / "data", tmp_path / "backup 1")
    segment.write_bytes(whole)
    with sqlite3.connect(journal_path(tmp_path / "data")) as connection:
        connection.execute("DELETE FROM batches WHERE 1000 BETWEEN first_seq AND last_seq")
    with pytest.raises(BackupError, match=r"not whole.*damaged at seq"):
        backup(tmp_path / "data", tmp_path / "backup 2")


def test_nothing_is_overwritten(tmp_path: Path, venue: Timeline) -> None:
    backup(tmp_path / "data", tmp_path / "backup")
    before = journal_path(tmp_path / "data").read_bytes()
    with pytest.raises(BackupError, match="not empty"):
        backup(tmp_path / "data", tmp_path / "backup")
    with pytest.raises(BackupError, match="not empty"):
        restore(tmp_path / "backup", tmp_path / "data")
    assert journal_path(tmp_path / "data").read_bytes() == before
    with pytest.raises(NoJournal):
        backup(tmp_path / "nothing", tmp_path / "elsewhere")
    with pytest.raises(BackupError, match=r"there is no backup\.json"):
        check(tmp_path / "data")


def test_an_old_backup_does_not_start_under_a_witness_that_has_seen_more(tmp_path: Path, venue: Timeline) -> None:
    away = tmp_path / "other disk"
    away.mkdir()
    witness_path(tmp_path / "data").rename(witness_path(tmp_path / "data", away))
    statement = backup(tmp_path / "data", tmp_path / "backup", witness_dir=away)
    venue.trade(5)
    keep(tmp_path / "data", venue)
    witness_path(tmp_path / "data").replace(witness_path(tmp_path / "data", away))
    restore(tmp_path / "backup", tmp_path / "again", witness_dir=away)
    with pytest.raises(BehindWitness) as caught:
        recover(tmp_path / "again", witness_dir=away)
    assert (caught.value.journal_seq, caught.value.witness_seq) == (statement.seq, venue.state.seq)


def test_a_snapshot_damaged_before_the_backup_stays_behind(tmp_path: Path, venue: Timeline) -> None:
    path = snapshots.newest_first(tmp_path / "data")[0]
    path.write_bytes(path.read_bytes()[:-1])
    backup(tmp_path / "data", tmp_path / "backup")
    restore(tmp_path / "backup", tmp_path / "again")
    assert snapshots.newest_first(tmp_path / "again") == []
    assert recover(tmp_path / "again").seq == venue.state.seq


def test_what_is_restored_says_up_to_which_record_it_goes(tmp_path: Path, venue: Timeline) -> None:
    backup(tmp_path / "data", tmp_path / "backup")
    assert restored_seq(tmp_path / "data") is None
    restore(tmp_path / "backup", tmp_path / "again")
    assert restored_seq(tmp_path / "again") == venue.state.seq
    assert restored_path(tmp_path / "again").stat().st_mode & 0o777 == 0o600
    restored_path(tmp_path / "again").write_bytes(b"{")
    with pytest.raises(BackupError, match=r"restored\.json.*restore the backup into a new folder"):
        restored_seq(tmp_path / "again")


@pytest.mark.parametrize("name", ["journal.sqlite", "witness", "backup.json"])
def test_no_link_inside_a_backup_is_followed(tmp_path: Path, venue: Timeline, name: str) -> None:
    backup(tmp_path / "data", tmp_path / "backup")
    path = tmp_path / "backup" / name
    path.rename(tmp_path / name)
    path.symlink_to(tmp_path / name)
    with pytest.raises(NotPrivate, match=f"{name} is a symbolic link"):
        restore(tmp_path / "backup", tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_backup_names_no_file_outside_of_it(tmp_path: Path, venue: Timeline) -> None:
    backup(tmp_path / "data", tmp_path / "backup")
    statement = tmp_path / "backup" / "backup.json"
    (tmp_path / "backup" / "witness" / "witness").rename(tmp_path / "witness")
    statement.write_text(statement.read_text().replace("witness/witness", "../witness"))
    with pytest.raises(BackupError, match=r"a file outside of it: \.\./witness"):
        restore(tmp_path / "backup", tmp_path / "again")
