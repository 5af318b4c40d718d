"""Probes of maintenance windows."""

from exchange.values.commands import AnyCommand
from exchange.values.ids import AdminId
from exchange.values.refusals import Code
from exchange.values.windows.certificate import CertificateId, CertificateKind, Gate, GateResult
from exchange.values.windows.commands import (
    ApproveOpening,
    BeginVerifying,
    BeginWindow,
    CancelAtClose,
    CancelWindow,
    Certify,
    ChangeWindow,
    DelayWindow,
    PlanWindow,
    ReportGates,
    RotateVenueKey,
    StepWindow,
    WaiveGate,
)
from exchange.values.windows.plan import WindowId
from tests.core.windows import by_hand
from tests.probes import Numbers, Probe, Scene
from tests.venue import ADMIN, public_key

NONE = WindowId(0)
FAILED = (GateResult(Gate.FLOORS, False, "test"),)


def _some(s: Scene, n: Numbers) -> WindowId:
    windows = list(s.venue.state.windows)
    return windows[n.number % len(windows)] if windows else NONE


def _begin(s: Scene, n: Numbers) -> AnyCommand:
    window = _some(s, n)
    if window:
        s.venue.time_us = max(s.venue.time_us, s.venue.state.windows[window].plan.offline_at_us)
    return BeginWindow(window)


def _begin_planned(s: Scene) -> AnyCommand:
    window = by_hand.plan(s.venue)
    s.venue.time_us = s.venue.state.windows[window].plan.offline_at_us
    return BeginWindow(window)


def _cancel_begun(s: Scene) -> AnyCommand:
    begin = _begin_planned(s)
    s.venue.expect(begin)
    assert isinstance(begin, BeginWindow)
    return CancelAtClose(begin.window)


def _shut(s: Scene) -> WindowId:
    window = by_hand.plan(s.venue)
    by_hand.shut(s.venue, window)
    return window


def _step(s: Scene, n: Numbers) -> AnyCommand:
    window = _some(s, n)
    if window:
        s.venue.time_us = max(s.venue.time_us, s.venue.state.windows[window].plan.full_at_us)
    return StepWindow(window)


def _step_proved(s: Scene) -> AnyCommand:
    window = _shut(s)
    by_hand.approve(s.venue, by_hand.certify(s.venue, window), ADMIN, s.second)
    s.venue.time_us = s.venue.state.windows[window].plan.post_only_at_us
    return StepWindow(window)


def _certify(s: Scene, n: Numbers) -> AnyCommand:
    kind = tuple(CertificateKind)[n.which]
    return Certify(by_hand.certificate(s.venue, _some(s, n), kind), "test")


def _certify_of_tomorrow(s: Scene) -> AnyCommand:
    return Certify(by_hand.certificate(s.venue, as_of_seq=s.venue.state.seq + 1), "test")


def _approve(s: Scene, n: Numbers) -> AnyCommand:
    return ApproveOpening(s.admin(n), max(s.venue.state.certificates, default=CertificateId(0)), "test")


def _waive(s: Scene, admin: AdminId = ADMIN) -> AnyCommand:
    failed = s.venue.state.failed_gates
    return WaiveGate(admin, NONE if failed is None else failed.window, Gate.FLOORS, "test")


def _waive_failed(s: Scene) -> AnyCommand:
    by_hand.fail(s.venue, NONE, Gate.FLOORS)
    return _waive(s)


PROBES = (
    Probe(
        PlanWindow,
        lambda s, n: PlanWindow(ADMIN, by_hand.times(s.venue, n.offset * by_hand.MINUTE, freeze=bool(n.which))),
        lambda s: PlanWindow(ADMIN, by_hand.times(s.venue)),
        lambda s: PlanWindow(ADMIN, by_hand.times(s.venue, -by_hand.MINUTE)),
        Code.INVALID_CLIENT_REQUEST,
    ),
    Probe(
        ChangeWindow,
        lambda s, n: ChangeWindow(ADMIN, _some(s, n), by_hand.times(s.venue, n.number * by_hand.MINUTE)),
        lambda s: ChangeWindow(ADMIN, by_hand.plan(s.venue), by_hand.times(s.venue, 2 * by_hand.MINUTE)),
        lambda s: ChangeWindow(ADMIN, NONE, by_hand.times(s.venue)),
        Code.RESOURCE_NOT_FOUND,
    ),
    Probe(
        CancelWindow,
        lambda s, n: CancelWindow(ADMIN, _some(s, n), "test"),
        lambda s: CancelWindow(ADMIN, by_hand.plan(s.venue), "test"),
        lambda s: CancelWindow(ADMIN, NONE, "test"),
        Code.RESOURCE_NOT_FOUND,
    ),
    Probe(
        ApproveOpening,
        _approve,
        lambda s: ApproveOpening(ADMIN, by_hand.certify(s.venue), "test"),
        lambda s: ApproveOpening(ADMIN, CertificateId(1), "test"),
        Code.RESOURCE_NOT_FOUND,
    ),
    Probe(WaiveGate, lambda s, n: _waive(s, s.admin(n)), _waive_failed, _waive, Code.PRECONDITION_FAILED),
    Probe(
        RotateVenueKey,
        lambda s, n: RotateVenueKey(s.admin(n), public_key(930_000 + n.number), bool(n.which), "test"),
        lambda s: RotateVenueKey(ADMIN, public_key(999), False, "test"),
        lambda s: RotateVenueKey(ADMIN, "no key", False, "test"),
        Code.INVALID_CLIENT_REQUEST,
    ),
    Probe(BeginWindow, _begin, _begin_planned, lambda s: BeginWindow(NONE), Code.RESOURCE_NOT_FOUND),
    Probe(
        CancelAtClose,
        lambda s, n: CancelAtClose(_some(s, n)),
        _cancel_begun,
        lambda s: CancelAtClose(NONE),
        Code.RESOURCE_NOT_FOUND,
    ),
    Probe(
        BeginVerifying,
        lambda s, n: BeginVerifying(_some(s, n)),
        lambda s: BeginVerifying(_shut(s)),
        lambda s: BeginVerifying(NONE),
        Code.RESOURCE_NOT_FOUND,
    ),
    Probe(
        Certify,
        _certify,
        lambda s: Certify(by_hand.certificate(s.venue), "test"),
        _certify_of_tomorrow,
        Code.PRECONDITION_FAILED,
    ),
    Probe(
        ReportGates,
        lambda s, n: ReportGates(_some(s, n), FAILED, "test"),
        lambda s: ReportGates(NONE, FAILED, "test"),
    ),
    Probe(StepWindow, _step, _step_proved, lambda s: StepWindow(NONE), Code.RESOURCE_NOT_FOUND),
    Probe(
        DelayWindow,
        lambda s, n: DelayWindow(_some(s, n), "test"),
        lambda s: DelayWindow(_shut(s), "test"),
        lambda s: DelayWindow(NONE, "test"),
        Code.RESOURCE_NOT_FOUND,
    ),
)
