"""Commands are verbs: what somebody, or the venue itself, asks for. Each may be refused.

A command names who sent it: `key_id` for a trader's API key, `admin` for an admin; a command
with neither is the venue's own (`SYSTEM`). Fields are added, never renamed or reused; a new
field has a default, so an old record still reads.
"""

import msgspec

from exchange.values.enums import (
    CancelReason,
    Mode,
    OrderType,
    Pause,
    Role,
    Scope,
    SelfTradePrevention,
    Side,
    TimeInForce,
)
from exchange.values.ids import AccountId, AdminId, KeyId, OrderId, SubaccountId, UserId
from exchange.values.specs import AccountSettings, AssetSpec, FeeTier, Limits, MarketFilters, MarketSpec


class Command(
    msgspec.Struct, frozen=True, gc=False, tag_field="type", tag=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Base of all commands; in a record its kind stands in `"type"`."""


# --- trading -------------------------------------------------------------------------------


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
    """Replace a sub-account's settings."""

    account: AccountId
    key_id: KeyId
    settings: AccountSettings


# --- the venue's own: timers, process life ---------------------------------------------------


class CancelForAccount(Command, frozen=True):
    """Cancel orders of an account on all markets because a timer ran out or a session ended.

    Bounded: one command ends at most `rules.limits.MAX_CANCELS_PER_COMMAND` orders; the due work
    stays in state until none is left.
    """

    account: AccountId
    reason: CancelReason
    session: str | None = None


class StartProcess(Command, frozen=True):
    """First command of every process: the venue goes OFFLINE.

    `clean` says whether the process before ended with `StopProcess`.
    """

    build: str
    clean: bool


class StopProcess(Command, frozen=True):
    """Last command of a process that ends in order."""

    reason: str


class ResumeModes(Command, frozen=True):
    """Step the venue back to the mode it had before the start; the core takes it only from the
    same build, under the `auto_resume` policy, before anything else changed."""


class ReportFault(Command, frozen=True):
    """Take a market OFFLINE because a command on it met a bug of ours."""

    market: str
    error_id: str


class DropToCancelOnly(Command, frozen=True):
    """The venue's own brake: its clock has left its bounds, or a check of its own failed."""

    reason: str


# --- administration --------------------------------------------------------------------------


class AdminSpec(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """An admin: base64 Ed25519 public key, roles, and a name for the records."""

    name: str
    public_key: str
    roles: tuple[Role, ...]


class ListedMarket(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    spec: MarketSpec
    filters: MarketFilters


class Genesis(Command, frozen=True):
    """The first record: everything the venue opens with."""

    venue: str
    venue_public_key: str
    assets: tuple[AssetSpec, ...]
    markets: tuple[ListedMarket, ...]
    fee_tiers: tuple[FeeTier, ...]
    admins: tuple[AdminSpec, ...]
    limits: Limits = Limits()
    auto_resume: bool = False


class SetMode(Command, frozen=True):
    """Change the mode of one market, or of the whole venue (`market` None)."""

    admin: AdminId
    mode: Mode
    reason: str
    market: str | None = None


class SetPause(Command, frozen=True):
    """Throw one of the switches beside the modes, for one asset or for all (`asset` None)."""

    admin: AdminId
    pause: Pause
    paused: bool
    reason: str
    asset: str | None = None


class ListAsset(Command, frozen=True):
    admin: AdminId
    asset: AssetSpec


class ListMarket(Command, frozen=True):
    """List a market; it starts OFFLINE."""

    admin: AdminId
    market: ListedMarket


class SetFilters(Command, frozen=True):
    admin: AdminId
    market: str
    filters: MarketFilters
    reason: str


class SetFeeTiers(Command, frozen=True):
    admin: AdminId
    fee_tiers: tuple[FeeTier, ...]
    reason: str


class SetUserTier(Command, frozen=True):
    admin: AdminId
    user: UserId
    tier: int
    reason: str


class SetLimits(Command, frozen=True):
    admin: AdminId
    limits: Limits
    reason: str


class SetAutoResume(Command, frozen=True):
    admin: AdminId
    auto_resume: bool
    reason: str


class ActivateRule(Command, frozen=True):
    """Switch a named rule version on, for ever (`rules.versions` lists them)."""

    admin: AdminId
    rule: str
    reason: str


class OpenAccount(Command, frozen=True):
    """Open a new user's first account (`user` None), or a further sub-account of a user.

    A new user's id is the seq of this command.
    """

    admin: AdminId
    user: UserId | None = None
    subaccount: SubaccountId = SubaccountId(0)
    label: str = ""


class AddKey(Command, frozen=True):
    """Give a sub-account an API key: base64 of a 32-byte Ed25519 public key."""

    admin: AdminId
    account: AccountId
    public_key: str
    scopes: tuple[Scope, ...]
    label: str = ""


class RevokeKey(Command, frozen=True):
    admin: AdminId
    key_id: KeyId
    reason: str


class AddAdmin(Command, frozen=True):
    admin: AdminId
    added: AdminSpec
    reason: str


class RevokeAdmin(Command, frozen=True):
    admin: AdminId
    revoked: AdminId
    reason: str


class CreditDeposit(Command, frozen=True):
    """Credit what arrived from outside. `reference` is unique: a second credit under it is refused."""

    admin: AdminId
    account: AccountId
    asset: str
    atoms: int
    reference: str


TradingCommand = PlaceOrder | CancelOrder | CancelAll | SetCancelAllAfter | SetCancelOnDisconnect | UpdateAccount
SystemCommand = CancelForAccount | StartProcess | StopProcess | ResumeModes | ReportFault | DropToCancelOnly
AdminCommand = (
    SetMode
    | SetPause
    | ListAsset
    | ListMarket
    | SetFilters
    | SetFeeTiers
    | SetUserTier
    | SetLimits
    | SetAutoResume
    | ActivateRule
    | OpenAccount
    | AddKey
    | RevokeKey
    | AddAdmin
    | RevokeAdmin
    | CreditDeposit
)
AnyCommand = TradingCommand | SystemCommand | AdminCommand | Genesis
