"""Orders: what a trader asks for, and the cancels that the venue asks of itself."""

from exchange.values.base import Command
from exchange.values.enums import (
    CancelReason,
    OrderType,
    SelfTradePrevention,
    Side,
    TimeInForce,
)
from exchange.values.ids import AccountId, KeyId, OrderId


class PlaceOrder(Command, frozen=True):
    """Place an order.

    A limit order has `price_ticks` and `lots`. A market order has either `lots`, or
    `quote_atoms`: how much to spend (Bid) or to receive (Ask) at most.
    `slippage_ticks` / `slippage_ppm` bound a market order's price against the touch.
    """

    account: AccountId
    key_id: KeyId
    market: str
    side: Side
    order_type: OrderType = OrderType.LIMIT
    price_ticks: int = 0
    lots: int = 0
    quote_atoms: int = 0
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.REJECT_TAKER
    client_id: int | None = None
    slippage_ticks: int | None = None
    slippage_ppm: int | None = None
    cancel_at_close: bool = False


class CancelOrder(Command, frozen=True):
    """Cancel one resting order, by exactly one of `order_id` and `client_id`."""

    account: AccountId
    key_id: KeyId
    market: str
    order_id: OrderId | None = None
    client_id: int | None = None


class CancelAll(Command, frozen=True):
    """Cancel every resting order of an account on one market."""

    account: AccountId
    key_id: KeyId
    market: str


class SetCancelAllAfter(Command, frozen=True):
    """Dead-man's switch: unless set again within `timeout_us`, every order of the account is cancelled.

    0 turns it off.
    """

    account: AccountId
    key_id: KeyId
    timeout_us: int


class SetCancelOnDisconnect(Command, frozen=True):
    """Cancel every order of the account when the trading session `session` ends."""

    account: AccountId
    key_id: KeyId
    session: str
    armed: bool


class CancelForAccount(Command, frozen=True):
    """Cancel orders of an account on all markets because a timer ran out or a session ended.

    Bounded: one command ends at most `rules.limits.MAX_CANCELS_PER_COMMAND` orders; the due work
    stays in state until none is left.
    """

    account: AccountId
    reason: CancelReason
    session: str | None = None


TraderCommand = PlaceOrder | CancelOrder | CancelAll | SetCancelAllAfter | SetCancelOnDisconnect
SystemCommand = CancelForAccount
