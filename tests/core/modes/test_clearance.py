"""What is no evidence: an approval taken back, a certificate from before the last closing, the time."""

from base64 import b64decode
from collections.abc import Callable

import pytest

from exchange.core.modes.clearance import clearance, waived_by
from exchange.values.commands import AnyCommand
from exchange.values.enums import Mode, Role, Side
from exchange.values.ids import AdminId
from exchange.values.modes.commands import DropToCancelOnly, ResumeModes, SetMode
from exchange.values.people.admins import AdminSpec
from exchange.values.people.commands import AddAdmin, RevokeAdmin
from exchange.values.people.events import AdminAdded
from exchange.values.process.commands import ReportFault, StartProcess
from exchange.values.process.events import Refused
from exchange.values.refusals import Code
from exchange.values.windows.certificate import CertificateId, Gate
from exchange.values.windows.commands import Certify, DelayWindow, StepWindow, WaiveGate
from exchange.values.windows.plan import WindowId
from tests.core.windows import by_hand as m
from tests.venue import ADMIN, SOL_USDC, Venue, public_key


@pytest.fixture
def venue() -> Venue:
    """Open, with a book that has traded."""
    venue = Venue(auto_resume=True).open()
    ann, bob = (venue.account({"USDC": 10**12, "SOL": 10**12}) for _ in range(2))
    venue.expect(venue.limit(ann, Side.BID, 10_000, 10))
    venue.expect(venue.limit(bob, Side.ASK, 10_000, 5))
    return venue


def approved(venue: Venue, markets: tuple[str, ...] = ()) -> tuple[WindowId, CertificateId, AdminId]:
    """A window that is shut, proved and approved; the second approver."""
    second = m.second_approver(venue)
    window = m.plan(venue, markets=markets)
    m.shut(venue, window)
    certificate = m.certify(venue, window)
    m.approve(venue, certificate, ADMIN, second)
    return window, certificate, second


def refused(venue: Venue, command: AnyCommand) -> bool:
    [event, *_] = venue.do(command)
    return isinstance(event, Refused)


def fault(venue: Venue) -> None:
    venue.expect(ReportFault(SOL_USDC.symbol, "1f"))


def brake(venue: Venue) -> None:
    venue.expect(DropToCancelOnly("the rehearsal differs"))


def shut_by_hand(venue: Venue) -> None:
    venue.expect(SetMode(ADMIN, Mode.OFFLINE, "incident"))


def shut_market_by_hand(venue: Venue) -> None:
    venue.expect(SetMode(ADMIN, Mode.CANCEL_ONLY, "incident", SOL_USDC.symbol))


@pytest.mark.parametrize(
    ("markets", "stop"),
    [
        ((), brake),
        ((), shut_by_hand),
        ((SOL_USDC.symbol,), fault),
        ((SOL_USDC.symbol,), shut_market_by_hand),
    ],
)
def test_a_window_does_not_open_over_a_brake(
    venue: Venue, markets: tuple[str, ...], stop: Callable[[Venue], None]
) -> None:
    window, _, _ = approved(venue, markets)
    planned = venue.state.windows[window].plan
    venue.time_us = planned.post_only_at_us
    venue.expect(StepWindow(window))
    market = venue.state.markets[SOL_USDC.symbol]
    assert venue.state.ruling_mode(market) is Mode.POST_ONLY
    stop(venue)
    stopped = venue.state.ruling_mode(market)
    venue.time_us = planned.full_at_us + m.MINUTE
    assert refused(venue, StepWindow(window))
    venue.expect(DelayWindow(window, "stopped"))
    assert refused(venue, StepWindow(window)), "nor from the beginning, on the evidence there was"
    assert venue.state.ruling_mode(market) is stopped


def test_what_was_shut_since_the_certificate_is_not_opened_on_it(venue: Venue) -> None:
    window, _, _ = approved(venue)
    m.open_window(venue, window)
    brake(venue)
    shut_by_hand(venue)
    assert refused(venue, SetMode(ADMIN, Mode.POST_ONLY, "try"))


