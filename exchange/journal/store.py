"""The records on disk: an SQLite file with one row per commit batch.

A row holds up to `BATCH_RECORDS` records as JSON lines, each line sealed with its own chain value,
so that any SQLite program can read them and a damaged record is told from its neighbours. Older
rows may have moved to sealed segments (`segments`); a reader goes through both. The table `meta` says the format, and
which build made it so; a key of a newer build in it is passed over.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from exchange.journal import blocks, segments
from exchange.journal.chain import Batch, CheckedBatch, Loss, begins_behind_loss, loss_before, read_batch
from exchange.journal.errors import JournalDamaged, JournalError, OutOfSequence, SegmentError, UnknownRecord
from exchange.journal.formats import release
from exchange.journal.layout import journal_path, sync_dir
from exchange.journal.privacy import make_folder, prepare_database
from exchange.journal.rows import FORMAT, SELECT_META, Rows, check_format
from exchange.values.record import GENESIS_CHAIN, Record, RecordError, head, link, seal, split

#: Most records in one row.
BATCH_RECORDS: Final = 256
#: How long the writer waits at its start for readers to let go of the write-ahead log.
_BUSY_MS: Final = 5_000

_SCHEMA: Final = (
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
    "CREATE TABLE batches(first_seq INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL, lines BLOB NOT NULL,"
    " chain BLOB NOT NULL, time_us INTEGER NOT NULL) STRICT",
)
_INSERT: Final = "INSERT INTO batches(first_seq, last_seq, lines, chain, time_us) VALUES (?, ?, ?, ?, ?)"


class Connection(Protocol):
    """What the store asks of an SQLite connection in autocommit mode."""

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Iterable[Any]: ...

    def close(self) -> None: ...


class Journal:
    """The writing side; there is one at a time, and it holds the journal's lock (`writer`)."""

    def __init__(self, connection: Connection) -> None:
        """Open a journal, or make a new one in an empty database.

        All that a writer before us left in the write-ahead log goes into the database file, and is
        synced, before anything is added: after a failed fsync the log may read back whole from memory
        though it never reached the disk.

        Raises:
            UnknownFormat, JournalDamaged, JournalError: readers keep the log from being emptied.
        """
        self._connection = connection
        self._all(f"PRAGMA busy_timeout = {_BUSY_MS}")
        if self._all("PRAGMA journal_mode = WAL") != [("wal",)]:
            raise JournalError("this file system can't hold the journal: it does not support SQLite's write-ahead log")
        self._all("PRAGMA synchronous = FULL")
        self._all("PRAGMA wal_autocheckpoint = 0")  # the writer moves the log itself, after its acknowledgement
        if not self._all("SELECT 1 FROM sqlite_master WHERE name = 'meta'"):
            self._create()
        check_format(self._all(SELECT_META))
        if self._all("PRAGMA wal_checkpoint(TRUNCATE)")[0][0]:
            raise JournalError("other programs keep the journal's write-ahead log busy; end them and start again")
        genesis = self._all("SELECT value FROM meta WHERE key = 'genesis'")
        self.genesis: str = genesis[0][0] if genesis else ""
        self.last_seq = 0
        self.last_chain = GENESIS_CHAIN
        self._restore_end()

    def close(self) -> None:
        self._connection.close()

    def append(self, first_seq: int, bodies: Sequence[bytes]) -> None:
        """Seal records and make them durable, in one transaction with one sync, or fail and change nothing.

        `bodies` are encoded records without their chain, seq `first_seq` and on; moves `last_seq` and `last_chain`.

        Raises:
            OutOfSequence: they do not begin at `last_seq` + 1, or don't hold the seqs they are said to hold.
            Exception: whatever the connection raises; the journal must not be used after it.
        """
        if first_seq != self.last_seq + 1 and not self._goes_on_behind_loss(first_seq, bodies[0]):
            raise OutOfSequence(f"a batch begins at seq {first_seq}, but the journal ends at seq {self.last_seq}")
        chain, rows = self.last_chain, []
        for start in range(0, len(bodies), BATCH_RECORDS):
            lines = []
            for body in bodies[start : start + BATCH_RECORDS]:
                chain = link(chain, body)
                lines.append(seal(body, chain))
            first, last = head(lines[0]), head(lines[-1])
            if (first.seq, last.seq) != (first_seq + start, first_seq + start + len(lines) - 1):
                raise OutOfSequence(f"the batch at seq {first_seq + start} holds seqs {first.seq} to {last.seq}")
            rows.append((first.seq, last.seq, b"\n".join(lines), chain, last.time_us))
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        for row in rows:
            execute(_INSERT, row)
        if not self.genesis:
            self.genesis = split(bytes(rows[0][2]).partition(b"\n")[0])[1].hex()
            execute("INSERT INTO meta(key, value) VALUES ('genesis', ?)", (self.genesis,))
        execute("COMMIT")
        self.last_seq, self.last_chain = rows[-1][1], chain

    def _goes_on_behind_loss(self, first_seq: int, body: bytes) -> bool:
        loss = loss_before(body)
        return loss is not None and (loss.from_seq, loss.to_seq) == (self.last_seq + 1, first_seq - 1)

    def checkpoint(self) -> None:
        """Move what is in the write-ahead log into the database file, as far as readers let us."""
        self._all("PRAGMA wal_checkpoint(PASSIVE)")

    def rescue(self) -> None:
        """Move all that is in the write-ahead log into the database file, waiting for readers: its name is gone."""
        self._all("PRAGMA wal_checkpoint(FULL)")

    def first_seq(self) -> int:
        """The lowest seq still in the database; `last_seq` + 1 if all are in segments."""
        (first,) = self._all("SELECT min(first_seq) FROM batches")[0]
        return first if first is not None else self.last_seq + 1

    def drop_sealed(self, up_to_seq: int, rows: int) -> None:
        """Delete up to `rows` of the oldest rows that end at or before `up_to_seq`, never the last row of all."""
        self._connection.execute(
            "DELETE FROM batches WHERE first_seq IN (SELECT first_seq FROM batches"
            " WHERE last_seq <= ? AND last_seq < ? ORDER BY first_seq LIMIT ?)",
            (up_to_seq, self.last_seq, rows),
        )

    def _create(self) -> None:
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA:
            execute(statement)
        execute("INSERT INTO meta(key, value) VALUES ('format', ?), ('build', ?)", (str(FORMAT), release()))
        execute("COMMIT")

    def _restore_end(self) -> None:
        """Read where the journal ends, and hold the last row against its own record."""
        rows = self._all("SELECT last_seq, chain, lines FROM batches ORDER BY first_seq DESC LIMIT 1")
        if not rows:
            return
        self.last_seq, self.last_chain, lines = rows[0]
        if not lines.endswith(b',"chain":"%b"}' % self.last_chain.hex().encode()):
            raise JournalDamaged(self.last_seq, "the last row and its last record have different chain values")

    def _all(self, sql: str) -> list[Any]:
        return list(self._connection.execute(sql))


