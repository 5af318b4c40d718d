"""Maintenance, as it is shown."""

from enum import StrEnum, unique

from exchange.values.base import View
from exchange.values.enums import Mode
from exchange.values.windows.certificate import CertificateId, CertificateKind, Gate, GateResult, VenueKey
from exchange.values.windows.plan import WindowId, WindowPlan, WindowStage


@unique
class Condition(StrEnum):
    """Why a scope takes orders or not: a program's way of telling a planned stop from an outage."""

    OPEN = "open"
    #: Shut, or limited, by a window that was announced.
    PLANNED = "planned"
    #: OFFLINE or CANCEL_ONLY without a window: an outage, a fault, an operator's decision.
    UNPLANNED = "unplanned"


@unique
class Awaited(StrEnum):
    """What the next step of an opening waits for."""

    START = "start"
    CLOSING = "closing"
    GATES = "gates"
    #: A gate failed: people repair or waive, and have the gates run again.
    OPERATORS = "operators"
    APPROVALS = "approvals"
    POST_ONLY_TIME = "post-only-time"
    FULL_TIME = "full-time"
    NOTHING = "nothing"


class OpeningView(View, frozen=True):
    """The evidence for a step up, as far as it has come.

    `certificate` is the opening certificate of this start, 0 if there is none yet; `failed` are the
    gates that keep the scope shut, waived ones included.
    """

    awaits: Awaited
    certificate: CertificateId = CertificateId(0)
    approvals: int = 0
    approvals_needed: int = 0
    failed: tuple[GateResult, ...] = ()
    reason: str = ""


class WindowView(View, frozen=True):
    """A window. `next_us` is the earliest moment of its next step; 0: it has none left.

    `changed_us` is when it reached its stage.
    """

    window: WindowId
    plan: WindowPlan
    stage: WindowStage
    reason: str
    changed_us: int
    next_us: int
    closing: CertificateId
    opening: OpeningView


class VerificationView(View, frozen=True):
    """A certificate in the making: the gate that is worked on (None before the first), `done` of `total` units."""

    kind: CertificateKind
    window: WindowId
    gate: Gate | None = None
    done: int = 0
    total: int = 0


class MarketConditionView(View, frozen=True):
    """`window` is the one that shuts the market (0: none), `opens_us` the earliest moment it may go up (0: unknown)."""

    mode: Mode
    reason: str
    condition: Condition
    window: WindowId
    opens_us: int


class LossView(View, frozen=True):
    """Records `first_seq` to `last_seq` are lost for good; epoch `epoch` began behind them."""

    epoch: int
    first_seq: int
    last_seq: int


class MaintenanceView(View, frozen=True):
    """Everything public about windows and openings: those to come and under way, then the last that ended.

    `opening` is that of what is shut without a window, the venue or markets; None: nothing is.
    """

    condition: Condition
    windows: tuple[WindowView, ...]
    markets: dict[str, MarketConditionView]
    opening: OpeningView | None
    losses: tuple[LossView, ...]
    verification: VerificationView | None = None


class SignedCertificate(View, frozen=True):
    """A certificate on record as it was signed (`text`, JSON), and the signature (base64, Ed25519)."""

    certificate_id: CertificateId
    recorded_seq: int
    text: str
    signature: str


class CertificatesView(View, frozen=True):
    """Newest first, and all keys the venue has ever signed with."""

    venue_keys: tuple[VenueKey, ...]
    certificates: tuple[SignedCertificate, ...]
