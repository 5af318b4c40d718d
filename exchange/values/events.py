"""Events are past-tense facts. They can't fail, and they carry every amount they move.

`core.evolve` applies them and knows no rule, so an event says everything that changes. New kinds
and fields appear only after the rule version that makes them is activated.
"""

import msgspec

from exchange.values.commands import AdminSpec
from exchange.values.enums import (
    Bucket,
    CancelReason,
    ExpiryReason,
    Mode,
    OrderStatus,
    Pause,
    Scope,
    SelfTradePrevention,
    Side,
)
from exchange.values.ids import AccountId, AdminId, KeyId, OrderId, UserId
from exchange.values.maintenance import (
    Certificate,
    CertificateId,
    Gate,
    GateResult,
    WindowId,
    WindowPlan,
    WindowStage,
)
from exchange.values.refusals import Code
from exchange.values.specs import AccountSettings, AssetSpec, FeeTier, Limits, MarketFilters, MarketSpec


class Event(
    msgspec.Struct, frozen=True, gc=False, tag_field="type", tag=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Base of all events; in a record its kind stands in `"type"`."""


# --- orders and trades -------------------------------------------------------------------------


class OrderRested(Event, frozen=True):
    """An order, or what its fills left of it, joined the back of its price level.

    `reserved_atoms` (base for an Ask, quote for a Bid) moved from available to locked.
    """

    order_id: OrderId
    account: AccountId
    market: str
    side: Side
    price_ticks: int
    lots: int
    left_lots: int
    reserved_atoms: int
    filled_quote_atoms: int = 0
    post_only: bool = False
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.REJECT_TAKER
    client_id: int | None = None
    cancel_at_close: bool = False


class Traded(Event, frozen=True):
    """Taker and maker exchanged base for quote at the maker's price; both paid their fee out of what they received.

    The buyer pays `quote_atoms` and receives `base_atoms`, the seller the reverse. The maker pays
    from its reserve, the taker from its available balance. A maker with `maker_left_lots` 0 has left the book, Filled.
    """

    market: str
    trade_id: int
    price_ticks: int
    lots: int
    base_atoms: int
    quote_atoms: int
    taker_side: Side
    taker_order_id: OrderId
    taker_account: AccountId
    taker_fee_atoms: int
    maker_order_id: OrderId
    maker_account: AccountId
    maker_fee_atoms: int
    maker_left_lots: int


class OrderDone(Event, frozen=True):
    """An order ended other than as a maker filled to its last lot.

    A resting one leaves the book and `released_atoms` go from locked to available; one that never
    rested (`resting` False: a taker) releases nothing.
    """

    order_id: OrderId
    account: AccountId
    market: str
    side: Side
    status: OrderStatus
    price_ticks: int = 0
    left_lots: int = 0
    released_atoms: int = 0
    resting: bool = True
    expiry_reason: ExpiryReason | None = None
    cancel_reason: CancelReason | None = None


class CancelAllAfterSet(Event, frozen=True):
    """The dead-man's switch of an account now fires at `deadline_us` on the timers' clock; 0: off."""

    account: AccountId
    deadline_us: int


class CancelOnDisconnectSet(Event, frozen=True):
    account: AccountId
    session: str
    armed: bool


# --- money -----------------------------------------------------------------------------------------


class Leg(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """One side of a posting: `atoms` (signed) of `asset` onto a bucket of an account."""

    account: AccountId
    asset: str
    atoms: int
    bucket: Bucket = Bucket.AVAILABLE


class Posted(Event, frozen=True):
    """A posting: its legs sum to zero per asset. `reference` is held so that it is posted once."""

    kind: str
    legs: tuple[Leg, ...]
    reference: str = ""


# --- accounts, keys, admins ----------------------------------------------------------------------------


class AccountOpened(Event, frozen=True):
    account: AccountId
    label: str = ""


class AccountSettingsChanged(Event, frozen=True):
    account: AccountId
    settings: AccountSettings


class KeyAdded(Event, frozen=True):
    key_id: KeyId
    account: AccountId
    public_key: str
    scopes: tuple[Scope, ...]
    label: str = ""


class KeyRevoked(Event, frozen=True):
    key_id: KeyId


class AdminAdded(Event, frozen=True):
    admin: AdminId
    added: AdminSpec


class AdminRevoked(Event, frozen=True):
    admin: AdminId


class UserTierChanged(Event, frozen=True):
    user: UserId
    tier: int


# --- listings and configuration --------------------------------------------------------------------------


class VenueFounded(Event, frozen=True):
    venue: str
    venue_public_key: str


class AssetListed(Event, frozen=True):
    asset: AssetSpec


class MarketListed(Event, frozen=True):
    spec: MarketSpec
    filters: MarketFilters


class FiltersChanged(Event, frozen=True):
    market: str
    filters: MarketFilters


class FeeTiersChanged(Event, frozen=True):
    fee_tiers: tuple[FeeTier, ...]


class LimitsChanged(Event, frozen=True):
    limits: Limits


class AutoResumeChanged(Event, frozen=True):
    auto_resume: bool


class RuleActivated(Event, frozen=True):
    rule: str


# --- modes and process life ---------------------------------------------------------------------------------


class ModeChanged(Event, frozen=True):
    """`market` None: the venue as a whole."""

    mode: Mode
    previous: Mode
    reason: str
    market: str | None = None


class PauseChanged(Event, frozen=True):
    pause: Pause
    paused: bool
    reason: str
    asset: str | None = None


class ProcessStarted(Event, frozen=True):
    """`resume_mode` is the mode `ResumeModes` may step back to; None: only an admin opens the venue."""

    build: str
    recovered_seq: int
    clean: bool
    resume_mode: Mode | None = None


class ProcessStopped(Event, frozen=True):
    reason: str


class WindowPlanned(Event, frozen=True):
    """A new window, or the new plan of one that is there."""

    window: WindowId
    plan: WindowPlan


class WindowBegun(Event, frozen=True):
    """The window's scope is OFFLINE, at its time or after a start. `waiting` are the markets behind the canary."""

    window: WindowId
    waiting: tuple[str, ...] = ()


class WindowClosed(Event, frozen=True):
    """What asked to be cancelled at close has been: the closing certificate can be made."""

    window: WindowId


class WindowStageChanged(Event, frozen=True):
    window: WindowId
    stage: WindowStage
    reason: str = ""


class CanaryOpened(Event, frozen=True):
    """The canary is in FULL; the markets that waited come next."""

    window: WindowId


class TimersFrozen(Event, frozen=True):
    """Dead-man's switches stand still from now on."""


class TimersThawed(Event, frozen=True):
    """They go on; `frozen_us` more has passed for everybody else than for them."""

    frozen_us: int


class CertificateIssued(Event, frozen=True):
    certificate_id: CertificateId
    certificate: Certificate
    signature: str


class GatesFailed(Event, frozen=True):
    window: WindowId
    results: tuple[GateResult, ...]
    reason: str
    report: str = ""


class OpeningApproved(Event, frozen=True):
    certificate_id: CertificateId
    admin: AdminId


class GateWaived(Event, frozen=True):
    """One of the two waivers a gate needs."""

    window: WindowId
    gate: Gate
    admin: AdminId


class VenueKeyRotated(Event, frozen=True):
    public_key: str
    revoked_old: bool


class MarketCounters(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Ids a market goes on from."""

    market: str
    trade_id: int
    update_id: int


class EpochStarted(Event, frozen=True):
    """Records `lost_from_seq` to `lost_to_seq` are lost; counters go on beyond anything they can have used."""

    epoch: int
    lost_from_seq: int
    lost_to_seq: int
    counters: tuple[MarketCounters, ...]


class Faulted(Event, frozen=True):
    """A bug of ours stopped this command; it has done nothing and is never decided again."""

    error_id: str
    market: str | None = None


class Refused(Event, frozen=True):
    """The command was refused, and nothing has changed."""

    code: Code
    message: str


AnyEvent = (
    OrderRested
    | Traded
    | OrderDone
    | CancelAllAfterSet
    | CancelOnDisconnectSet
    | Posted
    | AccountOpened
    | AccountSettingsChanged
    | KeyAdded
    | KeyRevoked
    | AdminAdded
    | AdminRevoked
    | UserTierChanged
    | VenueFounded
    | AssetListed
    | MarketListed
    | FiltersChanged
    | FeeTiersChanged
    | LimitsChanged
    | AutoResumeChanged
    | RuleActivated
    | ModeChanged
    | PauseChanged
    | ProcessStarted
    | ProcessStopped
    | Faulted
    | Refused
    | WindowPlanned
    | WindowBegun
    | WindowClosed
    | WindowStageChanged
    | CanaryOpened
    | TimersFrozen
    | TimersThawed
    | CertificateIssued
    | GatesFailed
    | OpeningApproved
    | GateWaived
    | VenueKeyRotated
    | EpochStarted
)
