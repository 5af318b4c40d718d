"""Applying what becomes of the venue's own life."""

from exchange.core.state import State
from exchange.core.windows.certificates import forget
from exchange.values.process.events import (
    EpochStarted,
    Faulted,
    ProcessStarted,
    ProcessStopped,
    Refused,
    RuleActivated,
    VenueFounded,
)
from exchange.values.windows.certificate import VenueKey


def venue_founded(state: State, event: VenueFounded) -> None:
    state.venue = event.venue
    state.venue_keys = (VenueKey(event.venue_public_key, state.seq),)


def rule_activated(state: State, event: RuleActivated) -> None:
    state.rules[event.rule] = None


def process_started(state: State, event: ProcessStarted) -> None:
    state.build = event.build
    state.stopped = False
    state.started_seq = state.seq
    state.failed_gates = None
    # A waiver without a window was for what failed at one start: not for what fails at this one.
    state.waivers = {(window, gate): said for (window, gate), said in state.waivers.items() if window}
    forget(state)
    state.resume_mode = event.resume_mode
    # By id: the order in which accounts stand in memory is not the same after loading a snapshot.
    for account_id in sorted(held for held, account in state.accounts.items() if account.armed_sessions):
        for session in state.accounts[account_id].armed_sessions:
            state.orphaned[(account_id, session)] = None


def process_stopped(state: State, event: ProcessStopped) -> None:
    state.stopped = True


def nothing(state: State, event: Refused | Faulted) -> None:
    """A refusal and a fault are facts, and change nothing."""


def epoch_started(state: State, event: EpochStarted) -> None:
    state.epoch = event.epoch
    state.losses = (*state.losses, (event.epoch, event.lost_from_seq, event.lost_to_seq))
    state.last_user = event.last_user
    state.last_deposit = event.last_deposit
    for counters in event.counters:
        market = state.markets[counters.market]
        market.trade_id = counters.trade_id
        market.update_id = counters.update_id
