"""What happened to the venue, in words: the events of a timeline."""

from typing import Final

from exchange.journal.show import Units, stamp
from exchange.values import events as e
from exchange.values.events import AnyEvent
from exchange.values.text import visible

#: Facts of trading and of single accounts: they are counted, not told one by one.
ROUTINE: Final = (
    e.OrderRested,
    e.Traded,
    e.OrderDone,
    e.CancelAllAfterSet,
    e.CancelOnDisconnectSet,
    e.Posted,
    e.AccountOpened,
    e.AccountSettingsChanged,
    e.KeyAdded,
    e.KeyRevoked,
    e.UserTierChanged,
)


def say(event: AnyEvent, units: Units) -> str:
    """One line for a person."""
    return visible(_said(event, units))


def _said(event: AnyEvent, units: Units) -> str:
    match event:
        case e.ModeChanged():
            return f"{event.market or 'venue'}: {event.previous} to {event.mode} ({event.reason})"
        case e.PauseChanged():
            switch = f"{event.pause} of {event.asset or 'all assets'}"
            return f"{switch} {'stopped' if event.paused else 'go on'} ({event.reason})"
        case e.ProcessStarted():
            ended = "in order" if event.clean else "WITHOUT a word"
            return f"process started, build {event.build}; the one before had ended {ended}"
        case e.ProcessStopped():
            return f"process stopped ({event.reason})"
        case e.WindowPlanned(plan=plan):
            scope = ", ".join(plan.markets) or "the whole venue"
            times = f"offline {stamp(plan.offline_at_us)}, post-only {stamp(plan.post_only_at_us)}"
            return f"window {event.window} for {scope}: {times}, full {stamp(plan.full_at_us)} ({plan.reason})"
        case e.WindowBegun():
            return f"window {event.window} began"
        case e.WindowClosed():
            return f"window {event.window} closed: orders that asked for it are cancelled"
        case e.WindowStageChanged():
            return f"window {event.window} is {event.stage}" + (f" ({event.reason})" if event.reason else "")
        case e.CanaryOpened():
            return f"window {event.window}: the canary is open"
        case e.CertificateIssued(certificate=made):
            return (
                f"{made.kind} certificate {event.certificate_id} for window {made.window or 'none'}:"
                f" record {made.as_of_seq}, {made.statements} statements, root {made.root[:16]}"
            )
        case e.GatesFailed():
            return f"gates failed for window {event.window or 'none'}: {event.reason}"
        case e.OpeningApproved():
            return f"certificate {event.certificate_id} approved by admin {event.admin}"
        case e.GateWaived():
            return f"gate {event.gate} of window {event.window or 'none'} waived by admin {event.admin}"
        case e.EpochStarted():
            return f"records {event.lost_from_seq} to {event.lost_to_seq} are LOST; epoch {event.epoch} began"
        case e.Faulted():
            return f"a bug of ours stopped the command: error {event.error_id} on {event.market or 'the venue'}"
        case e.Refused():
            return f"refused: {event.code}, {event.message}"
    return units.statement(event)
