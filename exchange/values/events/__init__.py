"""Events are past-tense facts. They can't fail, and they carry every amount they move.

`core.evolve` applies them and knows no rule, so an event says everything that changes. New kinds
and fields appear only after the rule version that makes them is activated.
"""

from exchange.values.events.base import Event
from exchange.values.events.maintenance import (
    CanaryOpened,
    CertificateIssued,
    EpochStarted,
    GatesFailed,
    GateWaived,
    MarketCounters,
    OpeningApproved,
    TimersFrozen,
    TimersThawed,
    VenueKeyRotated,
    WindowBegun,
    WindowClosed,
    WindowPlanned,
    WindowStageChanged,
)
from exchange.values.events.trading import (
    CancelAllAfterSet,
    CancelOnDisconnectSet,
    Leg,
    OrderDone,
    OrderRested,
    Posted,
    Traded,
)
from exchange.values.events.venue import (
    AccountOpened,
    AccountSettingsChanged,
    AdminAdded,
    AdminChanged,
    AdminRevoked,
    AssetListed,
    AutoResumeChanged,
    CommandProposed,
    Faulted,
    FeeTiersChanged,
    FiltersChanged,
    KeyAdded,
    KeyRevoked,
    LimitsChanged,
    MarketListed,
    ModeChanged,
    PauseChanged,
    ProcessStarted,
    ProcessStopped,
    ProposalEnded,
    Refused,
    RuleActivated,
    UserTierChanged,
    VenueFounded,
)

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
    | AdminChanged
    | AdminRevoked
    | CommandProposed
    | ProposalEnded
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

__all__ = [
    "AccountOpened",
    "AccountSettingsChanged",
    "AdminAdded",
    "AdminChanged",
    "AdminRevoked",
    "AnyEvent",
    "AssetListed",
    "AutoResumeChanged",
    "CanaryOpened",
    "CancelAllAfterSet",
    "CancelOnDisconnectSet",
    "CertificateIssued",
    "CommandProposed",
    "EpochStarted",
    "Event",
    "Faulted",
    "FeeTiersChanged",
    "FiltersChanged",
    "GateWaived",
    "GatesFailed",
    "KeyAdded",
    "KeyRevoked",
    "Leg",
    "LimitsChanged",
    "MarketCounters",
    "MarketListed",
    "ModeChanged",
    "OpeningApproved",
    "OrderDone",
    "OrderRested",
    "PauseChanged",
    "Posted",
    "ProcessStarted",
    "ProcessStopped",
    "ProposalEnded",
    "Refused",
    "RuleActivated",
    "TimersFrozen",
    "TimersThawed",
    "Traded",
    "UserTierChanged",
    "VenueFounded",
    "VenueKeyRotated",
    "WindowBegun",
    "WindowClosed",
    "WindowPlanned",
    "WindowStageChanged",
]
