"""The journal on disk: what was written is read back checked, and the first bad record is named."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from exchange.journal.errors import DatabaseDamaged, JournalDamaged, NoJournal, OutOfSequence, UnknownFormat
from exchange.journal.layout import journal_path
from exchange.journal.store import BATCH_RECORDS, Journal, JournalReader, open_writing
from exchange.values.record import GENESIS_CHAIN, link, seal, split
from tests.journal.records import bodies, body

RECORDS = 1_000


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A journal of 1,000 records in rows of many sizes."""
    journal = open_writing(tmp_path)
    while journal.last_seq < RECORDS:
        count = min(1 + journal.last_seq % 97 * 7, RECORDS - journal.last_seq)
        journal.append(journal.last_seq + 1, bodies(journal.last_seq + 1, count))
    return tmp_path


def test_records_come_back_in_order_from_any_place(data_dir: Path) -> None:
    with JournalReader(data_dir) as reader:
        assert reader.last()[0] == RECORDS
        for from_seq, to_seq in ((1, None), (1, 1), (2, 400), (500, 500), (999, RECORDS), (RECORDS, None)):
            seqs = [record.seq for record in reader.records(from_seq, to_seq)]
            assert seqs == list(range(from_seq, (to_seq or RECORDS) + 1))
        assert list(reader.records(RECORDS + 1)) == []
        with pytest.raises(JournalDamaged, match="the journal ends before it"):
            list(reader.records(990, RECORDS + 5))


def test_a_line_is_the_record_and_its_chain(data_dir: Path) -> None:
    with JournalReader(data_dir) as reader:
        chain = GENESIS_CHAIN
        for seq, line in enumerate(reader.lines(), 1):
            chain = link(chain, body(seq))
            assert line == seal(body(seq), chain)
            assert reader.chain_at(seq) == chain
        assert reader.last() == (RECORDS, chain)
        assert reader.genesis() == reader.chain_at(1).hex()


def test_rows_are_bounded(tmp_path: Path) -> None:
    open_writing(tmp_path).append(1, bodies(1, 2 * BATCH_RECORDS + 1))
    with sqlite3.connect(journal_path(tmp_path)) as connection:
        rows = connection.execute("SELECT last_seq - first_seq + 1, time_us FROM batches").fetchall()
    assert [count for count, _ in rows] == [BATCH_RECORDS, BATCH_RECORDS, 1]


def test_a_reader_sees_what_is_written_after_it_was_opened(data_dir: Path) -> None:
    with JournalReader(data_dir) as reader:
        open_writing(data_dir).append(RECORDS + 1, bodies(RECORDS + 1, 5))
        assert [record.seq for record in reader.records(RECORDS)] == list(range(RECORDS, RECORDS + 6))


def test_only_what_follows_is_appended(data_dir: Path) -> None:
    journal = open_writing(data_dir)
    for first_seq, wrong in (
        (RECORDS, bodies(RECORDS, 1)),
        (RECORDS + 2, bodies(RECORDS + 2, 1)),
        (RECORDS + 1, bodies(RECORDS, 2)),
        (RECORDS + 1, [body(RECORDS + 1), body(RECORDS + 3)]),
    ):
        with pytest.raises(OutOfSequence):
            journal.append(first_seq, wrong)
    journal.append(RECORDS + 1, bodies(RECORDS + 1, 1))
    with JournalReader(data_dir) as reader:
        assert len(list(reader.records())) == RECORDS + 1


def change_lines(data_dir: Path, seq: int, change: Callable[[list[bytes], int], None]) -> None:
    """Edit the row that holds record `seq`; `change` gets its lines and the record's place among them."""
    with sqlite3.connect(journal_path(data_dir)) as connection:
        query = "SELECT first_seq, lines FROM batches WHERE ? BETWEEN first_seq AND last_seq"
        first_seq, blob = connection.execute(query, (seq,)).fetchone()
        lines = blob.split(b"\n")
        change(lines, seq - first_seq)
        connection.execute("UPDATE batches SET lines = ? WHERE first_seq = ?", (b"\n".join(lines), first_seq))


def edited(lines: list[bytes], at: int) -> None:
    lines[at] = lines[at].replace(b'"SOL_USDC"', b'"SOL_USDT"')


