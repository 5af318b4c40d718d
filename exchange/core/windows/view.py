"""Windows and openings as the public sees them. Only reads."""

from typing import Final

from exchange.core.modes.clearance import approvers, trading_seq, untouched
from exchange.core.state import Market, State, Window
from exchange.core.windows.certificates import current_certificate, ended_windows
from exchange.core.windows.scope import mode_of, targets
from exchange.rules.gates import APPROVALS
from exchange.values.enums import Mode
from exchange.values.windows.certificate import Certificate, CertificateId
from exchange.values.windows.plan import ENDED_STAGES, WindowId
from exchange.values.windows.views import (
    Awaited,
    Condition,
    LossView,
    MaintenanceView,
    MarketConditionView,
    OpeningView,
    VerificationView,
    WindowView,
)

_SHUT: Final = (Mode.OFFLINE, Mode.CANCEL_ONLY)


def maintenance_view(state: State, verification: VerificationView | None = None) -> MaintenanceView:
    open_windows = [window for window in state.windows.values() if window.stage not in ENDED_STAGES]
    venue_window = next((window for window in open_windows if window.under_way and not window.plan.markets), None)
    return MaintenanceView(
        _condition(state.venue_mode, venue_window),
        tuple(window_view(state, window) for window in (*open_windows, *reversed(ended_windows(state)))),
        {market.symbol: _market(state, market) for market in state.markets.values()},
        _unplanned(state) if venue_window is None else None,
        tuple(LossView(*loss) for loss in state.losses),
        verification,
    )


def in_post_only(state: State, window: Window) -> bool:
    """Its scope, or the part of it that is at turn, has taken the first step up."""
    return window.under_way and all(mode_of(state, target) is Mode.POST_ONLY for target in targets(window))


def opens_us(state: State, window: Window) -> int:
    """The earliest moment (µs) a window lets its scope go further up."""
    return window.plan.full_at_us if in_post_only(state, window) else window.plan.post_only_at_us


def window_certificate(state: State, window: Window) -> tuple[CertificateId, Certificate] | None:
    """The newest opening certificate held against the window's own closing, of this start and not outdated."""
    for target in targets(window):
        found = current_certificate(state, target)
        if found is None or found[1].window != window.window_id or found[1].as_of_seq < trading_seq(state, target):
            return None
    return found


def start_certificate(state: State) -> tuple[CertificateId, Certificate] | None:
    """The opening certificate with which the whole venue can leave OFFLINE, if there is one."""
    found = current_certificate(state, None)
    return found if found is not None and found[1].as_of_seq >= state.trading_seq else None


def window_view(state: State, window: Window) -> WindowView:
    if window.stage in ENDED_STAGES:
        next_us = 0
    else:
        next_us = opens_us(state, window) if window.begun else window.plan.offline_at_us
    return WindowView(
        window.window_id,
        window.plan,
        window.stage,
        window.reason,
        window.stage_us,
        next_us,
        window.closing_id,
        _of_window(state, window),
    )


def _of_window(state: State, window: Window) -> OpeningView:
    if window.stage in ENDED_STAGES:
        return OpeningView(Awaited.NOTHING)
    if not window.begun:
        return OpeningView(Awaited.START)
    if not window.closing_id:
        return OpeningView(Awaited.CLOSING)
    if in_post_only(state, window):
        return OpeningView(Awaited.FULL_TIME)
    return _evidence(state, window.window_id, window_certificate(state, window), Awaited.POST_ONLY_TIME)


def _unplanned(state: State) -> OpeningView | None:
    """Of what is shut without a window: the venue, or markets; None: nothing is."""
    if state.venue_mode is Mode.OFFLINE:
        if untouched(state, None):
            return OpeningView(Awaited.OPERATORS)
        return _evidence(state, WindowId(0), start_certificate(state), Awaited.OPERATORS)
    shut = [(market.mode, market.mode_seq) for market in state.markets.values() if _shut_by_hand(state, market)]
    if state.venue_mode in _SHUT:
        shut.append((state.venue_mode, state.mode_seq))
    if not shut:
        return None
    found = current_certificate(state, None)
    if found is None or found[1].as_of_seq < max(mode_seq for _, mode_seq in shut):
        return OpeningView(Awaited.OPERATORS)
    return _evidence(state, WindowId(0), found, Awaited.OPERATORS, max(APPROVALS[mode] for mode, _ in shut))


def _shut_by_hand(state: State, market: Market) -> bool:
    return market.mode in _SHUT and state.window_over(market) is None and not untouched(state, market.symbol)


def _evidence(
    state: State,
    window: WindowId,
    found: tuple[CertificateId, Certificate] | None,
    then: Awaited,
    needed: int = APPROVALS[Mode.OFFLINE],
) -> OpeningView:
    failed = state.failed_gates
    if failed is not None and failed.window == window:
        broken = tuple(result for result in failed.results if not result.passed)
        return OpeningView(Awaited.OPERATORS, approvals_needed=needed, failed=broken, reason=failed.reason)
    if found is None:
        return OpeningView(Awaited.GATES, approvals_needed=needed)
    certificate_id, certificate = found
    approvals = len(approvers(state, certificate_id))
    return OpeningView(
        then if approvals >= needed else Awaited.APPROVALS,
        certificate_id,
        approvals,
        needed,
        tuple(result for result in certificate.gates if not result.passed),
    )


def _market(state: State, market: Market) -> MarketConditionView:
    window, mode = state.window_over(market), state.ruling_mode(market)
    return MarketConditionView(
        mode,
        state.ruling_reason(market),
        _condition(mode, window),
        WindowId(0) if window is None else window.window_id,
        0 if window is None else opens_us(state, window),
    )


def _condition(mode: Mode, window: Window | None) -> Condition:
    if window is not None:
        return Condition.PLANNED
    return Condition.UNPLANNED if mode in _SHUT else Condition.OPEN
