"""What is asked about orders, and the commands it becomes.

What the core can judge is left to the core. Refused here is only what can't become a command:
text that is no number of the market's, and fields of products this venue doesn't have.
"""

from collections.abc import Callable
from typing import Annotated, Final, Protocol

import msgspec

from exchange.gateway.orders.wire import PERCENT_DECIMALS
from exchange.gateway.wire.base import Payload
from exchange.gateway.wire.errors import NOT_FOUND, invalid
from exchange.gateway.wire.numbers import (
    WireDecimal,
    absent,
    decimal_text,
    price_ticks,
    quantity_lots,
    quote_quantity_atoms,
)
from exchange.values.accounts.views import KeyView
from exchange.values.enums import OrderType, SelfTradePrevention, Side, TimeInForce
from exchange.values.ids import MAX_CLIENT_ID, MAX_ID, OrderId
from exchange.values.listings.specs import MarketSpec
from exchange.values.listings.views import MarketView
from exchange.values.numbers import MAX_ATOMS, NotADecimal, TooLarge, TooManyDecimals, parse_decimal
from exchange.values.orders.commands import CancelAll, CancelOrder, PlaceOrder, SetCancelAllAfter
from exchange.values.refusals import Code, Refusal

# On the path of every order: reading a member off its enum class costs several times a global.
_GTC: Final = TimeInForce.GTC
_REJECT_TAKER: Final = SelfTradePrevention.REJECT_TAKER

_NO_TRIGGERS: Final = Refusal(Code.NOT_IMPLEMENTED, "Trigger, stop-loss and take-profit orders are not available")
_HALF_A_TRIGGER: Final = invalid("Must specify both `triggerPrice` and `triggerQuantity` or neither")
_NO_REDUCE_ONLY: Final = Refusal(Code.INVALID_ORDER, "`reduceOnly` is for futures markets")
_NO_BORROWING: Final = Refusal(Code.NOT_IMPLEMENTED, "Borrowing and lending are not available")
_CLIENT_ID: Final = invalid(f"`clientId` must be a whole number from 0 to {MAX_CLIENT_ID}")
_ORDER_ID: Final = invalid("Invalid `orderId`")
_ONE_ID: Final = invalid("Must specify exactly one of `orderId` and `clientId`")
_SLIPPAGE: Final = invalid("Must specify both `slippageTolerance` and `slippageToleranceType` or neither")
_TOLERANCE: Final = Refusal(Code.INVALID_ORDER, "Invalid `slippageTolerance`")

Text = str | int | float | None


class OrderExecutePayload(Payload, frozen=True):
    """An order to place. `clientId` is a whole number from 0 to 4294967295.

    `cancelAtClose` is ours: it is cancelled when its market closes for maintenance.
    """

    symbol: str
    side: Side
    order_type: OrderType
    price: WireDecimal = msgspec.field(default_factory=absent)
    quantity: WireDecimal = msgspec.field(default_factory=absent)
    quote_quantity: WireDecimal = msgspec.field(default_factory=absent)
    time_in_force: TimeInForce | None = None
    post_only: bool | None = None
    self_trade_prevention: SelfTradePrevention | None = None
    client_id: int | str | None = None
    slippage_tolerance: WireDecimal = msgspec.field(default_factory=absent)
    slippage_tolerance_type: str | None = None
    reduce_only: bool | None = None
    auto_borrow: bool | None = None
    auto_borrow_repay: bool | None = None
    auto_lend: bool | None = None
    auto_lend_redeem: bool | None = None
    trigger_price: Text = None
    trigger_quantity: Text = None
    take_profit_trigger_price: Text = None
    take_profit_limit_price: Text = None
    stop_loss_trigger_price: Text = None
    stop_loss_limit_price: Text = None
    # How ccxt writes conditions for venues that have them; left unread, a stop would trade at once.
    stop_price: Text = None
    stop_loss_price: Text = None
    take_profit_price: Text = None
    trailing_amount: Text = None
    trailing_percent: Text = None
    cancel_at_close: bool | None = None


class OrderCancelPayload(Payload, frozen=True):
    """The order to cancel, by exactly one of its two ids."""

    symbol: str
    order_id: str | int | None = None
    client_id: int | str | None = None


class OrderCancelAllPayload(Payload, frozen=True):
    """Cancel the orders of one market: all, or those of one kind."""

    symbol: str
    order_type: str | None = None


class OrderQuery(Payload, frozen=True):
    """The order to look up, by exactly one of its two ids."""

    symbol: str
    order_id: str | int | None = None
    client_id: int | str | None = None


class Timeout(msgspec.Struct, frozen=True, gc=False):
    """`timeout` in ms; 0 turns the switch off."""

    timeout: Annotated[int, msgspec.Meta(ge=0, le=MAX_ID)]


class Armed(msgspec.Struct, frozen=True, gc=False):
    armed: bool


class OfMarket(Protocol):
    """A payload that names one market."""

    @property
    def symbol(self) -> str: ...


