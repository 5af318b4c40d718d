"""The order book of one market: price levels, and in each the orders in the order they came.

Invariants: a level in `levels` has at least one order; `Level.lots` is the sum of its orders'
`left_lots`; along a level's queue order ids rise, since an id comes from the seq that placed the
order and an order never moves within its level. So the queue is a function of the orders alone:
a snapshot needs no positions.

Cost: finding a level O(1), the touch O(1), joining or leaving a level O(1), opening or closing
one O(log n) to find and O(n) to shift, at the cheap end (the touch is kept last).
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import TYPE_CHECKING

from exchange.values.enums import SelfTradePrevention, Side
from exchange.values.ids import OrderId

if TYPE_CHECKING:
    from exchange.core.state import Account, Balance, Market


class Order:
    """A resting order. `pays` is the balance its reserve is locked in, `gets` where its proceeds go.

    What it is made of: first what it is tied to, then the fields of its image in their order (`core.orders.image`).
    """

    __slots__ = (
        "account",
        "cancel_at_close",
        "client_id",
        "created_us",
        "filled_quote_atoms",
        "gets",
        "left_lots",
        "level",
        "lots",
        "market",
        "next",
        "order_id",
        "pays",
        "post_only",
        "previous",
        "price_ticks",
        "reserved_atoms",
        "self_trade_prevention",
        "side",
    )

    def __init__(
        self,
        account: "Account",
        market: "Market",
        pays: "Balance",
        gets: "Balance",
        order_id: OrderId,
        side: Side,
        price_ticks: int,
        lots: int,
        left_lots: int,
        reserved_atoms: int,
        created_us: int,
        filled_quote_atoms: int,
        post_only: bool,
        self_trade_prevention: SelfTradePrevention,
        client_id: int | None,
        cancel_at_close: bool,
    ) -> None:
        self.account = account
        self.market = market
        self.pays = pays
        self.gets = gets
        self.order_id = order_id
        self.side = side
        self.price_ticks = price_ticks
        self.lots = lots
        self.left_lots = left_lots
        self.reserved_atoms = reserved_atoms
        self.created_us = created_us
        self.filled_quote_atoms = filled_quote_atoms
        self.post_only = post_only
        self.self_trade_prevention = self_trade_prevention
        self.client_id = client_id
        self.cancel_at_close = cancel_at_close
        self.level: Level | None = None
        self.previous: Order | None = None
        self.next: Order | None = None


class Level:
    """The orders at one price, first come first."""

    __slots__ = ("first", "last", "lots", "price_ticks")

    def __init__(self, price_ticks: int) -> None:
        self.price_ticks = price_ticks
        self.lots = 0
        self.first: Order | None = None
        self.last: Order | None = None

    def __iter__(self) -> Iterator[Order]:
        order = self.first
        while order is not None:
            yield order
            order = order.next


class BookSide:
    """One side of a book. Keys are prices times `sign`, so that on both sides the best key is the largest."""

    __slots__ = ("_keys", "levels", "side", "sign")

    def __init__(self, side: Side) -> None:
        self.side = side
        self.sign = 1 if side is Side.BID else -1
        self.levels: dict[int, Level] = {}
        self._keys: list[int] = []

    def best(self) -> int | None:
        """The best price, or None on an empty side."""
        keys = self._keys
        return keys[-1] * self.sign if keys else None

    def best_first(self) -> Iterator[Level]:
        """Levels from the touch outwards. The side must not change meanwhile."""
        levels, sign = self.levels, self.sign
        for key in reversed(self._keys):
            yield levels[key * sign]

    def add(self, order: Order) -> None:
        """The order joins the back of its level."""
        level = self.levels.get(order.price_ticks)
        if level is None:
            level = self.levels[order.price_ticks] = Level(order.price_ticks)
            insort(self._keys, order.price_ticks * self.sign)
        last = level.last
        if last is None:
            level.first = order
        else:
            last.next = order
            order.previous = last
        level.last = order
        level.lots += order.left_lots
        order.level = level

    def remove(self, order: Order) -> None:
        """The order leaves its level, with what is left of it; an empty level goes."""
        level = order.level
        assert level is not None
        before, after = order.previous, order.next
        if before is None:
            level.first = after
        else:
            before.next = after
        if after is None:
            level.last = before
        else:
            after.previous = before
        order.level = order.previous = order.next = None
        level.lots -= order.left_lots
        if level.first is None:
            del self.levels[level.price_ticks]
            keys, key = self._keys, level.price_ticks * self.sign
            if keys[-1] == key:
                keys.pop()
            else:
                del keys[bisect_left(keys, key)]
