"""Orders: place, look up, cancel."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from msgspec.structs import replace

from exchange.gateway.listings.api import MarketType
from exchange.gateway.orders import examples, requests, wire
from exchange.gateway.orders.batches import BatchItem, place_batch
from exchange.gateway.rest.operations import Routes
from exchange.gateway.wire.base import Payload
from exchange.gateway.wire.errors import INVALID_SYMBOL, NOT_FOUND
from exchange.runtime.port import Exchange
from exchange.values.accounts.views import KeyView
from exchange.values.commands import AnyCommand
from exchange.values.enums import OrderStatus
from exchange.values.listings.views import MarketView
from exchange.values.refusals import Code, Refusal

P = TypeVar("P", bound=requests.OfMarket)

routes = Routes("Orders")

_CANCELLED: Final = replace(examples.LIMIT_ORDER, status=OrderStatus.CANCELLED)


async def _on_market(
    exchange: Exchange,
    key: KeyView,
    params: P,
    asked: Callable[[P, KeyView, MarketView], AnyCommand | Refusal],
) -> wire.AnyOrder | Refusal:
    """Carry out the command that is `asked` about one order."""
    market = exchange.market(params.symbol)
    if market is None:
        return INVALID_SYMBOL
    command = asked(params, key, market)
    if isinstance(command, Refusal):
        return command
    outcome = await exchange.execute(command)
    return outcome.refusal or wire.one_order(outcome, market.spec)


class OrdersQuery(Payload, frozen=True):
    symbol: str | None = None
    market_type: MarketType | None = None


@routes.signed(
    "POST",
    "/api/v1/order",
    "orderExecute",
    request=examples.PLACE_ORDER,
    example=examples.LIMIT_ORDER,
    hot=True,
)
async def place(exchange: Exchange, key: KeyView, params: requests.OrderExecutePayload) -> wire.AnyOrder | Refusal:
    """Place an order; the answer is the order after matching, and durable.

    A limit order has `price` and `quantity`. A market order has either `quantity` or `quoteQuantity`: how much
    of the quote asset to spend (Bid) or to receive (Ask) at most.

    A `clientId` stays with its order while that is open and for 10 minutes after it has ended: a second order under it
    is refused, with the first one's id. So an order whose answer was lost can be sent again under its own.
    """
    return await _on_market(exchange, key, params, requests.place_order)


@routes.signed("GET", "/api/v1/order", "orderQuery", example=examples.LIMIT_ORDER, hot=True)
async def order(exchange: Exchange, key: KeyView, params: requests.OrderQuery) -> wire.AnyOrder | Refusal:
    """One resting order, by exactly one of `orderId` and `clientId`.

    One that has ended is not found here: `/wapi/v1/history/orders` shows it, by either.
    """
    market = exchange.market(params.symbol)
    if market is None:
        return INVALID_SYMBOL
    ids = requests.order_ids(params)
    if isinstance(ids, Refusal):
        return ids
    found = await exchange.open_order(key.account, params.symbol, order_id=ids[0], client_id=ids[1])
    return NOT_FOUND if found is None else wire.order_to_wire(found, market.spec)


@routes.signed(
    "DELETE",
    "/api/v1/order",
    "orderCancel",
    request={"symbol": "SOL_USDC", "orderId": "54068"},
    example=_CANCELLED,
    cancels=True,
    repeatable=True,
    hot=True,
)
async def cancel(exchange: Exchange, key: KeyView, params: requests.OrderCancelPayload) -> wire.AnyOrder | Refusal:
    """Cancel one resting order, by exactly one of `orderId` and `clientId`."""
    return await _on_market(exchange, key, params, requests.cancel_order)


@routes.signed(
    "POST",
    "/api/v1/orders",
    "orderExecute",
    request=[examples.PLACE_ORDER],
    example=[
        replace(examples.LIMIT_ORDER, operation="Ok"),
        wire.BatchError(Code.INVALID_CLIENT_REQUEST, "Price decimal too long"),
    ],
    hot=True,
)
async def place_many(exchange: Exchange, key: KeyView, params: list[requests.OrderExecutePayload]) -> list[BatchItem]:
    """Place up to 50 orders; each stands or falls alone.

    The answer has one item per order, in the same order; its `operation` is Ok or Err. To sign it: for each order
    `instruction=orderExecute&` and its fields sorted, all joined by `&`, then timestamp and window once.
    """
    answer: asyncio.Future[list[BatchItem]] = asyncio.get_running_loop().create_future()

    def settle(items: list[BatchItem]) -> None:
        if not answer.done():  # else whoever asked has gone away
            answer.set_result(items)

    place_batch(exchange, key, params, settle)
    return await answer


@routes.signed("GET", "/api/v1/orders", "orderQueryAll", example=[examples.LIMIT_ORDER], hot=True)
async def orders(exchange: Exchange, key: KeyView, params: OrdersQuery) -> list[wire.AnyOrder] | Refusal:
    """The account's resting orders, oldest first."""
    if params.symbol is not None and exchange.market(params.symbol) is None:
        return INVALID_SYMBOL
    specs = {market.spec.symbol: market.spec for market in exchange.markets()}
    found = await exchange.open_orders(key.account, params.symbol)
    return [
        wire.order_to_wire(order, specs[order.market])
        for order in found
        if params.market_type in (None, specs[order.market].kind)
    ]


@routes.signed(
    "DELETE",
    "/api/v1/orders",
    "orderCancelAll",
    request={"symbol": "SOL_USDC"},
    example=[_CANCELLED],
    cancels=True,
    repeatable=True,
    hot=True,
)
async def cancel_many(
    exchange: Exchange, key: KeyView, params: requests.OrderCancelAllPayload
) -> list[wire.AnyOrder] | Refusal:
    """Cancel the account's resting orders on one market; the answer has those that were."""
    market = exchange.market(params.symbol)
    if market is None:
        return INVALID_SYMBOL
    command = requests.cancel_all(params, key, market)
    if command is None:
        return []
    if isinstance(command, Refusal):
        return command
    outcome = await exchange.execute(command)
    return outcome.refusal or wire.all_orders(outcome, market.spec)


@routes.signed(
    "POST",
    "/api/v1/order/cancelAllAfter",
    "cancelAllAfter",
    request={"timeout": 30_000},
    example={"timeout": 30_000},
    cancels=True,
)
async def cancel_all_after(exchange: Exchange, key: KeyView, params: requests.Timeout) -> requests.Timeout | Refusal:
    """Dead-man's switch: unless set again within `timeout` ms, every order of the account is cancelled.

    0 turns it off. It holds across restarts: its time is in the records. This venue's own.
    """
    outcome = await exchange.execute(requests.cancel_all_after(params, key))
    return outcome.refusal or params
