"""What becomes of windows and their evidence, told in a line."""

from exchange.values.times import stamp
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


def window_planned(event: WindowPlanned) -> str:
    plan = event.plan
    scope = ", ".join(plan.markets) or "the whole venue"
    times = f"offline {stamp(plan.offline_at_us)}, post-only {stamp(plan.post_only_at_us)}"
    return f"window {event.window} for {scope}: {times}, full {stamp(plan.full_at_us)} ({plan.reason})"


def window_begun(event: WindowBegun) -> str:
    return f"window {event.window} began"


def window_closed(event: WindowClosed) -> str:
    return f"window {event.window} closed: orders that asked for it are cancelled"


def window_stage_changed(event: WindowStageChanged) -> str:
    return f"window {event.window} is {event.stage}" + (f" ({event.reason})" if event.reason else "")


def canary_opened(event: CanaryOpened) -> str:
    return f"window {event.window}: the canary is open"


def certificate_issued(event: CertificateIssued) -> str:
    made = read_certificate(event.text)
    return (
        f"{made.kind} certificate {event.certificate_id} for window {made.window or 'none'}:"
        f" record {made.as_of_seq}, {made.statements} statements, root {made.root[:16]}"
    )


def gates_failed(event: GatesFailed) -> str:
    return f"gates failed for window {event.window or 'none'}: {event.reason}"


def opening_approved(event: OpeningApproved) -> str:
    return f"certificate {event.certificate_id} approved by admin {event.admin}"


def gate_waived(event: GateWaived) -> str:
    return f"gate {event.gate} of window {event.window or 'none'} waived by admin {event.admin}"
