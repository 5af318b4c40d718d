"""A batch of orders: those of one market run without a pause, each stands or falls alone, and the answer keeps their
order. REST and WebSocket place batches through it."""

from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from exchange.gateway.orders.requests import OrderExecutePayload, place_order
from exchange.gateway.orders.wire import AnyOrder, BatchError, order_to_wire
from exchange.gateway.wire.errors import INVALID_SYMBOL
from exchange.runtime.port import Exchange
from exchange.values.accounts.views import KeyView
from exchange.values.listings.specs import MarketSpec
from exchange.values.listings.views import MarketView
from exchange.values.orders.commands import PlaceOrder
from exchange.values.orders.views import Outcome
from exchange.values.refusals import Refusal

BatchItem = AnyOrder | BatchError


class _Part(msgspec.Struct):
    """The orders of a batch that are for one market, and where in the batch they stand."""

    spec: MarketSpec
    positions: list[int]
    commands: list[PlaceOrder]


class _Batch:
    def __init__(self, size: int, done: Callable[[list[BatchItem]], None]) -> None:
        self.items: dict[int, BatchItem] = {}
        self.parts: dict[str, _Part] = {}
        self._size = size
        self._done = done

    def add(
        self, position: int, payload: OrderExecutePayload, key: KeyView, market: MarketView | None
    ) -> Refusal | None:
        if market is None:
            return INVALID_SYMBOL
        command = place_order(payload, key, market)
        if isinstance(command, Refusal):
            return command
        part = self.parts.setdefault(payload.symbol, _Part(market.spec, [], []))
        part.positions.append(position)
        part.commands.append(command)
        return None

    def settle(self) -> None:
        """Answer once every order has its result."""
        if len(self.items) == self._size:
            self._done([self.items[position] for position in range(self._size)])

    def settle_part(self, part: _Part, outcomes: list[Outcome]) -> None:
        for position, outcome in zip(part.positions, outcomes, strict=True):
            if outcome.refusal is None:
                self.items[position] = order_to_wire(outcome.orders[0], part.spec, "Ok")
            else:
                self.items[position] = BatchError(outcome.refusal.code, outcome.refusal.message)
        self.settle()


def place_batch(
    exchange: Exchange,
    key: KeyView,
    payloads: Sequence[OrderExecutePayload],
    done: Callable[[list[BatchItem]], None],
) -> None:
    """Place every order; `done` is called once, with one result per order, when all are durable."""
    batch = _Batch(len(payloads), done)
    for position, payload in enumerate(payloads):
        refusal = batch.add(position, payload, key, exchange.market(payload.symbol))
        if refusal is not None:
            batch.items[position] = BatchError(refusal.code, refusal.message)
    if not batch.parts:
        batch.settle()
    for part in list(batch.parts.values()):
        exchange.submit(part.commands, partial(batch.settle_part, part))
