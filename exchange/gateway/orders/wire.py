"""Orders as clients read them."""

from typing import Final

import msgspec

from exchange.gateway.wire.numbers import (
    amount_text,
    price_text,
    quantity_text,
)
from exchange.gateway.wire.times import milliseconds
from exchange.values.enums import OrderStatus, OrderType, SelfTradePrevention, Side, TimeInForce
from exchange.values.listings.specs import MarketSpec
from exchange.values.orders.views import OrderView, Outcome
from exchange.values.refusals import Code

# On the path of every order: reading a member off its enum class costs several times a global.
_LIMIT: Final = OrderType.LIMIT


#: Decimals of a `slippageTolerance` in percent; a percent is 10,000 ppm.
PERCENT_DECIMALS: Final = 4


class WireOrder(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Fields that limit and market orders share; those of products not traded here are null."""

    order_type: OrderType
    id: str
    client_id: int | None
    created_at: int
    symbol: str
    side: Side
    quantity: str | None
    executed_quantity: str
    executed_quote_quantity: str
    status: OrderStatus
    time_in_force: TimeInForce
    self_trade_prevention: SelfTradePrevention
    reduce_only: None = None
    trigger_price: None = None
    trigger_by: None = None
    trigger_quantity: None = None
    triggered_at: None = None
    take_profit_trigger_price: None = None
    take_profit_trigger_by: None = None
    take_profit_limit_price: None = None
    stop_loss_trigger_price: None = None
    stop_loss_trigger_by: None = None
    stop_loss_limit_price: None = None
    related_order_id: None = None
    strategy_id: None = None


class LimitOrder(WireOrder, frozen=True, kw_only=True):
    """`createdAt` in ms."""

    price: str
    post_only: bool
    operation: str | msgspec.UnsetType = msgspec.UNSET


class MarketOrder(WireOrder, frozen=True, kw_only=True):
    """`createdAt` in ms. An order by quote amount has no `quantity`."""

    quote_quantity: str | None
    slippage_tolerance: str | None
    slippage_tolerance_type: str | None
    operation: str | msgspec.UnsetType = msgspec.UNSET


AnyOrder = LimitOrder | MarketOrder


class BatchError(msgspec.Struct, frozen=True, gc=False):
    """One order of a batch that was refused."""

    code: Code
    message: str
    operation: str = "Err"


def order_to_wire(order: OrderView, spec: MarketSpec, operation: str | msgspec.UnsetType = msgspec.UNSET) -> AnyOrder:
    """An order as `/order` and `/orders` show it; `operation` is for an item of a batch answer."""
    if order.order_type is _LIMIT:
        return LimitOrder(
            order_type=order.order_type,
            id=str(order.order_id),
            client_id=order.client_id,
            created_at=milliseconds(order.created_us),
            symbol=order.market,
            side=order.side,
            quantity=quantity_text(order.lots, spec),
            executed_quantity=quantity_text(order.filled_lots, spec),
            executed_quote_quantity=amount_text(order.filled_quote_atoms, spec.quote_decimals),
            status=order.status,
            time_in_force=order.time_in_force,
            self_trade_prevention=order.self_trade_prevention,
            price=price_text(order.price_ticks, spec),
            post_only=order.post_only,
            operation=operation,
        )
    tolerance, kind = slippage_texts(order)
    return MarketOrder(
        order_type=order.order_type,
        id=str(order.order_id),
        client_id=order.client_id,
        created_at=milliseconds(order.created_us),
        symbol=order.market,
        side=order.side,
        quantity=quantity_text(order.lots, spec) if order.lots else None,
        executed_quantity=quantity_text(order.filled_lots, spec),
        executed_quote_quantity=amount_text(order.filled_quote_atoms, spec.quote_decimals),
        status=order.status,
        time_in_force=order.time_in_force,
        self_trade_prevention=order.self_trade_prevention,
        quote_quantity=amount_text(order.quote_atoms, spec.quote_decimals) if order.quote_atoms else None,
        slippage_tolerance=tolerance,
        slippage_tolerance_type=kind,
        operation=operation,
    )


def one_order(outcome: Outcome, spec: MarketSpec) -> AnyOrder:
    """What a command for one order has come to."""
    return order_to_wire(outcome.orders[0], spec)


def all_orders(outcome: Outcome, spec: MarketSpec) -> list[AnyOrder]:
    """What a command for many orders has come to."""
    return [order_to_wire(order, spec) for order in outcome.orders]


def slippage_texts(order: OrderView) -> tuple[str | None, str | None]:
    """A market order's own tolerance and its kind, as it was given."""
    if order.slippage_ticks is not None:
        return str(order.slippage_ticks), "TickSize"
    if order.slippage_ppm is not None:
        return amount_text(order.slippage_ppm, PERCENT_DECIMALS), "Percent"
    return None, None
