"""Maintenance: what operators plan and approve, and what the venue records of it."""

from exchange.values.commands.base import Command
from exchange.values.ids import AdminId
from exchange.values.maintenance import Certificate, CertificateId, Gate, GateResult, WindowId, WindowPlan


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
    """Put a certificate on record. `signature` is base64, by the venue's key, over the certificate's JSON."""

    certificate: Certificate
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


class AcceptLoss(Command, frozen=True):
    """Records up to `lost_to_seq` are lost for good: a new epoch starts behind them. Two approvers sign for it.

    `witness_chain` (hex) is what the witness holds at `lost_to_seq`. The record of this command has seq
    `lost_to_seq` + 1, so no id of the lost range is given again.
    """

    first_admin: AdminId
    second_admin: AdminId
    lost_to_seq: int
    witness_chain: str
    reason: str


class PlanWindow(Command, frozen=True):
    admin: AdminId
    plan: WindowPlan


class ChangeWindow(Command, frozen=True):
    """Replace the plan of a window that has not ended; what has begun keeps its scope."""

    admin: AdminId
    window: WindowId
    plan: WindowPlan


class CancelWindow(Command, frozen=True):
    """Call off a window that has not begun."""

    admin: AdminId
    window: WindowId
    reason: str


class ApproveOpening(Command, frozen=True):
    """One of the approvals an opening certificate needs; void as soon as the certificate is."""

    admin: AdminId
    certificate: CertificateId
    reason: str


class WaiveGate(Command, frozen=True):
    """Let a failed gate pass, for one window (or 0: this start). It counts once a second approver has said so too."""

    admin: AdminId
    window: WindowId
    gate: Gate
    reason: str


class RotateVenueKey(Command, frozen=True):
    """Sign with another key from now on; `revoke` voids what the old one has signed."""

    admin: AdminId
    public_key: str
    revoke: bool
    reason: str
