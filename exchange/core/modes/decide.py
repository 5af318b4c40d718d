"""Deciding on modes and pauses. Nothing here changes state."""

from exchange.core import refuse
from exchange.core.modes.clearance import clearance
from exchange.core.state import State
from exchange.core.windows.scope import opening_problem
from exchange.rules.modes import is_step_up, lower, transition
from exchange.values.enums import Mode, Pause
from exchange.values.events import AnyEvent
from exchange.values.modes.commands import DropToCancelOnly, ResumeModes, SetAutoResume, SetMode, SetPause
from exchange.values.modes.events import AutoResumeChanged, ModeChanged, PauseChanged


def resume_modes(state: State, time_us: int, command: ResumeModes) -> list[AnyEvent]:
    if not state.auto_resume:
        return refuse.precondition("The venue's policy is that an admin opens it after a start")
    if state.resume_mode is None:
        return refuse.precondition("Another build, or a mode set since the start: an admin opens the venue")
    if state.orphaned:
        return refuse.precondition("Orders of sessions that ended with the last process are still to be cancelled")
    return [ModeChanged(state.resume_mode, state.venue_mode, "resumed after a restart of the same build")]


def drop_to_cancel_only(state: State, time_us: int, command: DropToCancelOnly) -> list[AnyEvent]:
    """Of a venue that is shut already all that is left is that it doesn't resume by itself, now or at a later start."""
    after = lower(state.venue_mode, Mode.CANCEL_ONLY)
    if after is state.venue_mode and state.resume_mode is None:
        return []
    return [ModeChanged(after, state.venue_mode, command.reason)]


def set_mode(state: State, time_us: int, command: SetMode) -> list[AnyEvent]:
    if command.market is None:
        before = state.venue_mode
    else:
        market = state.markets.get(command.market)
        if market is None:
            return refuse.refused(refuse.UNKNOWN_MARKET)
        before = market.mode
    if before is command.mode:
        return refuse.precondition(f"The mode is {before} already")
    step = transition(before, command.mode)
    if step is None:
        return refuse.precondition(f"There is no step from {before} to {command.mode}")
    if command.market is None and is_step_up(before, command.mode) and state.orphaned:
        return refuse.precondition("Orders of sessions that ended with the last process are still to be cancelled")
    refusal = refuse.admin(state, command.admin, step.role)
    if refusal is None and is_step_up(before, command.mode):
        refusal = clearance(state, command.market, before, command.admin)
        if refusal is None and before is Mode.POST_ONLY:
            problem = opening_problem(state, time_us, command.market)
            if problem is not None:
                return refuse.precondition(problem)
    if refusal is not None:
        return refuse.refused(refusal)
    return [ModeChanged(command.mode, before, command.reason, command.market)]


def set_pause(state: State, time_us: int, command: SetPause) -> list[AnyEvent]:
    if command.asset is not None and command.asset not in state.assets:
        return refuse.unknown_asset()
    if command.pause is Pause.NEW_ACCOUNTS and command.asset is not None:
        return refuse.invalid("New accounts are paused as a whole, not for an asset")
    if command.paused is ((command.pause, command.asset or "") in state.pauses):
        return refuse.precondition(f"{command.pause} {'are paused' if command.paused else 'are not paused'} already")
    return [PauseChanged(command.pause, command.paused, command.reason, command.asset)]


def resume_off(state: State, command: SetAutoResume) -> bool:
    """Switched on, a start opens the venue without anybody's approval."""
    return not command.auto_resume


def set_auto_resume(state: State, time_us: int, command: SetAutoResume) -> list[AnyEvent]:
    return [AutoResumeChanged(command.auto_resume)]
