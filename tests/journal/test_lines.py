"""Record lines by their seqs, wherever they lie."""

import gzip
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from exchange.journal import blocks, lines
from exchange.journal.errors import JournalDamaged, NoSuchRecord, SegmentAway, SegmentDamaged
from exchange.journal.layout import journal_path, segments_dir
from exchange.journal.lines import Lines
from exchange.journal.rows import Rows
from exchange.journal.sealing import archive, seal
from exchange.journal.segments import Segment, manifest
from exchange.journal.store import JournalReader, open_writing
from exchange.journal.writer import Upkeep
from exchange.values.times import utc_text
from tests.journal.records import TIME_US, bodies

RECORDS = 2_000
SPREAD = (1, 2, 256, 257, 499, 500, 501, 756, 757, 1_000, 1_001, 1_480, 1_481, 1_500, 1_501, 2_000)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """2,000 records in rows of 40, of which 1 to 1,500 are sealed in three segments; the first 1,480 are only there."""
    journal = open_writing(tmp_path / "data")
    for first_seq in range(1, RECORDS + 1, 40):
        journal.append(first_seq, bodies(first_seq, 40))
    seal(tmp_path / "data", 500, 400)
    drop_sealed(tmp_path / "data")
    return tmp_path / "data"


def drop_sealed(data_dir: Path) -> None:
    journal = open_writing(data_dir)
    upkeep = Upkeep(data_dir, journal)
    for _ in range(20):
        upkeep.turn()
    journal.close()


@pytest.fixture
def kept(data_dir: Path) -> dict[int, bytes]:
    with JournalReader(data_dir) as reader:
        return dict(enumerate(reader.lines(), 1))


@pytest.fixture
def reading(data_dir: Path) -> Iterator[Lines]:
    lines = Lines(data_dir)
    yield lines
    lines.close()


def test_lines_come_from_rows_and_blocks(reading: Lines, kept: dict[int, bytes]) -> None:
    for _ in range(2):  # unpacked, and once more from what is kept unpacked
        assert reading.lines(SPREAD) == [kept[seq] for seq in SPREAD]
    assert reading.lines(list(range(1, RECORDS + 1))) == list(kept.values())
    assert reading.lines([]) == []


def test_one_line_costs_one_block(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked: list[int] = []
    unpack = blocks.unpack

    def count(*arguments: object) -> list[bytes]:
        found: list[bytes] = unpack(*arguments)  # type: ignore[arg-type]
        unpacked.append(len(found))
        return found

    monkeypatch.setattr(blocks, "unpack", count)
    reading = Lines(data_dir)
    reading.lines([900])
    assert unpacked == [500 - blocks.BLOCK_RECORDS]
    reading.lines([757, 901, 1_000])
    assert len(unpacked) == 1
    reading.close()


def test_what_is_kept_unpacked_is_bounded(data_dir: Path, kept: dict[int, bytes]) -> None:
    size = sum(map(len, (kept[seq] for seq in range(1, 257))))
    reading = Lines(data_dir, cached_bytes=2 * size + 1_000)
    for seqs in (SPREAD, SPREAD[::-1], SPREAD):
        assert reading.lines(seqs) == [kept[seq] for seq in seqs]
        assert reading._held_bytes <= 2 * size + 1_000
        assert reading._held_bytes == sum(piece.line_bytes for piece in reading._pieces.values())
    reading.close()


def test_threads_share_one(data_dir: Path, kept: dict[int, bytes]) -> None:
    reading = Lines(data_dir, cached_bytes=100_000)

    def read(step: int) -> bool:
        seqs = list(range(step, RECORDS + 1, 37 + step))
        return all(reading.lines(seqs) == [kept[seq] for seq in seqs] for _ in range(5))

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(read, range(1, 13)))
    reading.close()


