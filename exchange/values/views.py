"""What the exchange shows: answers to queries and updates on streams, in the exchange's own units.

The gateway turns these into wire payloads; it sees nothing of the core. Prices are in ticks,
quantities in lots, amounts in atoms, times in µs since 1970 (UTC).
"""

from enum import StrEnum, unique

from exchange.values.commands import AnyCommand, TwoPeopleCommand
from exchange.values.enums import (
    CancelReason,
    ExpiryReason,
    Mode,
    OrderStatus,
    OrderType,
    Pause,
    Role,
    Scope,
    SelfTradePrevention,
    Side,
    TimeInForce,
)
from exchange.values.events import AnyEvent
from exchange.values.ids import AccountId, AdminId, KeyId, OrderId, ProposalId, UserId
from exchange.values.maintenance_views import MaintenanceView, View
from exchange.values.refusals import Refusal
from exchange.values.specs import AccountSettings, FeeTier, MarketFilters, MarketSpec

# --- orders --------------------------------------------------------------------------------------


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


# --- accounts ---------------------------------------------------------------------------------------


class BalanceView(View, frozen=True):
    asset: str
    available_atoms: int
    locked_atoms: int


class KeyView(View, frozen=True):
    """An API key that is in force."""

    key_id: KeyId
    account: AccountId
    public_key: str
    scopes: tuple[Scope, ...]
    label: str = ""


class AdminView(View, frozen=True):
    """An admin in force; `added_by` are those who agreed on adding them, none at the founding."""

    admin: AdminId
    name: str
    public_key: str
    roles: tuple[Role, ...]
    added_by: tuple[AdminId, ...] = ()


class ProposalView(View, frozen=True):
    """A command that waits until `expires_us` for a second person who asks for the same; it names who asked first."""

    proposal: ProposalId
    command: TwoPeopleCommand
    expires_us: int


class PeopleView(View, frozen=True):
    """Who runs the venue. `standing` says in words how many people it takes to act: "one person", or two."""

    standing: str
    approvers: int
    admins: tuple[AdminView, ...]
    proposals: tuple[ProposalView, ...]


class AccountView(View, frozen=True):
    account: AccountId
    user: UserId
    settings: AccountSettings
    fee_tier: FeeTier
    open_orders: int
    cancel_all_after_us: int = 0


class LedgerLine(View, frozen=True):
    """One leg of one posting on one account, and what its bucket held afterwards.

    `command` and `actor` say what it came of, as far as the account may know: other traders stay unnamed.
    """

    seq: int
    index: int
    time_us: int
    account: AccountId
    asset: str
    bucket: str
    atoms: int
    balance_atoms: int
    kind: str
    command: str
    actor: str
    order_id: OrderId | None = None
    trade_id: int | None = None
    market: str | None = None
    reference: str = ""


# --- markets ---------------------------------------------------------------------------------------------


class MarketView(View, frozen=True):
    """A listing as it stands; `mode` is the one that rules (the lower of the venue's and the market's own)."""

    spec: MarketSpec
    filters: MarketFilters
    mode: Mode
    mode_reason: str
    listed_us: int
    last_price_ticks: int = 0


class DepthView(View, frozen=True):
    """Levels nearest the touch, both sides ascending by price: `(price_ticks, lots)`."""

    market: str
    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]
    update_id: int
    time_us: int


class TradeView(View, frozen=True):
    market: str
    trade_id: int
    price_ticks: int
    lots: int
    quote_atoms: int
    time_us: int
    buyer_order_id: OrderId
    seller_order_id: OrderId
    buyer_is_maker: bool


class CandleView(View, frozen=True):
    """One kline. Prices are None where nothing traded. `end_us` is exclusive."""

    market: str
    interval: str
    start_us: int
    end_us: int
    open_ticks: int | None
    high_ticks: int | None
    low_ticks: int | None
    close_ticks: int | None
    lots: int
    quote_atoms: int
    trades: int
    closed: bool


class TickerView(View, frozen=True):
    market: str
    first_ticks: int
    last_ticks: int
    high_ticks: int
    low_ticks: int
    lots: int
    quote_atoms: int
    trades: int
    time_us: int


class PauseView(View, frozen=True):
    pause: Pause
    asset: str | None
    reason: str


class ConditionView(View, frozen=True):
    """Something that keeps the running process from its full service.

    `part`: writer, history or loop. `message` is for everybody, `way_out` for operators. `stops_orders`: new orders are
    refused meanwhile.
    """

    part: str
    message: str
    way_out: str
    since_us: int
    stops_orders: bool


class StatusView(View, frozen=True):
    """The venue as a whole, and every market's ruling mode with its reason."""

    venue: str
    mode: Mode
    reason: str
    changed_us: int
    markets: dict[str, tuple[Mode, str]]
    pauses: tuple[PauseView, ...]
    build: str
    epoch: int
    maintenance: MaintenanceView
    conditions: tuple[ConditionView, ...] = ()


# --- updates on streams -------------------------------------------------------------------------------------


class DepthDelta(View, frozen=True):
    """Levels that changed, with their new total lots (0: gone), ascending by price.

    Ids are contiguous per market: `first_id` is the previous delta's `last_id` + 1.
    """

    market: str
    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]
    first_id: int
    last_id: int
    time_us: int


class BookTicker(View, frozen=True):
    """The touch; a side without orders has None."""

    market: str
    bid_ticks: int | None
    bid_lots: int | None
    ask_ticks: int | None
    ask_lots: int | None
    update_id: int
    time_us: int


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


class BalanceUpdate(View, frozen=True):
    account: AccountId
    asset: str
    available_atoms: int
    locked_atoms: int
    time_us: int


Update = DepthDelta | BookTicker | TradeView | CandleView | TickerView | OrderUpdate | BalanceUpdate | StatusView
