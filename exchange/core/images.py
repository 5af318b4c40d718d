"""The shapes of a snapshot's lines (`core.snapshot`)."""

import msgspec

from exchange.values.accounts.settings import AccountSettings
from exchange.values.enums import Mode, Pause, Scope, SelfTradePrevention, Side
from exchange.values.ids import AccountId, AdminId, KeyId, OrderId, UserId
from exchange.values.listings.specs import AssetSpec, FeeTier, Limits, MarketFilters, MarketSpec
from exchange.values.people.admins import AdminSpec
from exchange.values.people.events import CommandProposed
from exchange.values.windows.certificate import Certificate, CertificateId, Gate, VenueKey
from exchange.values.windows.events import GatesFailed
from exchange.values.windows.plan import WindowId, WindowPlan, WindowStage


class MarketImage(msgspec.Struct, frozen=True, gc=False):
    spec: MarketSpec
    filters: MarketFilters
    listed_us: int
    mode: Mode
    mode_reason: str
    last_price_ticks: int
    trade_id: int
    update_id: int
    mode_changed_us: int
    mode_seq: int
    trading_seq: int


class WindowImage(msgspec.Struct, frozen=True, gc=False):
    window: WindowId
    plan: WindowPlan
    stage: WindowStage
    reason: str
    stage_us: int
    begun: bool
    closed: bool
    closing_id: CertificateId
    waiting: tuple[str, ...]
    canary_open: bool


class VenueImage(msgspec.Struct, frozen=True, gc=False):
    format: int
    seq: int
    time_us: int
    epoch: int
    venue: str
    venue_public_key: str
    assets: tuple[AssetSpec, ...]
    markets: tuple[MarketImage, ...]
    fee_tiers: tuple[FeeTier, ...]
    limits: Limits
    auto_resume: bool
    rules: tuple[str, ...]
    tiers: tuple[tuple[UserId, int], ...]
    admins: tuple[tuple[AdminId, AdminSpec, tuple[AdminId, ...]], ...]
    references: tuple[tuple[str, int], ...]
    mode: Mode
    mode_reason: str
    mode_changed_us: int
    pauses: tuple[tuple[Pause, str, str], ...]
    build: str
    stopped: bool
    resume_mode: Mode | None
    orphaned: tuple[tuple[AccountId, str], ...]
    mode_seq: int
    trading_seq: int
    posted_seq: int
    started_seq: int
    frozen_since_us: int
    frozen_us: int
    venue_keys: tuple[VenueKey, ...]
    windows: tuple[WindowImage, ...]
    certificates: tuple[tuple[CertificateId, Certificate], ...]
    issued: tuple[tuple[CertificateId, WindowId], ...]
    approvals: tuple[tuple[CertificateId, tuple[AdminId, ...]], ...]
    waivers: tuple[tuple[WindowId, Gate, tuple[AdminId, ...]], ...]
    failed_gates: GatesFailed | None
    losses: tuple[tuple[int, int, int], ...]
    proposals: tuple[CommandProposed, ...]
    spent_keys: tuple[str, ...]
    unheard: tuple[AdminId, ...]
    ended_count: int


class KeyImage(msgspec.Struct, frozen=True, gc=False, array_like=True):
    key_id: KeyId
    public_key: str
    scopes: tuple[Scope, ...]
    label: str


class OrderImage(msgspec.Struct, frozen=True, gc=False, array_like=True):
    order_id: OrderId
    market: str
    side: Side
    price_ticks: int
    lots: int
    left_lots: int
    reserved_atoms: int
    filled_quote_atoms: int
    post_only: bool
    self_trade_prevention: SelfTradePrevention
    client_id: int | None
    created_us: int
    cancel_at_close: bool


class EndedImage(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A client id that an ended order keeps to itself (`core.client_ids`)."""

    number: int
    order_id: OrderId
    ended_us: int
    market: str
    client_id: int


class AccountImage(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`balances` are (asset, available atoms, locked atoms) by asset; `orders` by id; `ended` by number; `keyed` is of
    the user."""

    account: AccountId
    label: str
    balances: tuple[tuple[str, int, int], ...] = ()
    orders: tuple[OrderImage, ...] = ()
    keys: tuple[KeyImage, ...] = ()
    settings: AccountSettings = AccountSettings()
    cancel_all_after_us: int = 0
    armed_sessions: tuple[str, ...] = ()
    changed_seq: int = 0
    ended: tuple[EndedImage, ...] = ()
    keyed: bool = False
