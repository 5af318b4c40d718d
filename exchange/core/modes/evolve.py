"""Applying what becomes of modes and pauses."""

from exchange.core.state import State
from exchange.values.modes.events import AutoResumeChanged, ModeChanged, PauseChanged


def auto_resume_changed(state: State, event: AutoResumeChanged) -> None:
    state.auto_resume = event.auto_resume


def mode_changed(state: State, event: ModeChanged) -> None:
    if event.market is None:
        state.venue_mode = event.mode
        state.mode_reason = event.reason
        state.mode_changed_us = state.time_us
        state.mode_seq = state.seq
        state.resume_mode = None
    else:
        market = state.markets[event.market]
        market.mode = event.mode
        market.mode_reason = event.reason
        market.mode_changed_us = state.time_us
        market.mode_seq = state.seq


def pause_changed(state: State, event: PauseChanged) -> None:
    switch = (event.pause, event.asset or "")
    if event.paused:
        state.pauses[switch] = event.reason
    else:
        state.pauses.pop(switch, None)
