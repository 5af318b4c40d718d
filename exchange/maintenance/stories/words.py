"""What happened to the venue, in words: the events of a timeline."""

from typing import Final

from exchange.journal.show import Units, stamp
from exchange.values.accounts.events import AccountOpened, AccountSettingsChanged, KeyAdded, KeyRevoked, UserTierChanged
from exchange.values.events import AnyEvent
from exchange.values.modes.events import ModeChanged, PauseChanged
from exchange.values.money.events import Posted
from exchange.values.orders.events import (
    CancelAllAfterSet,
    CancelOnDisconnectSet,
    OrderDone,
    OrderPlaced,
    OrderRested,
    Traded,
)
from exchange.values.process.events import EpochStarted, Faulted, ProcessStarted, ProcessStopped, Refused
from exchange.values.text import visible
from exchange.values.windows.certificate import read_certificate
from exchange.values.windows.events import (
    CanaryOpened,
    CertificateIssued,
    GatesFailed,
    GateWaived,
    OpeningApproved,
    WindowBegun,
    WindowClosed,
    WindowPlanned,
    WindowStageChanged,
)

#: Facts of trading and of single accounts: they are counted, not told one by one.
ROUTINE: Final = (
    OrderPlaced,
    OrderRested,
    Traded,
    OrderDone,
    CancelAllAfterSet,
    CancelOnDisconnectSet,
    Posted,
    AccountOpened,
    AccountSettingsChanged,
    KeyAdded,
    KeyRevoked,
    UserTierChanged,
)


def say(event: AnyEvent, units: Units) -> str:
    """One line for a person."""
    return visible(_said(event, units))


def _said(event: AnyEvent, units: Units) -> str:
    match event:
        case ModeChanged():
            return f"{event.market or 'venue'}: {event.previous} to {event.mode} ({event.reason})"
        case PauseChanged():
            switch = f"{event.pause} of {event.asset or 'all assets'}"
            return f"{switch} {'stopped' if event.paused else 'go on'} ({event.reason})"
        case ProcessStarted():
            ended = "in order" if event.clean else "WITHOUT a word"
            return f"process started, build {event.build}; the one before had ended {ended}"
        case ProcessStopped():
            return f"process stopped ({event.reason})"
        case WindowPlanned(plan=plan):
            scope = ", ".join(plan.markets) or "the whole venue"
            times = f"offline {stamp(plan.offline_at_us)}, post-only {stamp(plan.post_only_at_us)}"
            return f"window {event.window} for {scope}: {times}, full {stamp(plan.full_at_us)} ({plan.reason})"
        case WindowBegun():
            return f"window {event.window} began"
        case WindowClosed():
            return f"window {event.window} closed: orders that asked for it are cancelled"
        case WindowStageChanged():
            return f"window {event.window} is {event.stage}" + (f" ({event.reason})" if event.reason else "")
        case CanaryOpened():
            return f"window {event.window}: the canary is open"
        case CertificateIssued():
            made = read_certificate(event.text)
            return (
                f"{made.kind} certificate {event.certificate_id} for window {made.window or 'none'}:"
                f" record {made.as_of_seq}, {made.statements} statements, root {made.root[:16]}"
            )
        case GatesFailed():
            return f"gates failed for window {event.window or 'none'}: {event.reason}"
        case OpeningApproved():
            return f"certificate {event.certificate_id} approved by admin {event.admin}"
        case GateWaived():
            return f"gate {event.gate} of window {event.window or 'none'} waived by admin {event.admin}"
        case EpochStarted():
            return f"records {event.lost_from_seq} to {event.lost_to_seq} are LOST; epoch {event.epoch} began"
        case Faulted():
            return f"a bug of ours stopped the command: error {event.error_id} on {event.market or 'the venue'}"
        case Refused():
            return f"refused: {event.code}, {event.message}"
    return units.statement(event)
