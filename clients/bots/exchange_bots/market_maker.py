"""A market maker: quotes on both sides of a market, a few levels each, around a wandering fair price.

Every cycle it reads what the account has resting and moves that to what it wants: so it adopts what
an earlier life left behind, and needs no memory of its own to survive a restart of either side.
"""

import asyncio
import random
from collections import Counter
from decimal import Decimal
from typing import Final

import msgspec

from exchange_bots.instrument import Instrument
from exchange_client import ExchangeClient, ExchangeError, NewOrder, TradingSession, limit
from exchange_client.models import Order, Side

MILLION: Final = 1_000_000
DEAD_MAN_MS: Final = 30_000
DEAD_MAN_CYCLES: Final = 5
"""Cycles between two renewals of the dead-man's switch."""

Quote = tuple[Side, int]
"""Side and price in ticks."""


class MakerSettings(msgspec.Struct, frozen=True):
    """Distances are millionths (ppm) of the price; `level_value` is in the quote asset, for the best level."""

    levels: int = 5
    cycle_s: float = 1.0
    half_spread_ppm: int = 300
    spacing_ppm: int = 400
    level_value: Decimal = Decimal(3000)
    walk_ppm: int = 120
    """Standard deviation of the fair price's move in a cycle."""
    pull_ppm: int = 200
    """How much of its distance from the reference price the fair price goes back in a cycle."""
    full_position_levels: int = 40
    """Inventory, in best levels, at which quotes are shifted by `full_skew_ppm`."""
    full_skew_ppm: int = 2_000


class MarketMaker:
    """Quotes one market for one account. `reference` is the price it starts from and is drawn back to."""

    def __init__(
        self,
        instrument: Instrument,
        client: ExchangeClient,
        session: TradingSession,
        rng: random.Random,
        reference: Decimal,
        settings: MakerSettings | None = None,
    ) -> None:
        self.name: Final = f"maker {instrument.symbol}"
        self.counts: Counter[str] = Counter()
        self._settings = settings or MakerSettings()
        self._instrument = instrument
        self._client = client
        self._session = session
        self._rng = rng
        self._reference_ticks = instrument.ticks(reference)
        self._fair_ticks = self._reference_ticks
        self._grid_ticks = max(1, self._reference_ticks * self._settings.spacing_ppm // MILLION)
        self._start_lots: int | None = None
        self._cycle = 0

    def pause_s(self) -> float:
        return self._settings.cycle_s

    async def step(self) -> None:
        """One cycle. Raises ClientError; the next one begins from what is really there."""
        if self._cycle % DEAD_MAN_CYCLES == 0:
            await self._session.cancel_all_after(DEAD_MAN_MS)
        self._cycle += 1
        resting, position_lots = await asyncio.gather(self._resting(), self._position_lots())
        self._wander()
        wanted = self.quotes(position_lots)
        await self._cancel([order for quote, order in resting if quote not in wanted])
        kept = {quote for quote, _ in resting if quote in wanted}
        await self._place({quote: lots for quote, lots in wanted.items() if quote not in kept})

    async def leave(self) -> None:
        """Nobody watches the quotes any more: take them back."""
        await self._session.cancel_all(self._instrument.symbol)

    def quotes(self, position_lots: int) -> dict[Quote, int]:
        """What should rest: lots by side and price.

        Prices lie on a grid, so that most of them stay where they are when the fair price moves.
        """
        settings, grid = self._settings, self._grid_ticks
        full_lots = settings.full_position_levels * self._lots_at(self._fair_ticks, 0)
        skew_ppm = max(-MILLION, min(MILLION, position_lots * MILLION // full_lots)) * settings.full_skew_ppm // MILLION
        middle_ticks = self._fair_ticks - self._fair_ticks * skew_ppm // MILLION
        half_ticks = max(1, self._fair_ticks * settings.half_spread_ppm // MILLION)
        best_bid = (middle_ticks - half_ticks) // grid * grid
        best_ask = -(-(middle_ticks + half_ticks) // grid) * grid
        wanted: dict[Quote, int] = {}
        for level in range(settings.levels):
            bid_ticks, ask_ticks = best_bid - level * grid, best_ask + level * grid
            if bid_ticks > 0:
                wanted["Bid", bid_ticks] = self._lots_at(bid_ticks, level)
            wanted["Ask", ask_ticks] = self._lots_at(ask_ticks, level)
        return wanted

    def _lots_at(self, price_ticks: int, level: int) -> int:
        """Deeper levels are larger."""
        return self._instrument.lots_worth(self._settings.level_value * (level + 1), price_ticks)

    def _wander(self) -> None:
        pull_ticks = (self._reference_ticks - self._fair_ticks) * self._settings.pull_ppm // MILLION
        noise_ticks = round(self._rng.gauss(0, self._reference_ticks * self._settings.walk_ppm / MILLION))
        self._fair_ticks = max(1, self._fair_ticks + pull_ticks + noise_ticks)

    async def _resting(self) -> list[tuple[Quote, Order]]:
        orders = await self._client.open_orders(self._instrument.symbol)
        return [
            ((order.side, self._instrument.ticks(order.price)), order) for order in orders if order.price is not None
        ]

    async def _position_lots(self) -> int:
        """What the account holds of the base asset beyond what it began with."""
        balance = (await self._client.balances()).get(self._instrument.base)
        held_lots = 0 if balance is None else self._instrument.lots(balance.available + balance.locked)
        if self._start_lots is None:
            self._start_lots = held_lots
        return held_lots - self._start_lots

    async def _cancel(self, orders: list[Order]) -> None:
        outcomes = await asyncio.gather(
            *(self._session.cancel(order.symbol, order_id=order.id) for order in orders), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, ExchangeError) and outcome.code == "RESOURCE_NOT_FOUND":
                continue  # filled in the meantime
            if isinstance(outcome, BaseException):
                raise outcome
            self.counts["cancelled"] += 1

    async def _place(self, quotes: dict[Quote, int]) -> None:
        orders = [self._order(side, ticks, lots) for (side, ticks), lots in quotes.items()]
        if not orders:
            return
        for outcome in await self._session.place_batch(orders):
            if isinstance(outcome, Order):
                self.counts["placed"] += 1
            elif isinstance(outcome, ExchangeError) and not outcome.transient:
                self.counts[outcome.code] += 1  # it would cross somebody's order, or funds are short: others stand
            else:
                raise outcome

    def _order(self, side: Side, price_ticks: int, lots: int) -> NewOrder:
        return limit(
            self._instrument.symbol,
            side,
            self._instrument.price(price_ticks),
            self._instrument.quantity(lots),
            post_only=True,
        )
