"""Sealed segments: old records leave the database, and are still there, checked, for every reader."""

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest

from exchange.journal import blocks, segments, writer
from exchange.journal.errors import JournalDamaged, SegmentError, UnknownFormat
from exchange.journal.layout import journal_path, segments_dir
from exchange.journal.sealing import SEGMENT_RECORDS, TAIL_RECORDS, archive, seal
from exchange.journal.store import JournalReader, open_writing
from exchange.journal.writer import SEAL_AT_RECORDS, Upkeep
from tests.journal.live import started, until
from tests.journal.records import bodies

RECORDS = 2_000


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """2,000 records, of which 1 to 1,500 are sealed in three segments and gone from the database."""
    journal = open_writing(tmp_path / "data")
    for first_seq in range(1, RECORDS + 1, 40):
        journal.append(first_seq, bodies(first_seq, 40))
    assert [s.last_seq for s in seal(tmp_path / "data", 500, 400)] == [500, 1_000, 1_500]
    upkeep = Upkeep(tmp_path / "data", journal)
    for _ in range(20):
        upkeep.turn()
    assert journal.first_seq() == 1_481  # the row that reaches beyond the last segment stays
    return tmp_path / "data"


def read(data_dir: Path, from_seq: int = 1, to_seq: int | None = None) -> list[int]:
    with JournalReader(data_dir) as reader:
        return [record.seq for record in reader.records(from_seq, to_seq)]


def test_readers_go_through_segments_and_database(data_dir: Path) -> None:
    assert read(data_dir) == list(range(1, RECORDS + 1))
    assert read(data_dir, 777, 1_777) == list(range(777, 1_778))
    with JournalReader(data_dir) as reader:
        lines = list(reader.lines())
        assert all(lines[seq - 1].endswith(b'"%b"}' % reader.chain_at(seq).hex().encode()) for seq in (1, 500, 1_481))


def test_writing_and_sealing_go_on(data_dir: Path) -> None:
    journal = open_writing(data_dir)
    journal.append(RECORDS + 1, bodies(RECORDS + 1, 1_000))
    assert [s.first_seq for s in seal(data_dir, 500, 400)] == [1_501, 2_001]
    assert seal(data_dir, 500, 400) == ()
    assert read(data_dir) == list(range(1, RECORDS + 1_001))


