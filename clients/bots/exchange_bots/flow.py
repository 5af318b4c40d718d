"""Order flow: small orders in both directions at random moments, so that a demo market moves and trades."""

import random
from collections import Counter, deque
from decimal import Decimal
from typing import Final

from exchange_bots.instrument import Instrument
from exchange_client import ExchangeError, LiveBook, NewOrder, TradingSession, limit, market
from exchange_client.models import Side

OPEN_ORDERS: Final = 10
LONGEST_PAUSE_S: Final = 30.0
SMALLEST_VALUE: Final = 50
LARGEST_VALUE: Final = 4_000
"""Value of an order, in the quote asset."""
FULL_POSITION_VALUE: Final = 100_000
"""Net bought or sold value at which only orders back towards nothing are sent."""
FARTHEST_PPM: Final = 2_000
"""How far behind the best price a resting order may lie, in millionths of it."""
SHARE_OF_MARKET_ORDERS: Final = 0.55
SHARE_OF_RESTING_ORDERS: Final = 0.30
"""The rest are limit orders that trade at once or not at all."""


class Flow:
    """Random orders of one account on one market, `orders_per_s` on average."""

    def __init__(
        self,
        instrument: Instrument,
        book: LiveBook,
        session: TradingSession,
        rng: random.Random,
        orders_per_s: float,
    ) -> None:
        self.name: Final = f"flow {instrument.symbol}"
        self.counts: Counter[str] = Counter()
        self._instrument = instrument
        self._book = book
        self._session = session
        self._rng = rng
        self._orders_per_s = orders_per_s
        self._bought_value = Decimal(0)
        self._resting: deque[str] = deque()
        self._clean = False

    def pause_s(self) -> float:
        return min(self._rng.expovariate(self._orders_per_s), LONGEST_PAUSE_S)

    async def step(self) -> None:
        """One order, if the book has the prices for it. Raises ClientError."""
        if not self._clean:
            await self.leave()  # of an earlier life
            self._clean = True
        order = self.next_order()
        if order is None:
            return
        if len(self._resting) >= OPEN_ORDERS:
            await self._cancel_oldest()
        try:
            placed = await self._session.place(order)
        except ExchangeError as refusal:
            if refusal.transient:
                raise
            self.counts[refusal.code] += 1
            return
        self.counts["placed"] += 1
        if placed.is_open:
            self._resting.append(placed.id)
        executed = placed.executed_quote_quantity or Decimal(0)
        self._bought_value += executed if placed.side == "Bid" else -executed

    async def leave(self) -> None:
        """Take back what rests."""
        await self._session.cancel_all(self._instrument.symbol)
        self._resting.clear()

    def next_order(self) -> NewOrder | None:
        """A random order at the prices of now; None while the book is loading or a side is empty."""
        bid, ask = self._book.book.best_bid(), self._book.book.best_ask()
        if not self._book.synced or bid is None or ask is None:
            return None
        side = self._side()
        own, opposite = (bid[0], ask[0]) if side == "Bid" else (ask[0], bid[0])
        opposite_ticks = self._instrument.ticks(opposite)
        value = Decimal(self._rng.randint(SMALLEST_VALUE, LARGEST_VALUE))
        quantity = self._instrument.quantity(self._instrument.lots_worth(value, opposite_ticks))
        kind = self._rng.random()
        symbol = self._instrument.symbol
        if kind < SHARE_OF_MARKET_ORDERS:
            return market(symbol, side, quantity=quantity, self_trade_prevention="RejectMaker")
        if kind < SHARE_OF_MARKET_ORDERS + SHARE_OF_RESTING_ORDERS:
            own_ticks = self._instrument.ticks(own)
            behind_ticks = self._rng.randint(0, own_ticks * FARTHEST_PPM // 1_000_000)
            price_ticks = max(1, own_ticks - behind_ticks if side == "Bid" else own_ticks + behind_ticks)
            return limit(symbol, side, self._instrument.price(price_ticks), quantity)
        return limit(symbol, side, opposite, quantity, time_in_force="IOC", self_trade_prevention="RejectMaker")

    def _side(self) -> Side:
        """Either, the likelier the further it leads back to a balanced position."""
        bid = self._rng.randrange(-FULL_POSITION_VALUE, FULL_POSITION_VALUE) >= self._bought_value
        return "Bid" if bid else "Ask"

    async def _cancel_oldest(self) -> None:
        order_id = self._resting.popleft()
        try:
            await self._session.cancel(self._instrument.symbol, order_id=order_id)
        except ExchangeError as refusal:
            if refusal.code != "RESOURCE_NOT_FOUND":  # filled in the meantime
                self._resting.appendleft(order_id)
                raise
