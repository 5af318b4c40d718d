"""Applying events of windows and their evidence; decides nothing."""

from exchange.core.state import State, Window
from exchange.core.windows.certificates import forget, issue
from exchange.values.windows.certificate import CertificateKind, VenueKey, read_certificate
from exchange.values.windows.events import (
    CanaryOpened,
    CertificateIssued,
    GatesFailed,
    GateWaived,
    OpeningApproved,
    TimersFrozen,
    TimersThawed,
    VenueKeyRotated,
    WindowBegun,
    WindowClosed,
    WindowPlanned,
    WindowStageChanged,
)
from exchange.values.windows.plan import ENDED_STAGES


def window_planned(state: State, event: WindowPlanned) -> None:
    window = state.windows.get(event.window)
    if window is None:
        window = state.windows[event.window] = Window(event.window, event.plan)
        window.stage_us = state.time_us
    window.plan = event.plan


def window_begun(state: State, event: WindowBegun) -> None:
    window = state.windows[event.window]
    window.begun = True
    window.waiting = event.waiting
    window.canary_open = False
    state.find_under_way()


def window_closed(state: State, event: WindowClosed) -> None:
    state.windows[event.window].closed = True


def window_stage_changed(state: State, event: WindowStageChanged) -> None:
    window = state.windows[event.window]
    window.stage = event.stage
    window.reason = event.reason or window.plan.reason
    window.stage_us = state.time_us
    if event.stage in ENDED_STAGES:
        forget(state)
    state.find_under_way()


def canary_opened(state: State, event: CanaryOpened) -> None:
    state.windows[event.window].canary_open = True


def timers_frozen(state: State, event: TimersFrozen) -> None:
    state.frozen_since_us = state.time_us


def timers_thawed(state: State, event: TimersThawed) -> None:
    state.frozen_since_us = 0
    state.frozen_us += event.frozen_us


def certificate_issued(state: State, event: CertificateIssued) -> None:
    certificate = read_certificate(event.text)
    issue(state, event.certificate_id, certificate)
    if certificate.kind is CertificateKind.OPENING:
        state.failed_gates = None
    elif certificate.window in state.windows:
        state.windows[certificate.window].closing_id = event.certificate_id


def gates_failed(state: State, event: GatesFailed) -> None:
    state.failed_gates = event


def opening_approved(state: State, event: OpeningApproved) -> None:
    state.approvals.setdefault(event.certificate_id, {})[event.admin] = None


def gate_waived(state: State, event: GateWaived) -> None:
    state.waivers.setdefault((event.window, event.gate), {})[event.admin] = None


def venue_key_rotated(state: State, event: VenueKeyRotated) -> None:
    last = state.venue_keys[-1]
    old = VenueKey(last.public_key, last.since_seq, state.seq, event.revoked_old)
    state.venue_keys = (*state.venue_keys[:-1], old, VenueKey(event.public_key, state.seq))
