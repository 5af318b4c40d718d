"""Reading the read models: history, trades and candles, as views.

Everything here is synchronous and safe to call from several threads; a file that isn't there yet
reads as empty. How far the answers reach is `seq`: who needs more waits for the follower first.
"""

import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Final

import msgspec

from exchange.journal.lines import Lines
from exchange.runtime.feeds.candles import Candle
from exchange.runtime.feeds.intervals import bucket
from exchange.runtime.follower.read_models.lists import DEPOSIT, FILL, LEGS, ORDER
from exchange.runtime.follower.read_models.pages import MAX_ROWS, Few, History
from exchange.runtime.follower.read_models.records import Records
from exchange.runtime.follower.read_models.schema import BUSY_TIMEOUT_S, VERSION, ReadModelsHarmed
from exchange.runtime.port import Page, Paged
from exchange.values.ids import AccountId, OrderId
from exchange.values.listings.views import CandleView, TradeView
from exchange.values.money.views import LedgerLine
from exchange.values.orders.views import FillView, OrderView

#: Most candles of one answer.
MAX_CANDLES: Final = 1_000
#: Most candles handed over at a start: a day of minutes, or a week of hours, and some room.
MAX_RECENT_CANDLES: Final = 2_000
#: Connections kept open between queries; more are opened while more threads ask at once.
_IDLE_CONNECTIONS: Final = 4

# Trade ids have no gaps, so an offset is a subtraction.
_TRADES: Final = """
SELECT market, trade_id, price_ticks, lots, quote_atoms, time_us, buyer_order_id, seller_order_id, buyer_is_maker
FROM trades WHERE market = ? AND trade_id <= (SELECT max(trade_id) FROM trades WHERE market = ?) - ?
ORDER BY trade_id DESC LIMIT ?"""
_CANDLES: Final = """
SELECT start_us, open_ticks, high_ticks, low_ticks, close_ticks, lots, quote_atoms, trades FROM candles
WHERE market = ? AND interval = ? AND start_us >= ? AND start_us < ?
ORDER BY start_us DESC LIMIT ?"""


class Vouched(msgspec.Struct, frozen=True):
    """What the writer of the read models says of them: which file it is (device and inode), and that it holds `seq`."""

    file: tuple[int, int]
    seq: int


