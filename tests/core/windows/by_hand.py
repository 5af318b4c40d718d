"""Maintenance by hand, for tests of the core: windows shut and opened with evidence made up on the spot.

What makes real evidence is tested elsewhere; here it is what the core does with it.
"""

from collections.abc import Iterable, Mapping

import msgspec

from exchange.rules.gates import GATES
from exchange.values.enums import Role
from exchange.values.ids import AdminId
from exchange.values.people.admins import AdminSpec
from exchange.values.people.commands import AddAdmin
from exchange.values.people.events import AdminAdded
from exchange.values.windows.certificate import Certificate, CertificateId, CertificateKind, Gate, GateResult
from exchange.values.windows.commands import (
    ApproveOpening,
    BeginWindow,
    CancelAtClose,
    Certify,
    PlanWindow,
    ReportGates,
    StepWindow,
)
from exchange.values.windows.events import CertificateIssued, WindowPlanned
from exchange.values.windows.plan import WindowId, WindowPlan
from tests.venue import ADMIN, Venue, public_key

MINUTE = 60 * 1_000_000
NO_WINDOW = WindowId(0)


def second_approver(venue: Venue) -> AdminId:
    """A second person who may approve, added if there is none yet."""
    for admin, spec in venue.state.admins.items():
        if admin != ADMIN and Role.APPROVER in spec.roles:
            return admin
    spec = AdminSpec("second", public_key(700 + venue.state.seq), (Role.APPROVER, Role.OPERATOR))
    [added] = venue.expect(AddAdmin(ADMIN, spec, "test"))
    assert isinstance(added, AdminAdded)
    return added.admin


def third_approver(venue: Venue, second: AdminId) -> None:
    """A third one, whom two agree on: then one of them can go."""
    spec = AdminSpec("third", public_key(750 + venue.state.seq), (Role.APPROVER,))
    venue.agree(AddAdmin(ADMIN, spec, "test"), second)


def times(
    venue: Venue, ahead_us: int = MINUTE, markets: tuple[str, ...] = (), canary: str | None = None, freeze: bool = True
) -> WindowPlan:
    """Offline `ahead_us` from now, post-only two hours later, full ten minutes after that."""
    offline = venue.time_us + ahead_us
    post_only = offline + 120 * MINUTE
    return WindowPlan(offline, post_only, post_only + 10 * MINUTE, "upgrade", markets, freeze, canary)


def plan(
    venue: Venue,
    ahead_us: int = MINUTE,
    markets: tuple[str, ...] = (),
    canary: str | None = None,
    freeze: bool = True,
) -> WindowId:
    [planned] = venue.expect(PlanWindow(ADMIN, times(venue, ahead_us, markets, canary, freeze)))
    assert isinstance(planned, WindowPlanned)
    return planned.window


def begin(venue: Venue, window: WindowId) -> None:
    """Its time has come: OFFLINE, and what asked to be cancelled is."""
    venue.time_us = max(venue.time_us, venue.state.windows[window].plan.offline_at_us)
    venue.expect(BeginWindow(window))
    while not venue.state.windows[window].closed:
        venue.expect(CancelAtClose(window))


def shut(venue: Venue, window: WindowId) -> CertificateId:
    """`begin`, and the closing certificate."""
    begin(venue, window)
    return certify(venue, window, CertificateKind.CLOSING)


def certificate(
    venue: Venue,
    window: WindowId = NO_WINDOW,
    kind: CertificateKind = CertificateKind.OPENING,
    markets: tuple[str, ...] | None = None,
    gates: Iterable[Gate] = GATES,
    failed: Mapping[Gate, tuple[AdminId, ...]] | None = None,
    as_of_seq: int | None = None,
) -> str:
    """The text of a certificate that fits the venue as it stands, but for what is asked to be otherwise."""
    state = venue.state
    planned = state.windows.get(window)
    failed = failed or {}
    results = tuple(GateResult(gate, gate not in failed, "test", failed.get(gate, ())) for gate in gates)
    made = Certificate(
        kind=kind,
        venue=state.venue,
        build=state.build,
        markets=markets if markets is not None else planned.plan.markets if planned is not None else (),
        window=window,
        as_of_seq=state.seq if as_of_seq is None else as_of_seq,
        time_us=venue.time_us,
        chain="00" * 32,
        statement_version=1,
        statements=0,
        root="00" * 32,
        totals=(),
        public_key=state.venue_public_key,
        closing_id=planned.closing_id if planned is not None and kind is CertificateKind.OPENING else CertificateId(0),
        gates=results if kind is CertificateKind.OPENING else (),
    )
    return msgspec.json.encode(made).decode()


def certify(
    venue: Venue,
    window: WindowId = NO_WINDOW,
    kind: CertificateKind = CertificateKind.OPENING,
    markets: tuple[str, ...] | None = None,
    waived: Mapping[Gate, tuple[AdminId, ...]] | None = None,
) -> CertificateId:
    [issued] = venue.expect(Certify(certificate(venue, window, kind, markets, failed=waived), "test"))
    assert isinstance(issued, CertificateIssued)
    return issued.certificate_id


def fail(venue: Venue, window: WindowId, gate: Gate) -> None:
    results = tuple(GateResult(each, each is not gate, "test") for each in GATES)
    venue.expect(ReportGates(window, results, f"gate {gate} failed"))


def approve(venue: Venue, certificate_id: CertificateId, *admins: AdminId) -> None:
    for admin in admins:
        venue.expect(ApproveOpening(admin, certificate_id, "test"))


def open_window(venue: Venue, window: WindowId) -> None:
    """The steps up, at their times."""
    planned = venue.state.windows[window].plan
    venue.time_us = max(venue.time_us, planned.post_only_at_us)
    venue.expect(StepWindow(window))
    venue.time_us = max(venue.time_us, planned.full_at_us)
    venue.expect(StepWindow(window))