def test_what_is_sealed_while_it_is_read_is_found_in_its_segment(
    data_dir: Path, kept: dict[int, bytes], reading: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row goes between our learning of it and our reading it."""
    journal = open_writing(data_dir)
    journal.append(RECORDS + 1, bodies(RECORDS + 1, 500))
    journal.close()
    row = Rows.row

    def sealed_first(rows: Rows, first_seq: int) -> object:
        seal(data_dir, 500, 400)
        drop_sealed(data_dir)
        assert row(rows, first_seq) is None
        return None

    monkeypatch.setattr(Rows, "row", sealed_first)
    assert reading.lines([1_600]) == [kept[1_600]]


def test_what_is_archived_while_it_is_read_is_found_there(
    data_dir: Path, tmp_path: Path, kept: dict[int, bytes], reading: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = blocks.table

    def archived_first(segment: Segment, data_dir: Path) -> blocks.Table:
        archive(data_dir, tmp_path / "archive", 500)
        return table(segment, data_dir)

    monkeypatch.setattr(blocks, "table", archived_first)
    assert reading.lines([7]) == [kept[7]]


def test_an_archive_that_is_away_is_told_with_its_time_span(data_dir: Path, tmp_path: Path, reading: Lines) -> None:
    archive(data_dir, tmp_path / "archive", 500)
    assert len(reading.lines([7, 600])) == 2
    (tmp_path / "archive").rename(tmp_path / "unmounted")
    with pytest.raises(SegmentAway) as caught:
        reading.lines([400])
    assert caught.value.segment == "1-500.jsonl.gz"
    assert (caught.value.first_time_us, caught.value.last_time_us) == (TIME_US + 1, TIME_US + 500)
    assert utc_text(TIME_US) in str(caught.value)
    assert len(reading.lines([600])) == 1


def in_block(content: bytearray) -> None:
    content[len(content) // 4] ^= 1


def cut(content: bytearray) -> None:
    del content[len(content) // 4 :]


@pytest.mark.parametrize("damage", [in_block, cut])
def test_a_damaged_block_is_named_by_its_first_record(
    data_dir: Path, damage: Callable[[bytearray], None], reading: Lines
) -> None:
    path = segments_dir(data_dir) / "501-1000.jsonl.gz"
    content = bytearray(path.read_bytes())
    damage(content)
    path.write_bytes(content)
    with pytest.raises(JournalDamaged) as caught:
        reading.lines([501])
    assert caught.value.seq == 501


def in_table(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"757", b"758"))


@pytest.mark.parametrize("harm", [in_table, Path.unlink])
def test_a_table_that_is_lost_is_found_again_from_its_segment_and_told_of_once(
    data_dir: Path,
    reading: Lines,
    kept: dict[int, bytes],
    harm: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lines, "CACHED_TABLES", 1)
    harm(segments_dir(data_dir) / "501-1000.blocks")
    with capture_logs() as logs:
        for _ in range(3):
            assert reading.lines(SPREAD) == [kept[seq] for seq in SPREAD]
    assert [(each["event"], each["segment"]) for each in logs] == [("blocks_found_again", "501-1000.jsonl.gz")]


def test_a_table_is_found_again_as_it_was_written(data_dir: Path) -> None:
    for segment in manifest(data_dir):
        assert blocks.found_again(segment, data_dir) == blocks.table(segment, data_dir)


@pytest.mark.parametrize("damage", [in_block, cut])
def test_a_segment_whose_table_is_lost_too_is_named(
    data_dir: Path, damage: Callable[[bytearray], None], reading: Lines, kept: dict[int, bytes]
) -> None:
    path = segments_dir(data_dir) / "501-1000.jsonl.gz"
    in_table(path.with_name("501-1000.blocks"))
    content = bytearray(path.read_bytes())
    damage(content)
    path.write_bytes(content)
    with pytest.raises(SegmentDamaged) as caught:
        reading.lines([900])
    assert caught.value.segment == path.name
    assert reading.lines([500, 1_001]) == [kept[500], kept[1_001]]
    path.unlink()
    with pytest.raises(SegmentAway, match=path.name):
        reading.lines([900])


def test_a_segment_that_ends_early_is_not_taken_for_whole(data_dir: Path) -> None:
    segment = manifest(data_dir)[1]
    path, last = segment.path(data_dir), blocks.table(segment, data_dir).blocks[-1]
    path.write_bytes(path.read_bytes()[: last.offset])
    with pytest.raises(SegmentDamaged, match=f"ends before record {last.first_seq}"):
        blocks.found_again(segment, data_dir)


@pytest.mark.parametrize(
    ("old", "new"),
    [(b'{"seq":1900,', b'{"seq":1901,'), (b'{"seq":1900,', b'{"seq":190,'), (b'"chain":', b'"chaim":')],
)
def test_a_damaged_line_is_named(data_dir: Path, reading: Lines, old: bytes, new: bytes) -> None:
    with sqlite3.connect(journal_path(data_dir)) as connection:
        first_seq, kept = connection.execute(
            "SELECT first_seq, lines FROM batches WHERE 1900 BETWEEN first_seq AND last_seq"
        ).fetchone()
        start = kept.index(b'{"seq":1900,')
        changed = kept[:start] + kept[start:].replace(old, new, 1)
        connection.execute("UPDATE batches SET lines = ? WHERE first_seq = ?", (changed, first_seq))
    assert len(reading.lines([1_899])) == 1
    with pytest.raises(JournalDamaged) as caught:
        reading.lines([1_900])
    assert caught.value.seq == 1_900


def test_a_row_with_other_lines_than_it_says_is_damaged_where_it_begins(data_dir: Path, reading: Lines) -> None:
    with sqlite3.connect(journal_path(data_dir)) as connection:
        connection.execute("UPDATE batches SET lines = cast(replace(lines, x'0a', ' ') AS BLOB) WHERE first_seq = 1881")
    with pytest.raises(JournalDamaged) as caught:
        reading.lines([1_900])
    assert caught.value.seq == 1_881


@pytest.mark.parametrize("seq", [-1, 0, RECORDS + 1])
def test_there_is_no_record_where_none_was_written(reading: Lines, seq: int) -> None:
    with pytest.raises(NoSuchRecord, match="the journal ends at 2000"):
        reading.lines([seq])


def test_a_missing_row_is_damage(data_dir: Path, reading: Lines) -> None:
    with sqlite3.connect(journal_path(data_dir)) as connection:
        connection.execute("DELETE FROM batches WHERE 1900 BETWEEN first_seq AND last_seq")
    with pytest.raises(JournalDamaged) as caught:
        reading.lines([1_900])
    assert caught.value.seq == 1_900


def test_tables_kept_are_bounded(data_dir: Path, monkeypatch: pytest.MonkeyPatch, kept: dict[int, bytes]) -> None:
    monkeypatch.setattr(lines, "CACHED_TABLES", 2)
    reading = Lines(data_dir)
    for seqs in (SPREAD, SPREAD[::-1]):
        assert reading.lines(seqs) == [kept[seq] for seq in seqs]
        assert len(reading._tables) == 2
    reading.close()


def test_zcat_reads_a_segment(data_dir: Path, kept: dict[int, bytes]) -> None:
    segment = manifest(data_dir)[1]
    whole = gzip.decompress(segment.path(data_dir).read_bytes())
    assert whole.splitlines() == [kept[seq] for seq in range(501, 1_001)]