@pytest.mark.parametrize("kind", [segments.RECORDS, blocks.KIND])
def test_rows_stay_until_their_segment_is_there(data_dir: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """With the table its records are found by. Nor are they sealed again meanwhile."""
    journal = open_writing(data_dir)
    journal.append(RECORDS + 1, bodies(RECORDS + 1, 1_000))
    last = seal(data_dir, 500, 400)[-1]
    last.path(data_dir, kind).rename(data_dir / "elsewhere")
    monkeypatch.setattr(writer, "SYNC_INTERVAL_S", 0.0)
    monkeypatch.setattr(writer, "SEAL_AT_RECORDS", journal.last_seq - last.last_seq + 1)
    sealers: list[object] = []
    monkeypatch.setattr("subprocess.Popen", sealers.append)
    upkeep = Upkeep(data_dir, journal)
    for _ in range(50):
        upkeep.turn()
    assert journal.first_seq() == 2_001
    assert not sealers


def test_a_crash_while_sealing_leaves_every_record(data_dir: Path) -> None:
    open_writing(data_dir).append(RECORDS + 1, bodies(RECORDS + 1, 500))
    (segments_dir(data_dir) / "1501-2000.jsonl.gz.tmp").write_bytes(b"half")
    (segments_dir(data_dir) / "1501-2000.jsonl.gz").write_bytes(b"renamed, but not in the manifest")
    assert read(data_dir) == list(range(1, RECORDS + 501))
    assert [s.name for s in seal(data_dir, 500, 400)] == ["1501-2000.jsonl.gz"]
    assert read(data_dir) == list(range(1, RECORDS + 501))


def test_what_does_not_read_back_is_not_sealed(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_writing(data_dir).append(RECORDS + 1, bodies(RECORDS + 1, 500))
    unpack = blocks.unpack
    with monkeypatch.context() as patch:
        patch.setattr(blocks, "unpack", lambda *block: unpack(*block)[::-1])
        with pytest.raises(SegmentError, match="does not read back"):
            seal(data_dir, 500, 400)
    assert len(segments.manifest(data_dir)) == 3
    assert read(data_dir) == list(range(1, RECORDS + 501))


def test_segments_move_to_an_archive_and_are_read_there(data_dir: Path, tmp_path: Path) -> None:
    away = tmp_path / "archive"
    assert [s.name for s in archive(data_dir, away, 1_200)] == ["1-500.jsonl.gz", "501-1000.jsonl.gz"]
    assert sorted(path.name for path in segments_dir(data_dir).glob("*-*")) == [
        f"1001-1500.{kind}" for kind in ("blocks", "jsonl.gz", "snapshot.gz")
    ]
    assert read(data_dir) == list(range(1, RECORDS + 1))
    away.rename(tmp_path / "unmounted")
    with pytest.raises(SegmentError, match="bring it back"):
        read(data_dir)
    assert read(data_dir, 1_001) == list(range(1_001, RECORDS + 1))


def test_what_a_crash_left_of_a_segment_that_was_moved_goes_with_the_next_move(data_dir: Path, tmp_path: Path) -> None:
    away = tmp_path / "archive"
    archive(data_dir, away, 500)
    left = [Path(shutil.copy(path, segments_dir(data_dir))) for path in away.iterdir()]
    whole = (away / "1-500.blocks").read_bytes()
    (away / "1-500.blocks").write_bytes(b"cut")
    with pytest.raises(SegmentError, match="its hash differs"):
        archive(data_dir, away, 500)
    assert all(path.exists() for path in left), "the archive's may be the only whole ones no more"
    (away / "1-500.blocks").write_bytes(whole)
    assert archive(data_dir, away, 500) == ()
    assert not any(path.exists() for path in left)
    assert read(data_dir) == list(range(1, RECORDS + 1))
    archive(data_dir, segments_dir(data_dir), 500)
    assert archive(data_dir, segments_dir(data_dir), 500) == ()
    assert read(data_dir) == list(range(1, RECORDS + 1))


@pytest.mark.parametrize("keep_bytes", [0, 10, 5_000])
def test_a_cut_segment_names_the_first_lost_record(data_dir: Path, keep_bytes: int) -> None:
    path = segments_dir(data_dir) / "501-1000.jsonl.gz"
    path.write_bytes(path.read_bytes()[:keep_bytes])
    got: list[int] = []
    with JournalReader(data_dir) as reader, pytest.raises(JournalDamaged) as caught:
        got.extend(record.seq for record in reader.records())
    assert caught.value.seq == got[-1] + 1
    assert 501 <= caught.value.seq <= 1_000


def test_every_flipped_byte_of_a_segment_is_found(data_dir: Path) -> None:
    segment = segments.manifest(data_dir)[1]
    path = segment.path(data_dir)
    content = path.read_bytes()
    for at in range(0, len(content), len(content) // 40):
        path.write_bytes(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
        with pytest.raises(SegmentError, match="its hash differs"):
            segments.require_whole(segment, path.parent)
        # A flip in the header of gzip changes no record; every other one is seen.
        with contextlib.suppress(JournalDamaged):
            assert read(data_dir) == list(range(1, RECORDS + 1))


def test_a_changed_manifest_is_refused(data_dir: Path) -> None:
    path = segments.manifest_path(data_dir)
    content = path.read_text()
    for old, new, error in (
        ('"last_seq":500', '"last_seq":499', SegmentError),
        ('"hash":"', '"hash":"0', SegmentError),
        ('"format":1', '"format":7', UnknownFormat),
        ("{", "", SegmentError),
    ):
        path.write_text(content.replace(old, new, 1))
        with pytest.raises(error):
            segments.manifest(data_dir)


async def test_a_live_writer_deletes_the_rows_that_others_seal(tmp_path: Path) -> None:
    client, heard = await started(tmp_path)
    client.append(1, bodies(1, 4_000))
    await heard.until_durable(4_000)
    seal(tmp_path, 1_000, 500)
    with sqlite3.connect(journal_path(tmp_path)) as connection:
        query = "SELECT min(first_seq) FROM batches"
        await until(lambda: connection.execute(query).fetchone()[0] > 2_500)
    client.append(4_001, bodies(4_001, 10))
    await client.close()
    assert heard.failed == []
    assert read(tmp_path) == list(range(1, 4_011))


@pytest.mark.torture
async def test_a_writer_has_a_long_tail_sealed_by_itself(tmp_path: Path) -> None:
    client, heard = await started(tmp_path)
    count = SEAL_AT_RECORDS + 1_000
    for first_seq in range(1, count, 1_000):
        client.append(first_seq, bodies(first_seq, 1_000))
        await heard.until_durable(first_seq - 10_000)
    expected = (SEAL_AT_RECORDS - TAIL_RECORDS) // SEGMENT_RECORDS
    await until(lambda: len(segments.manifest(tmp_path)) >= expected, 60)
    await client.close()
    assert heard.failed == []
    assert read(tmp_path) == list(range(1, count + 1))