def edited_and_sealed_again(lines: list[bytes], at: int) -> None:
    previous = split(lines[at - 1])[1]
    changed = split(lines[at])[0].replace(b'"SOL_USDC"', b'"SOL_USDT"')
    lines[at] = seal(changed, link(previous, changed))


def missing(lines: list[bytes], at: int) -> None:
    del lines[at]


def repeated(lines: list[bytes], at: int) -> None:
    lines.insert(at, lines[at - 1])


def swapped(lines: list[bytes], at: int) -> None:
    lines[at], lines[at + 1] = lines[at + 1], lines[at]


def garbled(lines: list[bytes], at: int) -> None:
    lines[at] = bytes(40)


def chain_cut(lines: list[bytes], at: int) -> None:
    lines[at] = lines[at][:-10]


@pytest.mark.parametrize("damage", [edited, missing, repeated, swapped, garbled, chain_cut])
@pytest.mark.parametrize("seq", [2, 500, 777])
def test_the_first_bad_record_is_named(data_dir: Path, damage: Callable[[list[bytes], int], None], seq: int) -> None:
    change_lines(data_dir, seq, damage)
    read: list[int] = []
    with JournalReader(data_dir) as reader, pytest.raises(JournalDamaged) as caught:
        read.extend(record.seq for record in reader.records())
    assert caught.value.seq == seq
    assert f"at seq {seq}" in str(caught.value)


def test_a_record_changed_with_its_own_chain_breaks_the_next_one(data_dir: Path) -> None:
    change_lines(data_dir, 500, edited_and_sealed_again)
    with JournalReader(data_dir) as reader, pytest.raises(JournalDamaged) as caught:
        list(reader.records())
    assert caught.value.seq == 501


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM batches WHERE 500 BETWEEN first_seq AND last_seq",
        "UPDATE batches SET last_seq = last_seq + 1 WHERE 500 BETWEEN first_seq AND last_seq",
        "UPDATE batches SET last_seq = last_seq - 1 WHERE 500 BETWEEN first_seq AND last_seq",
        "UPDATE batches SET first_seq = first_seq + 1 WHERE 500 BETWEEN first_seq AND last_seq",
        "UPDATE batches SET chain = zeroblob(32) WHERE 500 BETWEEN first_seq AND last_seq",
        "UPDATE batches SET lines = x'' WHERE 500 BETWEEN first_seq AND last_seq",
    ],
)
def test_a_damaged_row_is_named(data_dir: Path, statement: str) -> None:
    with sqlite3.connect(journal_path(data_dir)) as connection:
        query = "SELECT first_seq, last_seq FROM batches WHERE 500 BETWEEN first_seq AND last_seq"
        first_seq, last_seq = connection.execute(query).fetchone()
        connection.execute(statement)
    with JournalReader(data_dir) as reader, pytest.raises(JournalDamaged) as caught:
        list(reader.records())
    assert first_seq <= caught.value.seq <= last_seq + 1


def test_a_damaged_page_is_reported_not_skipped(data_dir: Path) -> None:
    path = journal_path(data_dir)
    Journal(sqlite3.connect(path, isolation_level=None))  # moves the write-ahead log into the file
    content = bytearray(path.read_bytes())
    for page in range(1, len(content) // 4096):
        damaged = bytearray(content)
        damaged[page * 4096 + 1_000 : page * 4096 + 1_040] = bytes(40)
        if damaged == content:
            continue
        path.write_bytes(damaged)
        try:
            with JournalReader(data_dir) as reader:
                read = list(reader.lines())
        except (JournalDamaged, DatabaseDamaged, NoJournal, UnknownFormat):
            continue
        # Bytes that nothing is kept in: all records must still be there.
        assert len(read) == RECORDS


def test_a_writer_refuses_an_end_that_does_not_agree_with_itself(data_dir: Path) -> None:
    with sqlite3.connect(journal_path(data_dir)) as connection:
        connection.execute("UPDATE batches SET chain = zeroblob(32) WHERE last_seq = ?", (RECORDS,))
    with pytest.raises(JournalDamaged, match=f"seq {RECORDS}"):
        open_writing(data_dir)


def test_a_missing_journal_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoJournal, match=r"journal\.sqlite"):
        JournalReader(tmp_path)