def place_order(payload: OrderExecutePayload, key: KeyView, market: MarketView) -> PlaceOrder | Refusal:
    """The command an order payload asks for; `market` is the one its symbol names."""
    refusal = _unsupported(payload)
    if refusal is not None:
        return refusal
    spec = market.spec
    client_id = client_id_of(payload.client_id)
    if isinstance(client_id, Refusal):
        return client_id
    price = _optional(payload.price, price_ticks, spec)
    if isinstance(price, Refusal):
        return price
    lots = _optional(payload.quantity, quantity_lots, spec)
    if isinstance(lots, Refusal):
        return lots
    quote_atoms = _optional(payload.quote_quantity, quote_quantity_atoms, spec)
    if isinstance(quote_atoms, Refusal):
        return quote_atoms
    slippage = _slippage(payload)
    if isinstance(slippage, Refusal):
        return slippage
    return PlaceOrder(
        account=key.account,
        key_id=key.key_id,
        market=spec.symbol,
        side=payload.side,
        order_type=payload.order_type,
        price_ticks=price,
        lots=lots,
        quote_atoms=quote_atoms,
        time_in_force=payload.time_in_force or _GTC,
        post_only=payload.post_only or False,
        self_trade_prevention=payload.self_trade_prevention or _REJECT_TAKER,
        client_id=client_id,
        slippage_ticks=slippage[0],
        slippage_ppm=slippage[1],
        cancel_at_close=payload.cancel_at_close or False,
    )


def _optional(raw: msgspec.Raw, count: Callable[[str, MarketSpec], int | Refusal], spec: MarketSpec) -> int | Refusal:
    """A decimal field as a count; 0 when it is absent."""
    text = decimal_text(raw)
    return 0 if text is None else count(text, spec)


def _unsupported(payload: OrderExecutePayload) -> Refusal | None:
    if (payload.trigger_price is None) != (payload.trigger_quantity is None):
        return _HALF_A_TRIGGER
    if (
        payload.trigger_price is not None
        or payload.take_profit_trigger_price is not None
        or payload.take_profit_limit_price is not None
        or payload.stop_loss_trigger_price is not None
        or payload.stop_loss_limit_price is not None
        or payload.stop_price is not None
        or payload.stop_loss_price is not None
        or payload.take_profit_price is not None
        or payload.trailing_amount is not None
        or payload.trailing_percent is not None
    ):
        return _NO_TRIGGERS
    if payload.reduce_only:
        return _NO_REDUCE_ONLY
    if payload.auto_borrow or payload.auto_borrow_repay or payload.auto_lend or payload.auto_lend_redeem:
        return _NO_BORROWING
    return None


def _slippage(payload: OrderExecutePayload) -> tuple[int | None, int | None] | Refusal:
    """The tolerance in (ticks, ppm); at most one of them is set."""
    text, kind = decimal_text(payload.slippage_tolerance), payload.slippage_tolerance_type
    if text is None and kind is None:
        return None, None
    if text is None or kind is None:
        return _SLIPPAGE
    try:
        if kind == "TickSize":
            return parse_decimal(text, 0), None
        if kind == "Percent":
            return None, parse_decimal(text, PERCENT_DECIMALS)
    except (NotADecimal, TooManyDecimals, TooLarge):
        return _TOLERANCE
    return invalid("Invalid `slippageToleranceType`: TickSize or Percent")


def cancel_order(payload: OrderCancelPayload, key: KeyView, market: MarketView) -> CancelOrder | Refusal:
    """The command that cancels one order."""
    ids = order_ids(payload)
    if isinstance(ids, Refusal):
        return ids
    return CancelOrder(
        account=key.account, key_id=key.key_id, market=market.spec.symbol, order_id=ids[0], client_id=ids[1]
    )


def cancel_all(payload: OrderCancelAllPayload, key: KeyView, market: MarketView) -> CancelAll | Refusal | None:
    """The command that cancels a market's orders; None if the kind asked for can't exist here, so nothing is to do."""
    if payload.order_type not in (None, "RestingLimitOrder", "ConditionalOrder"):
        return invalid("Invalid `orderType`: RestingLimitOrder or ConditionalOrder")
    if payload.order_type == "ConditionalOrder":
        return None
    return CancelAll(account=key.account, key_id=key.key_id, market=market.spec.symbol)


def cancel_all_after(payload: Timeout, key: KeyView) -> SetCancelAllAfter:
    """The command that sets the dead-man's switch, or turns it off."""
    return SetCancelAllAfter(key.account, key.key_id, payload.timeout * 1_000)


def order_ids(payload: OrderCancelPayload | OrderQuery) -> tuple[OrderId | None, int | None] | Refusal:
    """(order id, client id), exactly one of which is set."""
    if (payload.order_id is None) == (payload.client_id is None):
        return _ONE_ID
    if payload.order_id is not None:
        order_id = order_id_of(payload.order_id)
        return order_id if isinstance(order_id, Refusal) else (order_id, None)
    client_id = client_id_of(payload.client_id)
    return client_id if isinstance(client_id, Refusal) else (None, client_id)


def order_id_of(value: str | int) -> OrderId | Refusal:
    """An order id as text or number; one no order can have is simply not found."""
    number = _whole(value)
    if number is None:
        return _ORDER_ID
    return OrderId(number) if number <= MAX_ID else NOT_FOUND


def client_id_of(value: str | int | None) -> int | Refusal | None:
    if value is None:
        return None
    number = _whole(value)
    return _CLIENT_ID if number is None or number > MAX_CLIENT_ID else number


def _whole(value: str | int) -> int | None:
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) <= len(str(MAX_ATOMS)) else None
    return value if value >= 0 else None
