"""What becomes of windows and their evidence."""

from exchange.values.base import Event
from exchange.values.ids import AdminId
from exchange.values.windows.certificate import CertificateId, Gate, GateResult
from exchange.values.windows.plan import WindowId, WindowPlan, WindowStage


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
    """`text` is the certificate, to the byte as it was signed."""

    certificate_id: CertificateId
    text: str
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


Events = (
    WindowPlanned
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
)
