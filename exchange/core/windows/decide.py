"""Deciding on windows: planned, begun, closed, taken step by step up again. Nothing here changes state."""

from exchange.core import refuse
from exchange.core.modes.clearance import clearance
from exchange.core.orders.book import Order
from exchange.core.orders.decide import cancelled
from exchange.core.state import State, Window
from exchange.core.windows.scope import mode_of, opening_problem, scope, targets
from exchange.rules.limits import MAX_CANCELS_PER_COMMAND, MAX_OPEN_WINDOWS, MAX_WINDOW_AHEAD_US
from exchange.rules.modes import transition
from exchange.values.enums import CancelReason, Mode
from exchange.values.events import AnyEvent
from exchange.values.ids import id_at
from exchange.values.modes.events import ModeChanged
from exchange.values.windows.commands import (
    BeginWindow,
    CancelAtClose,
    CancelWindow,
    ChangeWindow,
    DelayWindow,
    PlanWindow,
    StepWindow,
)
from exchange.values.windows.events import (
    CanaryOpened,
    TimersFrozen,
    TimersThawed,
    WindowBegun,
    WindowClosed,
    WindowPlanned,
    WindowStageChanged,
)
from exchange.values.windows.plan import ENDED_STAGES, WindowId, WindowPlan, WindowStage

Decision = list[AnyEvent]


def plan_window(state: State, time_us: int, command: PlanWindow) -> Decision:
    if sum(window.stage not in ENDED_STAGES for window in state.windows.values()) >= MAX_OPEN_WINDOWS:
        return refuse.precondition(f"At most {MAX_OPEN_WINDOWS} windows at a time")
    problem = _plan_problem(state, time_us, command.plan) or _overlap(state, command.plan, WindowId(0))
    if problem:
        return refuse.invalid(problem)
    return [WindowPlanned(WindowId(id_at(state.seq + 1)), command.plan)]


def _plan_problem(state: State, time_us: int, plan: WindowPlan) -> str | None:
    if plan.offline_at_us < time_us:
        return "The window would begin in the past"
    if not plan.offline_at_us < plan.post_only_at_us <= plan.full_at_us:
        return "The times must be in order: offline, then post-only, then full"
    if plan.full_at_us > time_us + MAX_WINDOW_AHEAD_US:
        return "The window ends too far ahead"
    for market in (*plan.markets, *((plan.canary,) if plan.canary is not None else ())):
        if market not in state.markets:
            return f"Unknown market {market}"
    if len(dict.fromkeys(plan.markets)) != len(plan.markets):
        return "A market is named twice"
    if plan.canary is not None and plan.markets and plan.canary not in plan.markets:
        return "The canary is not one of the window's markets"
    return None


def _overlap(state: State, plan: WindowPlan, itself: WindowId) -> str | None:
    """Two windows on the same market may not touch in time."""
    for window in state.windows.values():
        if window.window_id == itself or window.stage in ENDED_STAGES:
            continue
        other = window.plan
        apart = plan.offline_at_us > other.full_at_us or other.offline_at_us > plan.full_at_us
        shared = not plan.markets or not other.markets or any(market in other.markets for market in plan.markets)
        if shared and (window.under_way or not apart):
            return f"Window {window.window_id} overlaps"
    return None


def change_window(state: State, time_us: int, command: ChangeWindow) -> Decision:
    window = state.windows.get(command.window)
    if window is None:
        return refuse.refused(refuse.NOT_FOUND)
    if window.stage in ENDED_STAGES:
        return refuse.precondition(f"The window is {window.stage}")
    old, plan = window.plan, command.plan
    if window.begun:
        kept = (old.offline_at_us, old.markets, old.canary, old.freeze_timers)
        if kept != (plan.offline_at_us, plan.markets, plan.canary, plan.freeze_timers):
            return refuse.precondition("The window has begun: only the times of its reopening can change")
        if not plan.offline_at_us < plan.post_only_at_us <= plan.full_at_us:
            return refuse.invalid("The times must be in order: offline, then post-only, then full")
    else:
        problem = _plan_problem(state, time_us, plan) or _overlap(state, plan, command.window)
        if problem:
            return refuse.invalid(problem)
    return [WindowPlanned(command.window, plan)]


def cancel_window(state: State, time_us: int, command: CancelWindow) -> Decision:
    """A window that has begun leaves its scope shut: then an admin opens it, on the same evidence."""
    window = state.windows.get(command.window)
    if window is None:
        return refuse.refused(refuse.NOT_FOUND)
    if window.stage in ENDED_STAGES:
        return refuse.precondition(f"The window is {window.stage}")
    return [WindowStageChanged(command.window, WindowStage.CANCELLED, command.reason), *_thaw(state, time_us, window)]


