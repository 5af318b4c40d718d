"""Orders over a session: place, cancel, look up, and the switches that cancel by themselves.

A handler takes what the session does for its key, the request's id and its `params`; its row says the rest.
"""

from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from exchange.gateway.orders import requests, wire
from exchange.gateway.orders.batches import BatchItem, place_batch
from exchange.gateway.session.frames import RequestId
from exchange.gateway.session.trading import Method, Trading
from exchange.gateway.wire.errors import INVALID_SYMBOL, NOT_FOUND
from exchange.values.accounts.views import KeyView
from exchange.values.commands import AnyCommand
from exchange.values.ids import OrderId
from exchange.values.listings.specs import MarketSpec
from exchange.values.listings.views import MarketView
from exchange.values.orders.commands import SetCancelOnDisconnect
from exchange.values.orders.views import Outcome
from exchange.values.refusals import Refusal

P = TypeVar("P", bound=requests.OfMarket)


def place(trading: Trading, request_id: RequestId, params: requests.OrderExecutePayload) -> None:
    _on_market(trading, request_id, params, requests.place_order, wire.one_order)


def cancel(trading: Trading, request_id: RequestId, params: requests.OrderCancelPayload) -> None:
    _on_market(trading, request_id, params, requests.cancel_order, wire.one_order)


def cancel_all(trading: Trading, request_id: RequestId, params: requests.OrderCancelAllPayload) -> None:
    _on_market(trading, request_id, params, requests.cancel_all, wire.all_orders)


def _on_market(
    trading: Trading,
    request_id: RequestId,
    params: P,
    asked: Callable[[P, KeyView, MarketView], AnyCommand | Refusal | None],
    shown: Callable[[Outcome, MarketSpec], object],
) -> None:
    """Carry out the command that is `asked`; None: there is nothing to do, and nothing to show."""
    market = trading.exchange.market(params.symbol)
    if market is None:
        return trading.answer(request_id, INVALID_SYMBOL)
    command = asked(params, trading.key, market)
    if command is None:
        return trading.answer(request_id, [])
    if isinstance(command, Refusal):
        return trading.answer(request_id, command)
    trading.carry_out(request_id, command, shown, market.spec)


def batch(trading: Trading, request_id: RequestId, params: list[requests.OrderExecutePayload]) -> None:
    trading.waits()
    place_batch(trading.exchange, trading.key, params, partial(_placed, trading, request_id))


def _placed(trading: Trading, request_id: RequestId, items: list[BatchItem]) -> None:
    trading.landed()
    trading.answer(request_id, items)


def query(trading: Trading, request_id: RequestId, params: requests.OrderQuery) -> None:
    """Open orders and ended ones: a client that lost its connection finds out here what became of its order."""
    market = trading.exchange.market(params.symbol)
    ids = requests.order_ids(params)
    if market is None:
        return trading.answer(request_id, INVALID_SYMBOL)
    if isinstance(ids, Refusal):
        return trading.answer(request_id, ids)
    trading.look_up(request_id, _found(trading, market.spec, *ids))


async def _found(
    trading: Trading, spec: MarketSpec, order_id: OrderId | None, client_id: int | None
) -> wire.AnyOrder | Refusal:
    order = await trading.exchange.order(trading.key.account, spec.symbol, order_id=order_id, client_id=client_id)
    if order is None or isinstance(order, Refusal):
        return order or NOT_FOUND
    return wire.order_to_wire(order, spec)


def cancel_all_after(trading: Trading, request_id: RequestId, params: requests.Timeout) -> None:
    trading.carry_out(request_id, requests.cancel_all_after(params, trading.key), _as_asked, params)


def _as_asked(outcome: Outcome, params: requests.Timeout) -> requests.Timeout:
    return params


def cancel_on_disconnect(trading: Trading, request_id: RequestId, params: requests.Armed) -> None:
    # Armed from the moment it is asked for: the session may end before the answer is there.
    trading.armed = trading.armed or params.armed
    command = SetCancelOnDisconnect(trading.key.account, trading.key.key_id, trading.session, params.armed)
    trading.carry_out(request_id, command, partial(_armed, trading), params)


def _armed(trading: Trading, outcome: Outcome, params: requests.Armed) -> requests.Armed:
    trading.armed = params.armed
    return params


METHODS: Final = (
    Method("order.place", place),
    Method("order.batch", batch, batch=True),
    Method("order.query", query, reads=True),
    Method("order.cancel", cancel, cancels=True),
    Method("order.cancelAll", cancel_all, cancels=True),
    Method("order.cancelAllAfter", cancel_all_after, cancels=True),
    Method("session.cancelOnDisconnect", cancel_on_disconnect, cancels=True),
)
