"""One account's history as of one moment: its list, its orders, and pages of both."""

import sqlite3
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final, Literal, Protocol

from exchange.runtime.follower.read_models.lists import END_SEQ, FILL, ORDER, AccountList, Entry, Filter
from exchange.runtime.follower.read_models.records import Records
from exchange.runtime.follower.read_models.rows import ENDED
from exchange.runtime.follower.read_models.views import Views
from exchange.runtime.port import Page
from exchange.values.ids import AccountId, OrderId, id_at, seq_of

#: Most rows of one page, whatever it asks for.
MAX_ROWS: Final = 1_000
#: Rows by which a page goes on to the end of its last millisecond; a record makes no more for one account.
MAX_MS_ROWS: Final = MAX_ROWS


class Numbered(Protocol):
    """Entries in the order of the timeline, numbered from 0."""

    def rank(self, seq: int) -> int:
        """How many are of records before `seq`."""

    def between(self, first: int, end: int) -> Sequence[Entry]:
        """Those numbered `first` to `end` (exclusive); there are as many."""


class Few:
    """Entries in hand."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries

    def rank(self, seq: int) -> int:
        return bisect_left(self._entries, seq, key=_seq)

    def between(self, first: int, end: int) -> Sequence[Entry]:
        return self._entries[first:end]


class Wanted:
    """What a filter lets through of an account's list."""

    def __init__(self, held: AccountList, wanted: Filter) -> None:
        self._held = held
        self._wanted = wanted

    def rank(self, seq: int) -> int:
        return self._held.rank(self._wanted, seq)

    def between(self, first: int, end: int) -> Sequence[Entry]:
        return self._held.between(self._wanted, first, end)


class OrderFills:
    """Fills of one order: those of the record it came in by, then those it got as a maker."""

    def __init__(self, connection: sqlite3.Connection, order: Entry, taken: Sequence[Entry]) -> None:
        self._connection = connection
        self._order = order
        self._taken = Few(taken)
        self._taken_count = len(taken)

    def rank(self, seq: int) -> int:
        query = "SELECT count(*) FROM touches WHERE order_id = ? AND what != ? AND seq < ?"
        [(made,)] = self._connection.execute(query, (self._order_id, ENDED, seq))
        return self._taken.rank(seq) + int(made)

    def between(self, first: int, end: int) -> Sequence[Entry]:
        query = 'SELECT seq, "index" FROM touches WHERE order_id = ? AND what != ? ORDER BY seq LIMIT ? OFFSET ?'
        taken = self._taken.between(first, end)
        skipped = max(first - self._taken_count, 0)
        rows = self._connection.execute(query, (self._order_id, ENDED, end - first - len(taken), skipped))
        return [*taken, *(Entry(seq, index, FILL, self._order.of, self._order.value) for seq, index in rows)]

    @property
    def _order_id(self) -> int:
        return id_at(self._order.seq)


def _seq(entry: Entry) -> int:
    return entry.seq


class History:
    """Of one account. `views` makes lines of entries."""

    def __init__(self, connection: sqlite3.Connection, records: Records, account: AccountId) -> None:
        self._connection = connection
        self._account = account
        self._list = AccountList(connection, account)
        self.records = records
        self.views = Views(connection, records, account)

    def numbered(self, kinds: tuple[int, ...], of: Literal["markets", "assets"], symbol: str | None) -> Numbered:
        """Entries of some kinds; where there is a `symbol`, of that market or asset alone."""
        if symbol is None:
            return Wanted(self._list, Filter(kinds))
        number = self._number(of, symbol)
        return Few(()) if number is None else Wanted(self._list, Filter(kinds, number))

    def order(self, market: str | None, order_id: OrderId) -> Sequence[Entry]:
        """The entry of one order, if the account has it."""
        seq = seq_of(order_id)
        return self._at(seq, ORDER, market) if order_id == id_at(seq) else ()

    def under_client_id(self, market: str, client_id: int | None) -> OrderId | None:
        """The newest order under a client id."""
        found = self._connection.execute(
            "SELECT order_id FROM client_ids WHERE account = ? AND market = ? AND client_id = ?",
            (self._account, self._number("markets", market), client_id),
        ).fetchone()
        return None if found is None else OrderId(found[0])

    def fills_of(self, market: str | None, order_id: OrderId) -> Numbered:
        for entry in self.order(market, order_id):
            return OrderFills(self._connection, entry, self._at(entry.seq, FILL, None))
        return Few(())

    def page(self, numbered: Numbered, page: Page) -> tuple[Sequence[Entry], int]:
        """The entries of a page in its order, and how many there are in all."""
        first_at = self.records.first_at
        begin = 0 if page.from_us is None else numbered.rank(first_at(page.from_us))
        end_seq = END_SEQ if page.to_us is None else first_at(page.to_us)
        end = numbered.rank(end_seq if page.as_of is None else min(end_seq, page.as_of + 1))
        limit, offset = min(max(page.limit, 0), MAX_ROWS), max(page.offset, 0)
        if not page.ascending:
            last = max(end - offset, begin)
            return numbered.between(max(last - limit, begin), last)[::-1], max(end - begin, 0)
        first = min(begin + offset, end)
        last = min(first + limit, end)
        entries = numbered.between(first, last)
        if page.whole_ms and entries and len(entries) == page.limit:
            whole_us = (self.records.time_us(entries[-1].seq) // 1_000 + 1) * 1_000
            more = min(numbered.rank(first_at(whole_us)), end, last + MAX_MS_ROWS)
            entries = [*entries, *numbered.between(last, more)]
        return entries, max(end - begin, 0)

    def _at(self, seq: int, kind: int, market: str | None) -> Sequence[Entry]:
        """What one record did."""
        number = None if market is None else self._number("markets", market)
        return () if number is None and market is not None else self._list.of_record(Filter((kind,), number), seq)

    def _number(self, of: Literal["markets", "assets"], symbol: str) -> int | None:
        found = self._connection.execute(f"SELECT number FROM {of} WHERE symbol = ?", (symbol,)).fetchone()
        return None if found is None else int(found[0])
