"""State is as large, and as quick, after hundreds of windows as after some: what decides nothing any more is let go."""

from time import perf_counter

from exchange.core import State, decide
from exchange.core.due import next_due
from exchange.core.snapshot import dump, load, venue_line
from exchange.core.windows.certificates import MAX_ENDED_WINDOWS, MAX_ISSUED
from exchange.core.windows.view import maintenance_view
from exchange.rules.limits import MAX_OPEN_WINDOWS
from exchange.values.commands import AnyCommand
from exchange.values.enums import Mode, Side
from exchange.values.ids import AccountId
from exchange.values.modes.commands import SetMode
from exchange.values.process.commands import StartProcess
from exchange.values.process.events import Refused
from exchange.values.windows.certificate import Gate
from exchange.values.windows.commands import ApproveOpening, CancelWindow, Certify, RotateVenueKey, WaiveGate
from exchange.values.windows.plan import WindowId, WindowStage
from tests.core.windows import by_hand as m
from tests.venue import ADMIN, Venue, public_key

WARM, WINDOWS = 70, 300


def why_not(venue: Venue, command: AnyCommand) -> str:
    [event] = venue.do(command)
    assert isinstance(event, Refused), event
    return event.message


def traded() -> tuple[Venue, AccountId]:
    venue = Venue()
    venue.expect(StartProcess("b1", True))
    venue.open()
    account = venue.account({"USDC": 10**12, "SOL": 10**12})
    venue.expect(venue.limit(account, Side.BID, 9_000, 5))
    return venue, account


def one_window(venue: Venue, number: int) -> None:
    """Every third is called off, every fifth opens with a gate that two have waived, some over a start."""
    second = m.second_approver(venue)
    window = m.plan(venue, markets=("SOL_USDC",) if number % 2 else ())
    if not number % 3:
        venue.expect(CancelWindow(ADMIN, window, "not needed"))
        return
    m.shut(venue, window)
    if not number % 7:
        venue.expect(StartProcess(f"b{number}", True))
        m.approve(venue, m.certify(venue), ADMIN, second)
    waived = {}
    if not number % 5:
        m.fail(venue, window, Gate.FLOORS)
        for admin in (ADMIN, second):
            venue.expect(WaiveGate(admin, window, Gate.FLOORS, "known"))
        waived = {Gate.FLOORS: (ADMIN, second)}
    m.approve(venue, m.certify(venue, window, waived=waived), ADMIN, second)
    m.open_window(venue, window)
    if not number % 7:
        venue.open()


def decided_s(venue: Venue, account: AccountId) -> float:
    """Of an order with what is asked before it; the best of many."""
    command = venue.limit(account, Side.BID, 8_000, 5)

    def once() -> float:
        began = perf_counter()
        for _ in range(20):
            next_due(venue.state, venue.time_us)
            decide(venue.state, venue.time_us, command)
        return perf_counter() - began

    return min(once() for _ in range(30))


def test_the_venues_line_and_a_decision_stay_level_over_hundreds_of_windows() -> None:
    venue, account = traded()
    for number in range(WARM):
        one_window(venue, number)
    size, quick = len(venue_line(venue.state)), decided_s(venue, account)
    for number in range(WARM, WINDOWS):
        one_window(venue, number)
    # Ids and seqs grow by a digit or two; a window with its certificates is more than a thousand bytes.
    assert len(venue_line(venue.state)) < size * 1.1
    assert decided_s(venue, account) < quick * 2
    held = venue.state
    assert len(held.windows) == MAX_ENDED_WINDOWS
    assert len(held.issued) == MAX_ISSUED
    assert len(held.certificates) <= 1 + len(held.markets)
    assert held.approvals.keys() <= held.certificates.keys()
    assert len(held.waivers) <= len(Gate) * (MAX_OPEN_WINDOWS + len(held.certificates) + 1)


def same(state: State) -> bool:
    return dump(load(dump(state))) == dump(state)


