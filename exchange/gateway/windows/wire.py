"""Maintenance as clients read it: what is planned, what is under way, what an opening waits for.

Times are ms since 1970; the earliest moments, never promises. Ids are below 2^53.
"""

from typing import Final

from exchange.gateway.listings.wire import BOOK_STATES, OrderBookState
from exchange.gateway.wire.base import Wire
from exchange.gateway.wire.times import milliseconds
from exchange.values.times import utc_text
from exchange.values.windows.certificate import CertificateKind, Gate, GateResult
from exchange.values.windows.plan import WindowStage
from exchange.values.windows.views import (
    Awaited,
    Condition,
    MaintenanceView,
    MarketConditionView,
    OpeningView,
    VerificationView,
    WindowView,
)

_PERCENT: Final = 100
_SECOND_US: Final = 1_000_000


class FailedGate(Wire, frozen=True):
    """`evidence` is one line for the public; `waived`: two approvers let it pass."""

    gate: Gate
    evidence: str
    waived: bool


class Opening(Wire, frozen=True):
    """`awaits` is what the next step up waits for; the certificate is named once the gates have passed."""

    awaits: Awaited
    reason: str
    certificate_id: int | None
    approvals: int
    approvals_needed: int
    failed_gates: tuple[FailedGate, ...]


class Window(Wire, frozen=True):
    """A planned stop. No `markets`: the whole venue.

    `nextStepAt` is the earliest moment of the next step and `eta` that of full trading; null where it
    has passed, and nobody has named another.
    """

    id: int
    stage: WindowStage
    reason: str
    markets: tuple[str, ...]
    canary: str | None
    offline_at: int
    post_only_at: int
    full_at: int
    freezes_timers: bool
    stage_since: int
    next_step_at: int | None
    eta: int | None
    closing_certificate_id: int | None
    opening: Opening


class Verification(Wire, frozen=True):
    """A certificate in the making; `windowId` is null for a start without a window."""

    kind: CertificateKind
    window_id: int | None
    gate: Gate | None
    done: int
    total: int
    percent: int


class MarketCondition(Wire, frozen=True):
    """`windowId` is the window that shuts the market, `opensAt` the earliest moment it may go up."""

    order_book_state: OrderBookState
    reason: str
    condition: Condition
    window_id: int | None
    opens_at: int | None


class Loss(Wire, frozen=True):
    """Records that are lost for good; `epoch` began behind them."""

    epoch: int
    first_seq: int
    last_seq: int


class Maintenance(Wire, frozen=True):
    """`condition` tells a planned stop from an outage; so does each market's.

    `windows` are those to come and under way, then the last that ended. `opening` is that of what is
    shut without a window; null where nothing is.
    """

    condition: Condition
    windows: tuple[Window, ...]
    markets: dict[str, MarketCondition]
    opening: Opening | None
    verification: Verification | None
    losses: tuple[Loss, ...]


def maintenance_to_wire(view: MaintenanceView, now_us: int) -> Maintenance:
    return Maintenance(
        view.condition,
        tuple(_window(window, now_us) for window in view.windows),
        {symbol: _market(market, now_us) for symbol, market in view.markets.items()},
        None if view.opening is None else _opening(view.opening),
        None if view.verification is None else _verification(view.verification),
        tuple(Loss(loss.epoch, loss.first_seq, loss.last_seq) for loss in view.losses),
    )


def announcement(view: MaintenanceView) -> str | None:
    """A sentence on the venue-wide window that is under way, or else on the next one that is planned."""
    for window in view.windows:
        plan = window.plan
        if plan.markets or not window.next_us:
            continue
        if window.stage is WindowStage.SCHEDULED:
            return f"Maintenance from {utc_text(plan.offline_at_us)} to {utc_text(plan.full_at_us)}: {plan.reason}"
        progress = view.verification
        gate = f", gate {progress.gate} {_percent(progress)}%" if progress is not None and progress.gate else ""
        return f"{window.reason} ({window.stage}{gate}); not before {utc_text(window.next_us)}"
    return None


def opens_in_s(view: MaintenanceView, now_us: int) -> int:
    """Whole seconds until the venue-wide window that is under way may open further; 0: none, or nobody knows."""
    for window in view.windows:
        if not window.plan.markets and window.stage is not WindowStage.SCHEDULED and window.next_us > now_us:
            return -((now_us - window.next_us) // _SECOND_US)
    return 0


def _window(window: WindowView, now_us: int) -> Window:
    plan, under_way = window.plan, window.next_us != 0
    return Window(
        id=window.window,
        stage=window.stage,
        reason=window.reason,
        markets=plan.markets,
        canary=plan.canary,
        offline_at=milliseconds(plan.offline_at_us),
        post_only_at=milliseconds(plan.post_only_at_us),
        full_at=milliseconds(plan.full_at_us),
        freezes_timers=plan.freeze_timers,
        stage_since=milliseconds(window.changed_us),
        next_step_at=_ahead(window.next_us, now_us),
        eta=_ahead(plan.full_at_us, now_us) if under_way else None,
        closing_certificate_id=window.closing or None,
        opening=_opening(window.opening),
    )


def _ahead(time_us: int, now_us: int) -> int | None:
    return milliseconds(time_us) if time_us >= now_us else None


def _opening(opening: OpeningView) -> Opening:
    return Opening(
        opening.awaits,
        opening.reason,
        opening.certificate or None,
        opening.approvals,
        opening.approvals_needed,
        tuple(_failed(result) for result in opening.failed),
    )


def _failed(result: GateResult) -> FailedGate:
    return FailedGate(result.gate, result.evidence, bool(result.waived_by))


def _verification(view: VerificationView) -> Verification:
    return Verification(view.kind, view.window or None, view.gate, view.done, view.total, _percent(view))


def _percent(view: VerificationView) -> int:
    return _PERCENT * view.done // view.total if view.total else 0


def _market(market: MarketConditionView, now_us: int) -> MarketCondition:
    return MarketCondition(
        BOOK_STATES[market.mode],
        market.reason,
        market.condition,
        market.window or None,
        _ahead(market.opens_us, now_us),
    )
