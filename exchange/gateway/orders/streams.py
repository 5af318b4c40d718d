"""The `data` of the stream of an account's orders and fills, in the wire contract's letters."""

import msgspec
from msgspec import UNSET, UnsetType

from exchange.gateway.wire.numbers import amount_text, price_text, quantity_text
from exchange.values.enums import OrderType
from exchange.values.listings.specs import AssetSpec, MarketSpec
from exchange.values.orders.views import OrderUpdate, OrderUpdateKind

_encode = msgspec.json.Encoder().encode


class _OrderUpdate(
    msgspec.Struct,
    gc=False,
    omit_defaults=True,
    rename={
        "event": "e",
        "event_us": "E",
        "symbol": "s",
        "engine_us": "T",
        "client_id": "c",
        "side": "S",
        "order_type": "o",
        "time_in_force": "f",
        "quantity": "q",
        "quote_quantity": "Q",
        "price": "p",
        "status": "X",
        "order_id": "i",
        "trade_id": "t",
        "fill_quantity": "l",
        "executed": "z",
        "executed_quote": "Z",
        "fill_price": "L",
        "is_maker": "m",
        "fee": "n",
        "fee_symbol": "N",
        "self_trade_prevention": "V",
        "reduce_only": "r",
        "post_only": "y",
        "origin": "O",
        "expiry_reason": "R",
    },
):
    event: str
    event_us: int
    symbol: str
    side: str
    order_type: str
    time_in_force: str
    quantity: str
    status: str
    order_id: str
    trade_id: int | None
    executed: str
    executed_quote: str
    self_trade_prevention: str
    reduce_only: bool
    origin: str
    engine_us: int
    client_id: int | UnsetType = UNSET
    quote_quantity: str | UnsetType = UNSET
    price: str | UnsetType = UNSET
    post_only: bool | UnsetType = UNSET
    fill_quantity: str | UnsetType = UNSET
    fill_price: str | UnsetType = UNSET
    is_maker: bool | UnsetType = UNSET
    fee: str | UnsetType = UNSET
    fee_symbol: str | UnsetType = UNSET
    expiry_reason: str | UnsetType = UNSET


def order_update(update: OrderUpdate, spec: MarketSpec, fee_asset: AssetSpec | None = None) -> bytes:
    """`fee_asset` is the asset a fill's fee is counted in; needed for fills alone.

    A limit order's quote quantity is its whole value; a market order sized by quote shows what it
    has executed as its quantity, since it has no other.
    """
    order, fill = update.order, update.fill
    message = _OrderUpdate(
        event=update.kind.value,
        event_us=update.time_us,
        symbol=order.market,
        side=order.side.value,
        order_type=order.order_type.value.upper(),
        time_in_force=order.time_in_force.value,
        quantity=quantity_text(order.lots or order.filled_lots, spec),
        status=order.status.value,
        order_id=str(order.order_id),
        trade_id=None,
        executed=quantity_text(order.filled_lots, spec),
        executed_quote=amount_text(order.filled_quote_atoms, spec.quote_decimals),
        self_trade_prevention=order.self_trade_prevention.value,
        reduce_only=False,
        origin="USER",
        engine_us=update.time_us,
    )
    if order.client_id is not None:
        message.client_id = order.client_id
    quote_atoms = order.quote_atoms
    if order.order_type is OrderType.LIMIT:
        message.price = price_text(order.price_ticks, spec)
        message.post_only = order.post_only
        quote_atoms = order.price_ticks * order.lots * spec.quote_atoms_per_tick_lot
    if quote_atoms:
        message.quote_quantity = amount_text(quote_atoms, spec.quote_decimals)
    if fill is not None and fee_asset is not None:
        message.trade_id = fill.trade_id
        message.fill_quantity = quantity_text(fill.lots, spec)
        message.fill_price = price_text(fill.price_ticks, spec)
        message.is_maker = fill.is_maker
        message.fee = amount_text(fill.fee_atoms, fee_asset.decimals)
        message.fee_symbol = fill.fee_asset
    if update.kind is OrderUpdateKind.EXPIRED and order.expiry_reason is not None:
        message.expiry_reason = order.expiry_reason.value
    return _encode(message)