def test_the_last_to_end_are_shown_and_those_that_have_not() -> None:
    venue, _ = traded()
    long_planned = m.plan(venue, ahead_us=100 * m.MINUTE)
    ended = [m.plan(venue, ahead_us=(1_000 + 500 * at) * m.MINUTE) for at in range(MAX_OPEN_WINDOWS - 1)]
    for window in ended:
        venue.expect(CancelWindow(ADMIN, window, "not needed"))
    ended += [one_ended(venue) for _ in range(MAX_ENDED_WINDOWS - 1)]
    shown = maintenance_view(venue.state).windows
    assert [view.window for view in shown] == [long_planned, *reversed(ended[-MAX_ENDED_WINDOWS:])]
    venue.expect(CancelWindow(ADMIN, long_planned, "not needed"))
    assert maintenance_view(venue.state).windows[0].stage is WindowStage.CANCELLED, "it was the last to end"
    assert maintenance_view(venue.state).windows[0].window == long_planned
    assert same(venue.state)


def one_ended(venue: Venue) -> WindowId:
    window = m.plan(venue, ahead_us=3_000 * m.MINUTE)
    venue.expect(CancelWindow(ADMIN, window, "not needed"))
    return window


def test_a_certificate_stays_while_it_counts_for_any_scope_and_its_approvals_and_waivers_with_it() -> None:
    venue, _ = traded()
    second = m.second_approver(venue)
    window = m.plan(venue)
    m.shut(venue, window)
    m.fail(venue, window, Gate.FLOORS)
    for admin in (ADMIN, second):
        venue.expect(WaiveGate(admin, window, Gate.FLOORS, "known"))
    kept = m.certify(venue, window, waived={Gate.FLOORS: (ADMIN, second)})
    m.approve(venue, kept, ADMIN, second)
    # Called off: an admin opens it by hand, on the same evidence.
    venue.expect(CancelWindow(ADMIN, window, "by hand"))
    assert list(venue.state.certificates) == [kept]
    assert list(venue.state.waivers) == [(window, Gate.FLOORS)]
    assert same(venue.state)
    venue.open()
    again = m.plan(venue)
    closing = m.shut(venue, again)
    assert closing not in venue.state.certificates, "a closing one decides nothing; its window knows it"
    assert venue.state.windows[again].closing_id == closing
    newer = m.certify(venue, again)
    assert list(venue.state.certificates) == [newer]
    assert not venue.state.approvals
    assert not venue.state.waivers
    venue.expect(ApproveOpening(ADMIN, newer, "x"))
    venue.expect(StartProcess("b2", True))
    assert not venue.state.certificates, "a start voids them all"
    assert not venue.state.approvals
    assert {of: venue.state.issued[of] for of in (kept, newer)} == {kept: window, newer: again}


def test_what_was_waived_at_a_start_stays_when_a_window_ends_meanwhile() -> None:
    venue, _ = traded()
    second = m.second_approver(venue)
    planned = m.plan(venue, ahead_us=3_000 * m.MINUTE)
    venue.expect(StartProcess("b2", True))
    m.fail(venue, WindowId(0), Gate.FLOORS)
    for admin in (ADMIN, second):
        venue.expect(WaiveGate(admin, WindowId(0), Gate.FLOORS, "known"))
    venue.expect(CancelWindow(ADMIN, planned, "not needed"))
    opening = m.certify(venue, WindowId(0), waived={Gate.FLOORS: (ADMIN, second)})
    m.approve(venue, opening, ADMIN, second)
    venue.open()
    venue.expect(StartProcess("b3", True))
    m.fail(venue, WindowId(0), Gate.FLOORS)
    again = Certify(m.certificate(venue, failed={Gate.FLOORS: (ADMIN, second)}), "x")
    assert "has not been waived" in why_not(venue, again), "that was for what failed at the start before"


def test_what_a_revoked_key_has_signed_opens_nothing_nor_does_an_older_certificate() -> None:
    venue, _ = traded()
    second = m.second_approver(venue)
    venue.expect(SetMode(ADMIN, Mode.OFFLINE, "test"))
    m.approve(venue, m.certify(venue), ADMIN, second)
    venue.agree(RotateVenueKey(ADMIN, public_key(801), False, "yearly"), second)
    m.approve(venue, m.certify(venue), ADMIN, second)
    venue.agree(RotateVenueKey(ADMIN, public_key(802), True, "stolen"), second)
    step = SetMode(ADMIN, Mode.POST_ONLY, "test")
    assert "needs an opening certificate" in why_not(venue, step)
    m.approve(venue, m.certify(venue), ADMIN, second)
    venue.expect(step)
