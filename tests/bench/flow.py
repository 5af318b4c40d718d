"""One seeded flow of orders, the same for every engine: limit orders, cancels and market orders.

It is made by playing it on the slowest of the engines, so that a cancel always names an order that
rests, and a market order always finds somebody.
"""

import random
from dataclasses import dataclass
from enum import Enum, auto

from lightmatchingengine.lightmatchingengine import LightMatchingEngine, Order
from lightmatchingengine.lightmatchingengine import Side as LightSide

MID_TICKS = 15_000
MAX_LOTS = 10


class Kind(Enum):
    LIMIT = auto()
    CANCEL = auto()
    MARKET = auto()


@dataclass(frozen=True, slots=True)
class Step:
    """`number` counts the orders from 1; a cancel names the order it ends, with that order's side and price."""

    kind: Kind
    number: int
    is_bid: bool
    price_ticks: int
    lots: int


@dataclass(frozen=True)
class Flow:
    """`opening` fills the book, `steps` are timed; `resting` orders of `resting_lots` in all remain."""

    opening: list[Step]
    steps: list[Step]
    resting: int
    resting_lots: int


@dataclass(frozen=True, slots=True)
class Placed:
    step: Step
    order: Order


class _Author:
    def __init__(self, seed: int, levels: int) -> None:
        self.choose = random.Random(seed)
        self.levels = levels
        self.engine = LightMatchingEngine()
        self.number = 0
        self.live: list[Placed] = []

    def limit(self, least_offset: int) -> Step:
        """A limit order up to `levels` ticks behind the middle; a negative offset may cross."""
        is_bid = self.choose.random() < 0.5
        offset = self.choose.randint(least_offset, self.levels)
        self.number += 1
        step = Step(
            Kind.LIMIT,
            self.number,
            is_bid,
            MID_TICKS - offset if is_bid else MID_TICKS + offset,
            self.choose.randint(1, MAX_LOTS),
        )
        order, _ = self.engine.add_order("X", step.price_ticks, step.lots, _side(is_bid))
        if order.leaves_qty:
            self.live.append(Placed(step, order))
        return step

    def market(self) -> Step:
        self.number += 1
        step = Step(Kind.MARKET, self.number, self.choose.random() < 0.5, 0, self.choose.randint(1, MAX_LOTS))
        order, _ = self.engine.add_order("X", 0, step.lots, _side(step.is_bid))
        if order.leaves_qty:
            raise AssertionError("a market order has emptied the book: give the flow more orders to rest")
        return step

    def cancel(self) -> Step:
        placed = self.pick()
        self.engine.cancel_order(placed.order.order_id, "X")
        return Step(Kind.CANCEL, placed.step.number, placed.step.is_bid, placed.step.price_ticks, 0)

    def pick(self) -> Placed:
        """Take a random order that still rests out of the list."""
        while True:
            index = self.choose.randrange(len(self.live))
            placed, self.live[index] = self.live[index], self.live[-1]
            self.live.pop()
            if placed.order.leaves_qty:
                return placed

    def next(self, resting: int) -> Step:
        """Half limit orders, a tenth market orders, cancels for the rest while the book is full enough."""
        roll = self.choose.random()
        if roll < 0.1:
            return self.market()
        if roll < 0.6 or len(self.live) < resting:
            return self.limit(-2)
        return self.cancel()


def _side(is_bid: bool) -> int:
    return int(LightSide.BUY if is_bid else LightSide.SELL)


def make(*, resting: int, levels: int, steps: int, seed: int = 1) -> Flow:
    """A flow over a book of about `resting` orders on `levels` prices a side."""
    author = _Author(seed, levels)
    opening = [author.limit(1) for _ in range(resting)]
    timed = [author.next(resting) for _ in range(steps)]
    left = [placed.order.leaves_qty for placed in author.live if placed.order.leaves_qty]
    return Flow(opening, timed, len(left), sum(left))
