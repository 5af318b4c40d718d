"""A local copy of one market's order book, and the rule by which it follows the exchange's."""

from bisect import bisect_left
from collections.abc import Iterable
from decimal import Decimal

from exchange_client.events import DepthUpdate
from exchange_client.models import Depth, Level


class SequenceGap(Exception):
    """An update is missing: the book must be loaded anew."""


class BookSide:
    """Levels of one side: prices in order, and the quantity at each."""

    def __init__(self, levels: Iterable[Level] = ()) -> None:
        self._quantities = dict(levels)
        self._prices = sorted(self._quantities)

    def __len__(self) -> int:
        return len(self._prices)

    def quantity(self, price: Decimal) -> Decimal:
        return self._quantities.get(price, Decimal(0))

    def set(self, price: Decimal, quantity: Decimal) -> None:
        """The level's new quantity; 0 removes it."""
        if quantity:
            if price not in self._quantities:
                self._prices.insert(bisect_left(self._prices, price), price)
            self._quantities[price] = quantity
        elif self._quantities.pop(price, None) is not None:
            del self._prices[bisect_left(self._prices, price)]

    def ascending(self) -> list[Level]:
        return [(price, self._quantities[price]) for price in self._prices]

    def lowest(self) -> Level | None:
        return (self._prices[0], self._quantities[self._prices[0]]) if self._prices else None

    def highest(self) -> Level | None:
        return (self._prices[-1], self._quantities[self._prices[-1]]) if self._prices else None


class OrderBook:
    """Bids and asks as of `update_id`."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.update_id = 0
        self.bids = BookSide()
        self.asks = BookSide()

    def best_bid(self) -> Level | None:
        """Price and quantity of the highest bid."""
        return self.bids.highest()

    def best_ask(self) -> Level | None:
        """Price and quantity of the lowest ask."""
        return self.asks.lowest()

    def load(self, depth: Depth) -> None:
        """Begin again from a snapshot."""
        self.bids = BookSide(depth.bids)
        self.asks = BookSide(depth.asks)
        self.update_id = int(depth.last_update_id)

    def apply(self, update: DepthUpdate) -> bool:
        """Apply the next update; False if the book already has it.

        Raises SequenceGap, with the book unchanged, if an update between the two is missing.
        """
        if update.last_id <= self.update_id:
            return False
        if update.first_id > self.update_id + 1:
            raise SequenceGap(f"{self.symbol}: at {self.update_id}, got {update.first_id}..{update.last_id}")
        for price, quantity in update.bids:
            self.bids.set(price, quantity)
        for price, quantity in update.asks:
            self.asks.set(price, quantity)
        self.update_id = update.last_id
        return True
