"""Writing the read models: rows of a batch, and how far they reach, in one transaction."""

import sqlite3
from pathlib import Path
from typing import Final

from exchange.journal.errors import FilesReplaced
from exchange.journal.held import HeldFile
from exchange.runtime.feeds.candles import Bucket
from exchange.runtime.feeds.intervals import DAY_US, HOUR_US
from exchange.runtime.follower.read_models import schema
from exchange.runtime.follower.read_models.rows import OrderChange, Row, Rows

#: Candles of one second are kept this long; all others for ever.
SECONDS_KEPT_US: Final = 2 * DAY_US

_ORDER_COLUMNS: Final = 24
_NEW_ORDER: Final = f"INSERT INTO orders VALUES ({', '.join('?' * _ORDER_COLUMNS)})"
_CHANGED_ORDER: Final = """
UPDATE orders SET filled_lots = filled_lots + ?, filled_quote_atoms = filled_quote_atoms + ?,
    status = ?, expiry_reason = ?, cancel_reason = ?, ended_us = ?,
    ended_seq = ?, ended_command = ?, ended_by = ?
WHERE account = ? AND order_id = ?"""
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
            sqlite3.Error: the file can't be written.
        """
        self._path = path
        self._connection = schema.open_for_writing(path)
        self.seq, self.time_us, self.chain = self._progress()
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

    def write(self, rows: Rows, seq: int, time_us: int, chain: bytes) -> None:
        """Add the rows of the records up to `seq`, whole or not at all.

        Raises:
            sqlite3.Error: nothing was added. If the file is damaged it is deleted, for the next writer to begin anew.
            FilesReplaced: the same, as in `require_in_place`, or another program has written to it.
        """
        self.require_in_place()
        try:
            self._write(rows, seq, time_us, chain)
        except sqlite3.DatabaseError as error:
            if schema.is_damage(error):
                self.close()
                schema.delete(self._path)
            raise
        self.seq, self.time_us, self.chain = seq, time_us, chain
        self._note()

    def empty(self) -> None:
        """Throw all rows away, to be made again from the first record on."""
        schema.empty(self._connection)
        self.seq, self.time_us, self.chain = self._progress()
        self._note()

    def close(self) -> None:
        self._connection.close()

    def _write(self, rows: Rows, seq: int, time_us: int, chain: bytes) -> None:
        execute, executemany = self._connection.execute, self._connection.executemany
        execute("BEGIN IMMEDIATE")
        try:
            if self._progress() != (self.seq, self.time_us, self.chain):
                schema.delete(self._path)
                raise _written(self._path)
            executemany(_NEW_ORDER, [_new_order(c) for c in rows.orders.values() if c.placed is not None])
            executemany(_CHANGED_ORDER, [_changed_order(i, c) for i, c in rows.orders.items() if c.placed is None])
            for table, columns, added in (
                ("fills", 15, rows.fills),
                ("ledger", 15, rows.ledger),
                ("trades", 9, rows.trades),
            ):
                executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * columns)})", added)
            executemany(_CANDLE, [_candle(key, candle) for key, candle in rows.candles().items()])
            if time_us // HOUR_US > self.time_us // HOUR_US:
                self._drop_old_seconds(time_us)
            execute("UPDATE progress SET seq = ?, time_us = ?, chain = ?", (seq, time_us, chain))
            execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                execute("ROLLBACK")
            raise

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


def _written(path: Path) -> FilesReplaced:
    return FilesReplaced(f"another program has written to {path} while the exchange runs")


def _new_order(change: OrderChange) -> Row:
    assert change.placed is not None
    return (
        *change.placed,
        change.filled_lots,
        change.filled_quote_atoms,
        change.status,
        change.expiry_reason,
        change.cancel_reason,
        change.ended_us,
        change.ended_seq,
        change.ended_command,
        change.ended_by,
    )


def _changed_order(order_id: int, change: OrderChange) -> Row:
    return (
        change.filled_lots,
        change.filled_quote_atoms,
        change.status,
        change.expiry_reason,
        change.cancel_reason,
        change.ended_us,
        change.ended_seq,
        change.ended_command,
        change.ended_by,
        change.account,
        order_id,
    )


def _candle(key: tuple[str, str, int], candle: Bucket) -> Row:
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