def begin_window(state: State, time_us: int, command: BeginWindow) -> Decision:
    window = state.windows.get(command.window)
    if window is None:
        return refuse.refused(refuse.NOT_FOUND)
    if window.begun or window.stage is not WindowStage.SCHEDULED:
        return refuse.precondition(f"The window is {window.stage}")
    if time_us < window.plan.offline_at_us:
        return refuse.precondition("It is not time yet")
    plan = window.plan
    reason = f"maintenance: {plan.reason}"
    events: Decision = []
    if not plan.markets and state.venue_mode is not Mode.OFFLINE:
        events.append(ModeChanged(Mode.OFFLINE, state.venue_mode, reason))
    # Behind a canary, or in a window of some markets, each market is shut by its own mode; one that was shut
    # before is none of this window's, and stays so.
    open_before = tuple(m.symbol for m in scope(state, plan) if m.mode is not Mode.OFFLINE)
    waiting = tuple(symbol for symbol in open_before if plan.canary is not None and symbol != plan.canary)
    for symbol in open_before if plan.markets else waiting:
        events.append(ModeChanged(Mode.OFFLINE, state.markets[symbol].mode, reason, symbol))
    if plan.freeze_timers and not plan.markets and not state.frozen_since_us:
        events.append(TimersFrozen())
    return [*events, WindowBegun(command.window, waiting), WindowStageChanged(command.window, WindowStage.ONGOING)]


def cancel_at_close(state: State, time_us: int, command: CancelAtClose) -> Decision:
    window = state.windows.get(command.window)
    if window is None or not window.under_way or window.closed:
        return refuse.refused(refuse.NOT_FOUND)
    markets = scope(state, window.plan)
    asked: list[Order] = []
    for order in state.orders.values():
        if (order.cancel_at_close or order.account.settings.cancel_at_close) and order.market in markets:
            asked.append(order)
            if len(asked) > MAX_CANCELS_PER_COMMAND:
                break
    events: Decision = [cancelled(order, CancelReason.MARKET_CLOSED) for order in asked[:MAX_CANCELS_PER_COMMAND]]
    if len(asked) <= MAX_CANCELS_PER_COMMAND:
        events.append(WindowClosed(command.window))
    return events


def step_window(state: State, time_us: int, command: StepWindow) -> Decision:
    """OFFLINE to POST_ONLY on a certificate, then to FULL on what the core sees; a canary first, then the rest."""
    window = state.windows.get(command.window)
    if window is None:
        return refuse.refused(refuse.NOT_FOUND)
    if not window.under_way or not window.closed:
        return refuse.precondition(f"The window is {window.stage}")
    if window.stage is WindowStage.PRE_OPEN:
        return _step_to_full(state, time_us, window)
    if time_us < window.plan.post_only_at_us:
        return refuse.precondition("It is not time for POST_ONLY yet")
    if not window.closing_id:
        return refuse.precondition("There is no closing certificate")
    for target in targets(window):
        refusal = clearance(state, target, mode_of(state, target))
        if refusal is not None:
            return refuse.refused(refusal)
    return [*_raise(state, window, Mode.POST_ONLY), *_thaw(state, time_us, window)]


def _raise(state: State, window: Window, mode: Mode) -> Decision:
    """All targets to `mode`, and the window's stage with them."""
    events: Decision = []
    for target in targets(window):
        before = mode_of(state, target)
        if before is mode:
            continue
        if transition(before, mode) is None:
            return refuse.precondition(f"{target or 'The venue'} is {before}: there is no step to {mode}")
        events.append(ModeChanged(mode, before, f"maintenance {window.window_id}: {mode.lower()}", target))
    stage = WindowStage.PRE_OPEN if mode is Mode.POST_ONLY else WindowStage.COMPLETED
    if stage is WindowStage.COMPLETED and window.waiting and not window.canary_open:
        return [*events, CanaryOpened(window.window_id), WindowStageChanged(window.window_id, WindowStage.VERIFYING)]
    return [*events, WindowStageChanged(window.window_id, stage)]


def _step_to_full(state: State, time_us: int, window: Window) -> Decision:
    if time_us < window.plan.full_at_us:
        return refuse.precondition("It is not time for FULL yet")
    for target in targets(window):
        # A brake since POST_ONLY is left only on evidence of its own.
        refusal = clearance(state, target, mode_of(state, target))
        if refusal is not None:
            return refuse.refused(refusal)
        problem = opening_problem(state, time_us, target)
        if problem is not None:
            return refuse.precondition(problem)
    return _raise(state, window, Mode.FULL)


def _thaw(state: State, time_us: int, window: Window) -> Decision:
    if window.plan.markets or not state.frozen_since_us:
        return []
    return [TimersThawed(time_us - state.frozen_since_us)]


def delay_window(state: State, time_us: int, command: DelayWindow) -> Decision:
    window = state.windows.get(command.window)
    if window is None or not window.under_way:
        return refuse.refused(refuse.NOT_FOUND)
    if window.stage is WindowStage.DELAYED and window.reason == command.reason:
        return refuse.precondition("The window is delayed already")
    return [WindowStageChanged(command.window, WindowStage.DELAYED, command.reason)]