def open_writing(data_dir: Path) -> Journal:
    """Open the journal of a data folder for its one writer, making both if they are not there."""
    path = journal_path(data_dir)
    make_folder(data_dir)
    prepare_database(path)
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        journal = Journal(connection)
    except BaseException:
        connection.close()
        raise
    sync_dir(data_dir)
    return journal


class JournalReader:
    """Reads a journal, beside a live writer too; holds no transaction between calls.

    Not to be shared between threads, but for those that take turns.
    """

    def __init__(self, data_dir: Path, *, shared: bool = False) -> None:
        """`shared`: its caller has threads take turns at it. Raises NoJournal, UnknownFormat, DatabaseDamaged."""
        self._data_dir = data_dir
        self.rows = Rows(journal_path(data_dir), shared=shared)

    def close(self) -> None:
        self.rows.close()

    def __enter__(self) -> "JournalReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def genesis(self) -> str:
        """The journal's identity: the chain value of record 1 in hex; "" before there is one."""
        return self.rows.meta().get("genesis", "")

    def last(self) -> tuple[int, bytes]:
        """The last durable seq and its chain value; (0, GENESIS_CHAIN) if there is none."""
        return self.rows.last()

    def chain_at(self, seq: int) -> bytes:
        """The chain value kept with record `seq` (GENESIS_CHAIN for 0), not checked against anything.

        Raises:
            JournalDamaged: it is not there, or can't be read. SegmentError: its segment is away.
        """
        if seq == 0:
            return GENESIS_CHAIN
        for segment in segments.manifest(self._data_dir):
            if segment.last_seq == seq:
                return bytes.fromhex(segment.sealed.chain)
        for batch in self._batches(seq):
            return batch.chain_at(seq)
        raise JournalDamaged(seq, "the record is missing")

    def require_sealed(self) -> None:
        """To be asked before records are relied on: is what has left the database in sealed segments?

        Raises:
            SegmentError: their manifest is missing, cut off or damaged. JournalDamaged, UnknownFormat
        """
        # In this order: rows leave the database only for segments that stand in the manifest.
        first_seq = self.rows.first_seq()
        before = self.before(first_seq)
        sealed = segments.manifest(self._data_dir)
        if before > (sealed[-1].last_seq if sealed else 0):
            ends = f"ends at record {sealed[-1].last_seq}" if sealed else "is missing"
            raise SegmentError(
                f"{segments.manifest_path(self._data_dir)}, the manifest of segments, {ends}, and records up to"
                f" {before} are in the database no more: {segments.BRING_BACK}"
            )

    def next_seq(self, seq: int) -> int:
        """The seq of the record that follows, or will: `seq` + 1, except before a declared loss.

        Raises:
            JournalDamaged
        """
        loss = self.loss_at(seq + 1)
        return loss.to_seq + 1 if loss is not None else seq + 1

    def before(self, seq: int) -> int:
        """The last record before `seq`: not always `seq` - 1, where records were lost. Raises JournalDamaged."""
        loss = (self.loss_at(seq) or self.loss_at(seq - 1)) if seq > 1 else None
        return loss.from_seq - 1 if loss is not None else seq - 1

    def last_before_loss(self, seq: int) -> int | None:
        """Where the records from `seq` on first break off for a declared loss, if they do; of those in the database.

        Raises:
            JournalDamaged
        """
        return self.rows.last_before_gap(seq)

    def loss_at(self, seq: int) -> Loss | None:
        """The declared loss that `seq` lies in, if it does.

        Raises:
            JournalDamaged. SegmentError: the record that declares it is in a segment that is away.
        """
        rows = self.rows.some(seq, 1)
        if rows and rows[0].first_seq <= seq:
            return None
        try:
            for first_line in (*(row.lines.partition(b"\n")[0] for row in rows), *self._sealed_behind_gap(seq)):
                loss = loss_before(first_line)
                if loss is not None and loss.from_seq <= seq <= loss.to_seq:
                    return loss
        except RecordError as error:
            raise JournalDamaged(seq, f"the record behind it can't be read: {error}") from error
        return None

    def _sealed_behind_gap(self, seq: int) -> Iterator[bytes]:
        """The first line of the segment behind the gap between segments that `seq` lies in, if it does."""
        for segment in segments.manifest(self._data_dir):
            if seq <= segment.last_seq:
                if seq < segment.first_seq:
                    yield next(blocks.batches(self._data_dir, seq)).lines.partition(b"\n")[0]
                return

    def records(self, from_seq: int = 1, to_seq: int | None = None, chain: bytes | None = None) -> Iterator[Record]:
        """Records `from_seq` to `to_seq` (None: to the end as it is when we get there), each checked against the chain.

        `chain` is the trusted value of the record before `from_seq`; without it the kept one is believed. A declared
        loss is stepped over wherever the span begins or ends: in it, or right behind it.

        Raises:
            JournalDamaged: names the first record that is missing, changed, reordered, repeated or unreadable.
            UnknownRecord: a newer build wrote it.
        """
        for batch in self.checked_batches(from_seq, to_seq, chain):
            yield from batch.records

    def lines(self, from_seq: int = 1, to_seq: int | None = None, chain: bytes | None = None) -> Iterator[bytes]:
        """The same as kept: JSON lines with their chain."""
        for batch in self.checked_batches(from_seq, to_seq, chain):
            yield from batch.lines

    def checked_batches(
        self, from_seq: int, to_seq: int | None = None, chain: bytes | None = None
    ) -> Iterator[CheckedBatch]:
        """The same in the pieces they are read in; the fastest way through many records."""
        if to_seq is not None and from_seq > to_seq:
            return
        expected = from_seq if chain is not None else self.before(from_seq) + 1
        chain = self.chain_at(expected - 1) if chain is None else chain
        for batch in self._batches(expected):
            if to_seq is not None and batch.first_seq > to_seq and begins_behind_loss(batch, expected):
                return
            try:
                checked = read_batch(batch, expected, chain, to_seq)
            except UnknownRecord as error:
                raise error.by(self.rows.build_at(error.seq)) from error
            if checked.lines:
                yield checked
                expected, chain = checked.records[-1].seq + 1, checked.chain
            if to_seq is not None and expected > to_seq:
                return
        if to_seq is not None and expected <= to_seq:
            raise JournalDamaged(expected, "the record is missing: the journal ends before it")

    def copy_to(self, path: Path) -> None:
        """Copy the database as of one moment into a new file, without a log beside it; the writer goes on.

        Raises:
            DatabaseDamaged, sqlite3.Error
        """
        self.rows.copy_to(path)

    def _batches(self, from_seq: int) -> Iterator[Batch]:
        """Raw batches from the one with `from_seq` to the end: from the database, or segments where they left it."""
        expected = from_seq
        while True:
            rows = self.rows.following(expected)
            if not rows and self.last()[0] < expected:
                return
            if rows and (rows[0].first_seq <= expected or begins_behind_loss(rows[0], expected)):
                for row in rows:
                    yield row
                    expected = row.last_seq + 1
            else:
                for batch in blocks.batches(self._data_dir, expected):
                    yield batch
                    expected = batch.last_seq + 1
