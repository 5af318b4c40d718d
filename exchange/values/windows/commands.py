"""Maintenance windows: planned, closed, proved, approved, opened."""

from typing import ClassVar

from exchange.values.base import Command
from exchange.values.ids import AdminId
from exchange.values.windows.certificate import CertificateId, Gate, GateResult
from exchange.values.windows.plan import WindowId, WindowPlan


class BeginWindow(Command, frozen=True):
    """A window's `offline_at` has come: its scope goes OFFLINE."""

    window: WindowId


class CancelAtClose(Command, frozen=True):
    """Cancel what asked to be cancelled when its market closes. Bounded like `CancelForAccount`."""

    window: WindowId


class BeginVerifying(Command, frozen=True):
    """The gates of a window have started to run."""

    window: WindowId


class Certify(Command, frozen=True):
    """Put a certificate on record. `signature` is base64, by the venue's key, over `text`, the certificate as JSON."""

    text: str
    signature: str


class ReportGates(Command, frozen=True):
    """Gates have failed: the scope (of window `window`, or 0 for a start without one) stays shut.

    `reason` is public; `report` names the operators' full report.
    """

    window: WindowId
    results: tuple[GateResult, ...]
    reason: str
    report: str = ""


class StepWindow(Command, frozen=True):
    """Take the next step up of a window, or learn why not."""

    window: WindowId


class DelayWindow(Command, frozen=True):
    """The time of a step has come and the evidence has not."""

    window: WindowId
    reason: str


class PlanWindow(Command, frozen=True):
    """Plan a maintenance window."""

    NAME: ClassVar[str] = "windows"

    admin: AdminId
    plan: WindowPlan


class ChangeWindow(Command, frozen=True):
    """Replace the plan of a window that has not ended; what has begun keeps its scope."""

    NAME: ClassVar[str] = "windows/change"

    admin: AdminId
    window: WindowId
    plan: WindowPlan


class CancelWindow(Command, frozen=True):
    """Call off a window that has not begun."""

    NAME: ClassVar[str] = "windows/cancel"

    admin: AdminId
    window: WindowId
    reason: str


class ApproveOpening(Command, frozen=True):
    """Approve an opening certificate; void as soon as the certificate is."""

    NAME: ClassVar[str] = "approvals"

    admin: AdminId
    certificate: CertificateId
    reason: str


class WaiveGate(Command, frozen=True):
    """Let a failed gate pass; it counts once a second approver has said so too.

    `window` 0: this start.
    """

    NAME: ClassVar[str] = "waivers"

    admin: AdminId
    window: WindowId
    gate: Gate
    reason: str


class RotateVenueKey(Command, frozen=True):
    """Sign certificates with another key from now on; a second approver asks for the same.

    `revoke` voids what the old one has signed.
    """

    NAME: ClassVar[str] = "venue-key"

    admin: AdminId
    public_key: str
    revoke: bool
    reason: str


AdminCommand = PlanWindow | ChangeWindow | CancelWindow | ApproveOpening | WaiveGate | RotateVenueKey
SystemCommand = BeginWindow | CancelAtClose | BeginVerifying | Certify | ReportGates | StepWindow | DelayWindow
#: Those that can wait for a second person (their rows say when).
TwoPeopleCommand = RotateVenueKey