def test_the_approval_of_a_revoked_admin_does_not_count(venue: Venue) -> None:
    _, _, second = approved(venue)
    assert clearance(venue.state, None, Mode.OFFLINE) is None
    m.third_approver(venue, second)
    venue.expect(RevokeAdmin(ADMIN, second, "the key was stolen"))
    refusal = clearance(venue.state, None, Mode.OFFLINE)
    assert refusal is not None
    assert "1 of 2 approvals" in refusal.message


def test_the_waiver_of_a_revoked_admin_does_not_count(venue: Venue) -> None:
    second = m.second_approver(venue)
    window = m.plan(venue)
    m.shut(venue, window)
    m.fail(venue, window, Gate.ORACLE)
    for admin in (ADMIN, second):
        venue.expect(WaiveGate(admin, window, Gate.ORACLE, "test"))
    certificate = m.certificate(venue, window, failed={Gate.ORACLE: (ADMIN, second)})
    m.third_approver(venue, second)
    venue.expect(RevokeAdmin(ADMIN, second, "the key was stolen"))
    assert refused(venue, Certify(certificate, "test"))


def test_nor_does_it_in_a_certificate_that_was_issued_before(venue: Venue) -> None:
    second = m.second_approver(venue)
    window = m.plan(venue)
    m.shut(venue, window)
    m.fail(venue, window, Gate.ORACLE)
    for admin in (ADMIN, second):
        venue.expect(WaiveGate(admin, window, Gate.ORACLE, "test"))
    m.third_approver(venue, second)
    third = max(venue.state.admins)
    m.approve(venue, m.certify(venue, window, waived={Gate.ORACLE: (ADMIN, second)}), ADMIN, third)
    assert clearance(venue.state, None, Mode.OFFLINE) is None
    venue.expect(RevokeAdmin(ADMIN, second, "the key was stolen"))
    refusal = clearance(venue.state, None, Mode.OFFLINE)
    assert refusal is not None
    assert "lacks the gate oracle" in refusal.message


def test_a_waiver_without_a_window_is_for_one_start(venue: Venue) -> None:
    second = m.second_approver(venue)
    for start, admins in ((1, (ADMIN, second)), (2, (second,))):
        venue.expect(StartProcess(venue.state.build, clean=True))
        assert waived_by(venue.state, m.NO_WINDOW, Gate.ORACLE) == (), start
        m.fail(venue, m.NO_WINDOW, Gate.ORACLE)
        for admin in admins:
            venue.expect(WaiveGate(admin, m.NO_WINDOW, Gate.ORACLE, "test"))
    assert waived_by(venue.state, m.NO_WINDOW, Gate.ORACLE) == ()
    assert refused(venue, Certify(m.certificate(venue, failed={Gate.ORACLE: (ADMIN, second)}), "test"))


def test_one_admin_named_twice_is_no_waiver_of_two(venue: Venue) -> None:
    window = m.plan(venue)
    m.shut(venue, window)
    m.fail(venue, window, Gate.ORACLE)
    venue.expect(WaiveGate(ADMIN, window, Gate.ORACLE, "test"))
    certificate = m.certificate(venue, window, failed={Gate.ORACLE: (ADMIN, ADMIN)})
    assert refused(venue, Certify(certificate, "test"))


def test_a_start_that_met_a_doubt_is_not_resumed_by_the_next_one() -> None:
    venue = Venue(auto_resume=True)
    venue.expect(StartProcess("build", clean=True))
    venue.open()
    venue.expect(StartProcess("build", clean=False))
    brake(venue)
    assert venue.state.venue_mode is Mode.OFFLINE
    assert refused(venue, ResumeModes())
    venue.expect(StartProcess("build", clean=True))
    assert refused(venue, ResumeModes())


def test_a_public_key_has_one_spelling(venue: Venue) -> None:
    """Else one key could be two admins, and approve twice."""
    key = public_key(900)
    [added] = venue.expect(AddAdmin(ADMIN, AdminSpec("one", key, (Role.APPROVER,)), "test"))
    assert isinstance(added, AdminAdded)
    alias = key[:42] + chr(ord(key[42]) + 1) + "="
    assert b64decode(alias) == b64decode(key)
    [refusal] = venue.do(AddAdmin(ADMIN, AdminSpec("another", alias, (Role.APPROVER,)), "test"))
    assert isinstance(refusal, Refused)
    assert refusal.code is Code.INVALID_CLIENT_REQUEST
