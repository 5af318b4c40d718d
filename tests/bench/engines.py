"""The matching engines from PyPI that ours is measured against. Neither has balances, fees or records."""

import time
from collections.abc import Sequence

from lightmatchingengine.lightmatchingengine import LightMatchingEngine, Side
from limit_order_book import LimitOrderBook

from tests.bench.flow import Flow, Kind, Step


class Diverged(AssertionError):
    """An engine ended with another book than the flow's author: its figure would mean nothing."""


def light_matching_engine(flow: Flow) -> float:
    """Steps per second of `lightmatchingengine` (pure Python)."""
    engine = LightMatchingEngine()
    ids: dict[int, int] = {}

    def play(steps: Sequence[Step]) -> None:
        for step in steps:
            if step.kind is Kind.CANCEL:
                engine.cancel_order(ids[step.number], "X")
            else:
                side = Side.BUY if step.is_bid else Side.SELL
                order, _ = engine.add_order("X", step.price_ticks, step.lots, side)
                ids[step.number] = order.order_id

    play(flow.opening)
    begun = time.perf_counter()
    play(flow.steps)
    elapsed_s = time.perf_counter() - begun
    book = engine.order_books["X"]
    left = [order.leaves_qty for side in (book.bids, book.asks) for level in side.values() for order in level]
    if (len(left), sum(left)) != (flow.resting, flow.resting_lots):
        raise Diverged("lightmatchingengine")
    return len(flow.steps) / elapsed_s


def limit_order_book(flow: Flow) -> float:
    """Steps per second of `limit-order-book` (C++, called through ctypes)."""
    book = LimitOrderBook()

    def play(steps: Sequence[Step]) -> None:
        for step in steps:
            if step.kind is Kind.LIMIT:
                book.limit(step.is_bid, step.number, step.lots, step.price_ticks)
            elif step.kind is Kind.CANCEL:
                book.cancel(step.number)
            else:
                book.market(step.is_bid, step.number, step.lots)

    play(flow.opening)
    begun = time.perf_counter()
    play(flow.steps)
    elapsed_s = time.perf_counter() - begun
    if (book.count(), book.volume()) != (flow.resting, flow.resting_lots):
        raise Diverged(f"limit-order-book: {book.count()} {book.volume()} != {flow.resting} {flow.resting_lots}")
    return len(flow.steps) / elapsed_s
