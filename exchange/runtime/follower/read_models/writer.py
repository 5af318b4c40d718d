"""Writing the read models: what a batch of records adds, and how far they reach, in one transaction."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from exchange.journal.errors import FilesReplaced
from exchange.journal.held import HeldFile
from exchange.runtime.feeds.candles import Candle
from exchange.runtime.feeds.intervals import DAY_US, HOUR_US
from exchange.runtime.follower.read_models import schema
from exchange.runtime.follower.read_models.lists import CHUNK_BYTES, count, pack_counts, unpack_counts
from exchange.runtime.follower.read_models.rows import KEPT_BYTES, Row, Rows
from exchange.values.ids import AccountId

#: Candles of one second are kept this long; all others for ever.
SECONDS_KEPT_US: Final = 2 * DAY_US

#: Accounts whose last chunk is kept in memory between batches, the latest ones.
MAX_TAILS: Final = 10_000

_LIST: Final = "INSERT OR REPLACE INTO lists VALUES (?, ?, ?, ?)"
_CANDLE: Final = f"""
INSERT INTO candles VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    high_ticks = max(high_ticks, excluded.high_ticks),
    low_ticks = min(low_ticks, excluded.low_ticks),
    close_ticks = excluded.close_ticks,
    lots = min(lots + excluded.lots, {schema.MAX_VOLUME}),
    quote_atoms = min(quote_atoms + excluded.quote_atoms, {schema.MAX_VOLUME}),
    trades = trades + excluded.trades"""


class ReadModelWriter:
    """The one writer of the read models. `seq`, `time_us` and `chain` are those of the last record they hold."""

    def __init__(self, path: Path) -> None:
        """Open the read models at `path`, or begin them.

        Raises:
            sqlite3.Error: the file can't be written. If it is damaged it is deleted, for the next writer to begin anew.
        """
        self._path = path
        self._markets: dict[str, int] = {}
        self._assets: dict[str, int] = {}
        self._tails: dict[AccountId, _Tail] = {}
        self._connection = schema.open_for_writing(path)
        try:
            self._take_up()
        except sqlite3.DatabaseError as error:
            self._delete_damaged(error)
            raise
        self._held = [HeldFile(path.with_name(path.name + ending)) for ending in ("", "-wal", "-shm")]
        self._note()

    @property
    def file(self) -> tuple[int, int]:
        """Which file it is: device and inode."""
        return self._held[0].identity

    def require_in_place(self) -> None:
        """
        Raises:
            FilesReplaced: it is gone, another one, or written over; what bears its name is deleted, to begin anew.
        """
        try:
            found, _log, _index = (held.look() for held in self._held)
            if (found.st_mtime_ns, found.st_size) != self._as_left:
                raise _written(self._path)
        except FilesReplaced:
            schema.delete(self._path)
            raise

    def rows(self) -> Rows:
        """To gather what the next records add."""
        return Rows(self.seq, self._markets, self._assets)

    def write(self, rows: Rows, chain: bytes) -> None:
        """Add what `rows` has gathered since it was made here, whole or not at all; `chain` is its last record's value.

        Raises:
            sqlite3.Error: nothing was added. If the file is damaged it is deleted, for the next writer to begin anew.
            FilesReplaced: the same, as in `require_in_place`, or another program has written to it.
        """
        self.require_in_place()
        try:
            self._write(rows, chain)
        except BaseException as error:
            self._tails.clear()
            self._delete_damaged(error)
            raise
        self.seq, self.time_us, self.chain = rows.seq, rows.time_us, chain
        self._markets, self._assets = rows.markets, rows.assets
        while len(self._tails) > MAX_TAILS:
            del self._tails[next(iter(self._tails))]
        self._note()

    def empty(self) -> None:
        """Throw all rows away, to be made again from the first record on."""
        schema.empty(self._connection)
        self._take_up()
        self._note()

    def close(self) -> None:
        self._connection.close()

    def _write(self, rows: Rows, chain: bytes) -> None:
        execute, executemany = self._connection.execute, self._connection.executemany
        execute("BEGIN IMMEDIATE")
        try:
            if self._progress() != (self.seq, self.time_us, self.chain):
                schema.delete(self._path)
                raise _written(self._path)
            executemany("INSERT INTO markets VALUES (?, ?, ?)", rows.new_markets)
            executemany("INSERT INTO assets VALUES (?, ?)", rows.new_assets)
            self._write_kept(rows)
            executemany(
                _LIST, [chunk for account, packed in rows.lists.items() for chunk in self._grown(account, packed)]
            )
            executemany("INSERT INTO touches VALUES (?, ?, ?, ?, ?, ?)", rows.touches)
            executemany(
                "INSERT OR REPLACE INTO client_ids VALUES (?, ?, ?, ?)",
                [(*key, order_id) for key, order_id in rows.client_ids.items()],
            )
            executemany("INSERT INTO trades VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows.trades)
            executemany(_CANDLE, [_candle(key, candle) for key, candle in rows.candles().items()])
            if rows.time_us // HOUR_US > self.time_us // HOUR_US:
                self._drop_old_seconds(rows.time_us)
            execute("UPDATE progress SET seq = ?, time_us = ?, chain = ?", (rows.seq, rows.time_us, chain))
            execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                execute("ROLLBACK")
            raise

    def _delete_damaged(self, error: BaseException) -> None:
        if isinstance(error, sqlite3.DatabaseError) and schema.is_damage(error):
            self.close()
            schema.delete(self._path)

    def _write_kept(self, rows: Rows) -> None:
        """Behind the records that are there, in rows of `RECORDS_A_ROW`."""
        block, held = divmod(self.seq, schema.RECORDS_A_ROW)
        kept = bytearray()
        if held:
            kept += self._connection.execute("SELECT kept FROM records WHERE block = ?", (block,)).fetchone()[0]
        kept += rows.kept
        row_bytes = schema.RECORDS_A_ROW * KEPT_BYTES
        self._connection.executemany(
            "INSERT OR REPLACE INTO records VALUES (?, ?)",
            [(block + at // row_bytes, kept[at : at + row_bytes]) for at in range(0, len(kept), row_bytes)],
        )

    def _grown(self, account: AccountId, packed: bytearray) -> Iterator[Row]:
        """The rows of the account's chunks that change when entries are added behind them."""
        tail = self._tails.pop(account, None) or self._tail(account)
        self._tails[account] = tail  # the latest are last
        tail.entries += packed
        while len(tail.entries) > CHUNK_BYTES:
            full = tail.entries[:CHUNK_BYTES]
            yield account, tail.chunk, pack_counts(tail.before), full
            tail.chunk += 1
            tail.before += count(full)
            del tail.entries[:CHUNK_BYTES]
        yield account, tail.chunk, pack_counts(tail.before), bytes(tail.entries)

    def _tail(self, account: AccountId) -> "_Tail":
        last = self._connection.execute(
            "SELECT chunk, before, entries FROM lists WHERE account = ? ORDER BY chunk DESC LIMIT 1", (account,)
        ).fetchone()
        if last is None:
            return _Tail(0, Counter(), bytearray())
        return _Tail(last[0], Counter(unpack_counts(last[1])), bytearray(last[2]))

    def _take_up(self) -> None:
        self.seq, self.time_us, self.chain = self._progress()
        execute = self._connection.execute
        self._markets = dict(execute("SELECT symbol, number FROM markets ORDER BY number"))
        self._assets = dict(execute("SELECT symbol, number FROM assets ORDER BY number"))
        self._tails.clear()

    def _note(self) -> None:
        """What the file is like when we have written into it: nobody else may."""
        found = self._held[0].look()
        self._as_left = (found.st_mtime_ns, found.st_size)

    def _progress(self) -> tuple[int, int, bytes]:
        row: tuple[int, int, bytes] = self._connection.execute("SELECT seq, time_us, chain FROM progress").fetchone()
        return row

    def _drop_old_seconds(self, time_us: int) -> None:
        """Counted from full hours, so that what remains does not depend on how records were batched."""
        oldest_us = time_us // HOUR_US * HOUR_US - SECONDS_KEPT_US
        # Market by market, along the key.
        self._connection.execute(
            "DELETE FROM candles WHERE interval = '1s' AND start_us < ?"
            " AND market IN (SELECT DISTINCT market FROM candles WHERE interval = '1month')",
            (oldest_us,),
        )


class _Tail:
    """The last chunk of a list, and what is in those before it."""

    __slots__ = ("before", "chunk", "entries")

    def __init__(self, chunk: int, before: Counter[tuple[int, int]], entries: bytearray) -> None:
        self.chunk = chunk
        self.before = before
        self.entries = entries


def _written(path: Path) -> FilesReplaced:
    return FilesReplaced(f"another program has written to {path} while the exchange runs")


def _candle(key: tuple[str, str, int], candle: Candle) -> Row:
    return (
        *key,
        candle.open_ticks,
        candle.high_ticks,
        candle.low_ticks,
        candle.close_ticks,
        min(candle.lots, schema.MAX_VOLUME),
        min(candle.quote_atoms, schema.MAX_VOLUME),
        candle.trades,
    )
