"""Reading the read models: history, trades and candles, as views.

Everything here is synchronous and safe to call from several threads; a file that isn't there yet
reads as empty. How far the answers reach is `seq`: who needs more waits for the follower first.
"""

import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from exchange.runtime.feeds.candles import Bucket
from exchange.runtime.feeds.intervals import bucket
from exchange.runtime.follower.read_models.schema import BUSY_TIMEOUT_S, DEPOSITS, VERSION
from exchange.runtime.port import Page, Paged
from exchange.values.base import View
from exchange.values.ids import AccountId, OrderId
from exchange.values.listings.views import CandleView, TradeView
from exchange.values.money.views import LedgerLine
from exchange.values.orders.views import FillView, OrderView

#: Most rows of one page, whatever it asks for.
MAX_ROWS: Final = 1_000
#: Rows by which a page goes on to the end of its last millisecond; a record makes no more for one account.
MAX_MS_ROWS: Final = MAX_ROWS
#: Most candles of one answer.
MAX_CANDLES: Final = 1_000
#: Most candles handed over at a start: a day of minutes, or a week of hours, and some room.
MAX_RECENT_CANDLES: Final = 2_000
#: Connections kept open between queries; more are opened while more threads ask at once.
_IDLE_CONNECTIONS: Final = 4

# Without statistics SQLite prefers the key, and would walk through all of an account.
_ORDERS_BY_CLIENT_ID: Final = "orders INDEXED BY orders_by_client_id"
_FILLS_BY_ORDER: Final = "fills INDEXED BY fills_by_order"
_DEPOSITS: Final = "ledger INDEXED BY deposits"
_CANDLES: Final = """
SELECT start_us, open_ticks, high_ticks, low_ticks, close_ticks, lots, quote_atoms, trades FROM candles
WHERE market = ? AND interval = ? AND start_us >= ? AND start_us < ?
ORDER BY start_us DESC LIMIT ?"""

AnyView = TypeVar("AnyView", bound=View)