class ReadModels:
    """Read-only queries over the read models at `path`. Accounts are not checked: who may ask is the caller's matter.

    `vouched` says which file its writer has in hand, and how far it is: nothing else is believed.

    Raises (every query):
        ReadModelsHarmed: what is there is not what was written, or there is nothing.
        sqlite3.Error: the file can't be read.
    """

    def __init__(self, path: Path, vouched: Callable[[], Vouched | None] | None = None) -> None:
        self._path = path
        self._vouched = vouched
        self._idle: deque[tuple[int, sqlite3.Connection]] = deque(maxlen=_IDLE_CONNECTIONS)
        self._opening = Lock()
        self._lines: Lines | None = None

    def close(self) -> None:
        while self._idle:
            self._idle.pop()[1].close()
        if self._lines is not None:
            self._lines.close()

    def seq(self) -> int:
        """The last record the read models hold; 0: none."""
        with self._reading() as connection:
            return _reached(connection)

    # --- an account's history ---

    def order(
        self,
        account: AccountId,
        market: str,
        *,
        order_id: OrderId | None = None,
        client_id: int | None = None,
        ended_after_us: int = 0,
    ) -> OrderView | None:
        """One order by id, or the latest one under a client id; one that ended before `ended_after_us` isn't found."""
        with self._history(account) as history:
            if order_id is None:
                order_id = history.under_client_id(market, client_id)
            if order_id is None:
                return None
            found = history.views.orders(history.order(market, order_id))
            for order in found:
                if order.ended_seq is None or history.records.time_us(order.ended_seq) >= ended_after_us:
                    return order
        return None

    def order_history(
        self, account: AccountId, page: Page, *, market: str | None = None, order_id: OrderId | None = None
    ) -> Paged[OrderView]:
        """Orders open and ended, in the order they were placed; times of the page are those of placing."""
        with self._history(account) as history:
            numbered = (
                history.numbered((ORDER,), "markets", market)
                if order_id is None
                else Few(history.order(market, order_id))
            )
            entries, total = history.page(numbered, page)
            return Paged(history.views.orders(entries), total, history.records.reached)

    def fills(
        self, account: AccountId, page: Page, *, market: str | None = None, order_id: OrderId | None = None
    ) -> Paged[FillView]:
        with self._history(account) as history:
            numbered = (
                history.numbered((FILL,), "markets", market) if order_id is None else history.fills_of(market, order_id)
            )
            entries, total = history.page(numbered, page)
            return Paged(history.views.fills(entries), total, history.records.reached)

    def ledger(self, account: AccountId, page: Page, *, asset: str | None = None) -> Paged[LedgerLine]:
        with self._history(account) as history:
            entries, total = history.page(history.numbered(LEGS, "assets", asset), page)
            return Paged(history.views.ledger(entries), total, history.records.reached)

    def deposits(self, account: AccountId, page: Page) -> Paged[LedgerLine]:
        """The postings that credited what came from outside."""
        with self._history(account) as history:
            entries, total = history.page(history.numbered((DEPOSIT,), "assets", None), page)
            return Paged(history.views.ledger(entries), total, history.records.reached)

    # --- a market's history ---

    def trades(self, market: str, limit: int, offset: int = 0) -> tuple[TradeView, ...]:
        """Newest first, at most `MAX_ROWS`."""
        with self._reading() as connection:
            found = connection.execute(_TRADES, (market, market, max(offset, 0), min(max(limit, 0), MAX_ROWS)))
            named = (dict(zip(TradeView.__struct_fields__, row, strict=True)) for row in found)
            return tuple(msgspec.convert(trade, TradeView, strict=False) for trade in named)

    def candles(self, market: str, interval: str, start_us: int, end_us: int, now_us: int) -> tuple[CandleView, ...]:
        """Candles that begin in `start_us` to `end_us` (exclusive) and not after `now_us`, oldest first.

        Buckets without trades are there too, with prices None. At most `MAX_CANDLES`, the earliest ones.

        Raises:
            KeyError: no such interval.
        """
        if start_us > now_us:  # and perhaps beyond what a calendar holds
            return ()
        buckets: dict[int, Candle] = {}
        first_us, next_us = bucket(interval, max(start_us, 0))
        at_us = first_us if first_us >= start_us else next_us
        while at_us < end_us and at_us <= now_us and len(buckets) < MAX_CANDLES:
            made = buckets[at_us] = Candle(*bucket(interval, at_us))
            at_us = made.end_us
        if buckets:
            with self._reading() as connection:
                traded_in = _candles(connection, market, interval, min(buckets), at_us)
            for traded in traded_in:
                buckets[traded.start_us] = traded
        return tuple(each.view(market, interval, closed=each.end_us <= now_us) for each in buckets.values())

    def recent_candles(self, market: str, interval: str, from_us: int, now_us: int) -> tuple[CandleView, ...]:
        """The candles with trades that begin in `from_us` to `now_us`, oldest first, for one that carries them on live.

        At most `MAX_RECENT_CANDLES`, the latest ones.
        """
        with self._reading() as connection:
            return _recent_candles(connection, market, interval, from_us, now_us)

    def past(
        self, markets: Iterable[str], from_us: Mapping[str, int], now_us: int
    ) -> tuple[int, dict[tuple[str, str], tuple[CandleView, ...]]]:
        """The seq reached, and by market and interval the recent candles at that seq, from the interval's `from_us`."""
        with self._reading() as connection:
            return _reached(connection), {
                (market, interval): _recent_candles(connection, market, interval, first_us, now_us)
                for market in markets
                for interval, first_us in from_us.items()
            }

    # --- how ---

    @contextmanager
    def _history(self, account: AccountId) -> Iterator[History]:
        """What there is of an account, as of one moment."""
        with self._reading() as connection:
            yield History(connection, Records(connection, self._journal, _reached(connection)), account)

    def _journal(self) -> Lines:
        with self._opening:
            if self._lines is None:
                self._lines = Lines(self._path.parent)
            return self._lines

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one moment. Raises ReadModelsHarmed."""
        vouched = self._vouched() if self._vouched is not None else None
        if self._vouched is not None and vouched is None:
            raise ReadModelsHarmed("nobody vouches for the read models")
        try:
            found = self._path.stat()
        except OSError as error:
            raise ReadModelsHarmed(f"{self._path.name} is gone: {error.strerror}") from error
        if vouched is not None and vouched.file != (found.st_dev, found.st_ino):
            raise ReadModelsHarmed(f"{self._path.name} is not the file that was written")
        connection = self._connection(found.st_ino)
        try:
            connection.execute("BEGIN")
            if connection.execute("PRAGMA user_version").fetchone() != (VERSION,):
                raise ReadModelsHarmed(f"{self._path.name} is no file of ours")
            if vouched is not None and _reached(connection) < vouched.seq:
                raise ReadModelsHarmed(f"{self._path.name} does not hold record {vouched.seq}, which it held")
            yield connection
        except BaseException:
            connection.close()
            raise
        connection.execute("COMMIT")
        if len(self._idle) < _IDLE_CONNECTIONS:
            self._idle.append((found.st_ino, connection))
        else:
            connection.close()

    def _connection(self, inode: int) -> sqlite3.Connection:
        """An idle connection to the file that is there now, or a new one."""
        while self._idle:
            try:
                of_inode, connection = self._idle.pop()
            except IndexError:  # another thread took the last one
                break
            if of_inode == inode:
                return connection
            connection.close()
        # "rw" creates nothing, and unlike "ro" it can read what a writer that is gone left in the log.
        return sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )


def _reached(connection: sqlite3.Connection) -> int:
    """Raises ReadModelsHarmed."""
    there = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'progress'").fetchone()
    row = connection.execute("SELECT seq FROM progress").fetchone() if there else None
    if row is None:
        raise ReadModelsHarmed("they don't say which record they hold")
    return int(row[0])


def _recent_candles(
    connection: sqlite3.Connection, market: str, interval: str, from_us: int, now_us: int
) -> tuple[CandleView, ...]:
    traded = _candles(connection, market, interval, from_us, now_us + 1)
    return tuple(each.view(market, interval, closed=each.end_us <= now_us) for each in traded)


def _candles(connection: sqlite3.Connection, market: str, interval: str, start_us: int, end_us: int) -> list[Candle]:
    buckets = []
    rows = connection.execute(_CANDLES, (market, interval, start_us, end_us, MAX_RECENT_CANDLES)).fetchall()
    for at_us, *traded in reversed(rows):
        made = Candle(*bucket(interval, at_us))
        made.open_ticks, made.high_ticks, made.low_ticks, made.close_ticks = traded[:4]
        made.lots, made.quote_atoms, made.trades = traded[4:]
        buckets.append(made)
    return buckets
