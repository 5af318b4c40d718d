"""Orders and their fills, as they are shown."""

from enum import StrEnum, unique

from exchange.values.base import View
from exchange.values.commands import AnyCommand
from exchange.values.enums import (
    CancelReason,
    ExpiryReason,
    OrderStatus,
    OrderType,
    SelfTradePrevention,
    Side,
    TimeInForce,
)
from exchange.values.events import AnyEvent
from exchange.values.ids import AccountId, OrderId
from exchange.values.refusals import Refusal


class OrderView(View, frozen=True):
    """An order at one moment, open or ended.

    `ended_seq`, `ended_command` and `ended_by` say which record ended it and who sent that; only its history knows.
    """

    order_id: OrderId
    account: AccountId
    market: str
    side: Side
    order_type: OrderType
    price_ticks: int
    lots: int
    quote_atoms: int
    filled_lots: int
    filled_quote_atoms: int
    status: OrderStatus
    time_in_force: TimeInForce
    post_only: bool
    self_trade_prevention: SelfTradePrevention
    client_id: int | None
    created_us: int
    expiry_reason: ExpiryReason | None = None
    cancel_reason: CancelReason | None = None
    slippage_ticks: int | None = None
    slippage_ppm: int | None = None
    ended_seq: int | None = None
    ended_command: str | None = None
    ended_by: str | None = None


class FillView(View, frozen=True):
    """One side of one trade, as its owner sees it."""

    seq: int
    time_us: int
    account: AccountId
    market: str
    trade_id: int
    order_id: OrderId
    client_id: int | None
    side: Side
    price_ticks: int
    lots: int
    quote_atoms: int
    fee_atoms: int
    fee_asset: str
    is_maker: bool


class Outcome(View, frozen=True):
    """What became of a command: its record (`seq` 0 if it never became one) and the orders it touched.

    Exactly one of these holds: `refusal` is set and nothing changed, or the command was carried out.
    `orders` has the placed order after matching, or the cancelled orders in the order they were ended.
    """

    seq: int
    time_us: int
    command: AnyCommand
    events: tuple[AnyEvent, ...] = ()
    refusal: Refusal | None = None
    orders: tuple[OrderView, ...] = ()


@unique
class OrderUpdateKind(StrEnum):
    ACCEPTED = "orderAccepted"
    FILL = "orderFill"
    CANCELLED = "orderCancelled"
    EXPIRED = "orderExpired"


class OrderUpdate(View, frozen=True):
    kind: OrderUpdateKind
    order: OrderView
    time_us: int
    fill: FillView | None = None