class ReadModelsHarmed(sqlite3.OperationalError):
    """The file of read models is missing, or isn't the one that was written: no answer may be made of it."""


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

    def close(self) -> None:
        while self._idle:
            self._idle.pop()[1].close()

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
        where = _Where(account=account, market=market, order_id=order_id, client_id=client_id)
        where.add("coalesce(ended_us, ?) >= ?", ended_after_us, ended_after_us)
        table = "orders" if client_id is None else _ORDERS_BY_CLIENT_ID
        return next(iter(self._rows(OrderView, table, where, "order_id DESC", 1)), None)

    def order_history(
        self, account: AccountId, page: Page, *, market: str | None = None, order_id: OrderId | None = None
    ) -> Paged[OrderView]:
        """Orders open and ended, in the order they were placed; times of the page are those of placing."""
        where = _Where(account=account, market=market, order_id=order_id)
        return self._page(OrderView, "orders", where, page, "created_us", ("order_id",))

    def fills(
        self, account: AccountId, page: Page, *, market: str | None = None, order_id: OrderId | None = None
    ) -> Paged[FillView]:
        where = _Where(account=account, market=market, order_id=order_id)
        table = "fills" if order_id is None else _FILLS_BY_ORDER
        return self._page(FillView, table, where, page, "time_us", ("seq", '"index"'))

    def ledger(self, account: AccountId, page: Page, *, asset: str | None = None) -> Paged[LedgerLine]:
        where = _Where(account=account, asset=asset)
        return self._page(LedgerLine, "ledger", where, page, "time_us", ("seq", '"index"'))

    def deposits(self, account: AccountId, page: Page) -> Paged[LedgerLine]:
        """The postings that credited what came from outside."""
        where = _Where(account=account)
        where.add(DEPOSITS)
        return self._page(LedgerLine, _DEPOSITS, where, page, "time_us", ("seq", '"index"'))

    # --- a market's history ---

    def trades(self, market: str, limit: int, offset: int = 0) -> tuple[TradeView, ...]:
        """Newest first, at most `MAX_ROWS`."""
        where = _Where(market=market)
        # Trade ids have no gaps, so an offset is a subtraction.
        where.add("trade_id <= (SELECT max(trade_id) FROM trades WHERE market = ?) - ?", market, max(offset, 0))
        return self._rows(TradeView, "trades", where, "trade_id DESC", limit)

    def candles(self, market: str, interval: str, start_us: int, end_us: int, now_us: int) -> tuple[CandleView, ...]:
        """Candles that begin in `start_us` to `end_us` (exclusive) and not after `now_us`, oldest first.

        Buckets without trades are there too, with prices None. At most `MAX_CANDLES`, the earliest ones.

        Raises:
            KeyError: no such interval.
        """
        if start_us > now_us:  # and perhaps beyond what a calendar holds
            return ()
        buckets: dict[int, Bucket] = {}
        first_us, next_us = bucket(interval, max(start_us, 0))
        at_us = first_us if first_us >= start_us else next_us
        while at_us < end_us and at_us <= now_us and len(buckets) < MAX_CANDLES:
            made = buckets[at_us] = Bucket(*bucket(interval, at_us))
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

    def _page(
        self, view: type[AnyView], table: str, where: "_Where", page: Page, time: str, key: tuple[str, ...]
    ) -> Paged[AnyView]:
        """One page and the number of rows in all, as of one moment."""
        if page.from_us is not None:
            where.add(f"{time} >= ?", page.from_us)
        if page.to_us is not None:
            where.add(f"{time} < ?", page.to_us)
        order = ", ".join(f"{column} {'ASC' if page.ascending else 'DESC'}" for column in key)
        with self._reading() as connection:
            (total,) = connection.execute(f"SELECT count(*) FROM {table}{where.sql}", where.values).fetchone()
            rows = _select(connection, view, table, where, order, page.limit, page.offset)
            if page.whole_ms and page.ascending and len(rows) == page.limit:
                where.add(f"{time} < ?", (getattr(rows[-1], time) // 1_000 + 1) * 1_000)
                rows += _select(connection, view, table, where, order, MAX_MS_ROWS, page.offset + page.limit)
            return Paged(rows, total)

    def _rows(self, view: type[AnyView], table: str, where: "_Where", order: str, limit: int) -> tuple[AnyView, ...]:
        with self._reading() as connection:
            return _select(connection, view, table, where, order, limit)

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


def _candles(connection: sqlite3.Connection, market: str, interval: str, start_us: int, end_us: int) -> list[Bucket]:
    buckets = []
    rows = connection.execute(_CANDLES, (market, interval, start_us, end_us, MAX_RECENT_CANDLES)).fetchall()
    for at_us, *traded in reversed(rows):
        made = Bucket(*bucket(interval, at_us))
        made.open_ticks, made.high_ticks, made.low_ticks, made.close_ticks = traded[:4]
        made.lots, made.quote_atoms, made.trades = traded[4:]
        buckets.append(made)
    return buckets


class _Where:
    """A WHERE clause and its values."""

    def __init__(self, **equal: object) -> None:
        """Columns that must equal a value; those that are None don't matter."""
        self._terms: list[str] = []
        self.values: list[object] = []
        for column, value in equal.items():
            if value is not None:
                self.add(f"{column} = ?", value)

    def add(self, term: str, *values: object) -> None:
        self._terms.append(term)
        self.values += values

    @property
    def sql(self) -> str:
        return " WHERE " + " AND ".join(self._terms)


def _select(
    connection: sqlite3.Connection,
    view: type[AnyView],
    table: str,
    where: _Where,
    order: str,
    limit: int,
    offset: int = 0,
) -> tuple[AnyView, ...]:
    """Rows as views: the columns have the names of the view's fields."""
    fields = view.__struct_fields__
    columns = ", ".join(f'"{field}"' for field in fields)
    sql = f"SELECT {columns} FROM {table}{where.sql} ORDER BY {order} LIMIT ? OFFSET ?"
    found = connection.execute(sql, (*where.values, min(max(limit, 0), MAX_ROWS), max(offset, 0)))
    return tuple(msgspec.convert(dict(zip(fields, row, strict=True)), view, strict=False) for row in found)
