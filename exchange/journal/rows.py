"""The journal's database as it is read: rows of records as kept, unchecked. Holds no transaction between calls."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec

from exchange.journal.chain import Batch
from exchange.journal.errors import DatabaseDamaged, JournalDamaged, JournalError, NoJournal, UnknownFormat
from exchange.journal.privacy import prepare_database, refuse_links
from exchange.values.record import GENESIS_CHAIN, head

FORMAT: Final = 1
#: Rows a reader takes at a time: it never holds a read transaction while its caller thinks.
_READ_ROWS: Final = 16
#: How long a reader waits for the database.
_BUSY_MS: Final = 5_000
SELECT_META: Final = "SELECT key, value FROM meta"
_SELECT_BATCH: Final = "SELECT first_seq, last_seq, lines, chain FROM batches"
#: The record of a start has these bytes; a text that somebody wrote has its quotes escaped.
_STARTS: Final = b'"command":{"type":"StartProcess"'


def check_format(meta: Iterable[Any]) -> None:
    """Of the pairs in the table `meta`. Raises UnknownFormat."""
    said = dict(meta)
    if said.get("format") != str(FORMAT):
        raise UnknownFormat(Path("journal.sqlite"), said.get("format"), FORMAT, said.get("build", ""))


def is_damaged(error: Exception) -> bool:
    """Whether an error says that a database's file is not what SQLite wrote, rather than busy or out of reach."""
    # The module's own errors have no code.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class Rows:
    """A connection that only reads. What can't be read raises JournalDamaged, with the seq that was asked for."""

    def __init__(self, path: Path, *, shared: bool = False) -> None:
        """`shared`: threads take turns at it. Raises NoJournal, UnknownFormat, DatabaseDamaged, JournalError."""
        if not path.exists():
            raise NoJournal(f"there is no {path.name} in {path.parent}")
        refuse_links(path)
        self._path = path
        try:
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=not shared
            )
        except sqlite3.DatabaseError as error:
            raise JournalError(f"{path} can't be opened: {error}") from error
        try:
            self._connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
            if not self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchall():
                raise NoJournal(f"the journal in {path.parent} has no first record: the venue was not founded")
            check_format(self._connection.execute(SELECT_META).fetchall())
        except sqlite3.DatabaseError as error:
            self.close()
            raise self._unreadable(error) from error
        except JournalError:
            self.close()
            raise

    def close(self) -> None:
        self._connection.close()

    def meta(self) -> dict[str, str]:
        """What the journal says of itself."""
        return dict(self._query(SELECT_META, (), 1))

    def last(self) -> tuple[int, bytes]:
        """The last durable seq and its chain value; (0, GENESIS_CHAIN) if there is none."""
        rows = self._query("SELECT last_seq, chain FROM batches ORDER BY first_seq DESC LIMIT 1", (), 1)
        return rows[0] if rows else (0, GENESIS_CHAIN)

    def first_seq(self) -> int:
        """The lowest seq in the database; 1 if there is none."""
        return self._query("SELECT min(first_seq) FROM batches", (), 1)[0][0] or 1

    def following(self, seq: int) -> list[Batch]:
        """The row with record `seq`, or the next there is, and some of those after it."""
        try:
            return self.some(seq, _READ_ROWS)
        except JournalDamaged:
            return self.some(seq, 1)  # what can be read before the damage is read, to name its place

    def some(self, seq: int, limit: int) -> list[Batch]:
        """The same, at most `limit`."""
        found = self._query(
            f"{_SELECT_BATCH} WHERE first_seq >= coalesce((SELECT max(first_seq) FROM batches WHERE first_seq <= ?), 0)"
            " AND last_seq >= ? ORDER BY first_seq LIMIT ?",
            (seq, seq, limit),
            seq,
        )
        return [Batch(*row) for row in found]

    def starting(self, seq: int) -> int | None:
        """The first seq of the row that holds record `seq`; None if none does."""
        rows = self._query(
            "SELECT first_seq, last_seq FROM batches WHERE first_seq <= ? ORDER BY first_seq DESC LIMIT 1", (seq,), seq
        )
        return rows[0][0] if rows and seq <= rows[0][1] else None

    def row(self, first_seq: int) -> Batch | None:
        """The row that begins with a record; None if it went meanwhile."""
        rows = self._query(f"{_SELECT_BATCH} WHERE first_seq = ?", (first_seq,), first_seq)
        return Batch(*rows[0]) if rows else None

    def last_before_gap(self, seq: int) -> int | None:
        """Where the records from `seq` on first break off, if they do."""
        rows = self._query(
            "SELECT max(before) FROM (SELECT first_seq, lag(last_seq) OVER (ORDER BY first_seq) AS before FROM batches)"
            " WHERE before >= ? AND first_seq > before + 1 GROUP BY before ORDER BY before LIMIT 1",
            (seq,),
            seq,
        )
        return int(rows[0][0]) if rows else None

    def build_at(self, seq: int) -> str:
        """The build that ran at a record, if the database still holds its start; else "". Decodes nothing newer."""
        rows = self._query(
            "SELECT lines FROM batches WHERE first_seq <= ? AND instr(lines, ?) ORDER BY first_seq DESC LIMIT 2",
            (seq, _STARTS),
            seq,
        )
        for (lines,) in rows:
            for line in reversed(lines.split(b"\n")):
                if _STARTS in line and head(line).seq <= seq:
                    return str(msgspec.json.decode(line)["command"].get("build", ""))
        return ""

    def copy_to(self, path: Path) -> None:
        """Copy the database as of one moment into a new file, without a log beside it; the writer goes on.

        Raises:
            DatabaseDamaged, sqlite3.Error
        """
        prepare_database(path)
        with closing(sqlite3.connect(path)) as copy:
            try:
                self._connection.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE")
            except sqlite3.DatabaseError as error:
                if is_damaged(error):
                    raise DatabaseDamaged(self._path, error) from error
                raise

    def _query(self, sql: str, parameters: tuple[Any, ...], seq: int) -> list[Any]:
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except sqlite3.DatabaseError as error:
            raise JournalDamaged(seq, str(self._unreadable(error))) from error

    def _unreadable(self, error: sqlite3.DatabaseError) -> JournalError:
        if is_damaged(error):
            return DatabaseDamaged(self._path, error)
        return JournalError(f"{self._path} can't be read: {error}")
