"""What a trader asks for, with an API key."""

from exchange.values.commands.base import Command
from exchange.values.enums import (
    OrderType,
    SelfTradePrevention,
    Side,
    TimeInForce,
)
from exchange.values.ids import AccountId, KeyId, OrderId
from exchange.values.specs import SettingsChange


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


class UpdateAccount(Command, frozen=True):
    """Change some of a sub-account's settings: only what was asked, so that two clients never undo each other."""

    account: AccountId
    key_id: KeyId
    change: SettingsChange
