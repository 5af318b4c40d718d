"""A crash in the middle of every step of a window: it then goes on, or stays shut; never half open."""

import pytest
from msgspec.structs import replace

from exchange.core.due import next_due
from exchange.values.enums import Mode, Side
from exchange.values.ids import AdminId
from exchange.values.modes.commands import ResumeModes, SetAutoResume, SetMode
from exchange.values.orders.commands import SetCancelAllAfter
from exchange.values.process.commands import StartProcess
from exchange.values.process.events import Refused
from exchange.values.windows.certificate import CertificateKind
from exchange.values.windows.commands import BeginVerifying, CancelWindow, StepWindow
from exchange.values.windows.plan import WindowId, WindowStage
from tests.core.windows import by_hand as m
from tests.core.windows.test_windows import traded_venue
from tests.venue import ADMIN, Venue, refold


def whole_window(canary: str | None) -> tuple[Venue, WindowId, AdminId, int]:
    """A window from its plan to its end, and the seq it was planned at."""
    venue, account = traded_venue()
    second = m.second_approver(venue)
    leaver = venue.account({"SOL": 10**12, "USDC": 10**12})
    venue.expect(replace(venue.limit(leaver, Side.BID, 9_000, 1), cancel_at_close=True))
    venue.expect(SetCancelAllAfter(account, venue.key(account), 300 * m.MINUTE))
    window = m.plan(venue, canary=canary)
    planned_seq = venue.state.seq
    m.shut(venue, window)
    venue.expect(BeginVerifying(window))
    m.approve(venue, m.certify(venue, window), ADMIN, second)
    m.open_window(venue, window)
    if canary is not None:
        m.open_window(venue, window)
    assert venue.state.windows[window].stage is WindowStage.COMPLETED
    return venue, window, second, planned_seq


def crashed(venue: Venue, seq: int) -> Venue:
    """The venue as it is recovered if the process died right after record `seq`, and started again."""
    after = Venue()
    after.records = venue.records[:seq]
    after.state = refold(after.records)
    after.time_us = max(record.time_us for record in after.records)
    after._keys = dict(venue._keys)
    after.expect(StartProcess("build 1", False))
    return after


@pytest.mark.parametrize("canary", [None, "BTC_USDC"])
def test_a_crash_after_any_record_of_a_window(canary: str | None) -> None:
    venue, window, second, planned_seq = whole_window(canary)
    for seq in range(planned_seq, venue.state.seq):
        after = crashed(venue, seq)
        state = after.state
        assert state.venue_mode is Mode.OFFLINE, seq
        held = state.windows[window]
        if held.under_way:
            # No mode comes back by itself, and evidence of the last process opens nothing.
            after.expect(SetAutoResume(ADMIN, True, "test"))
            assert isinstance(after.do(ResumeModes())[0], Refused)
            after.time_us = max(after.time_us, held.plan.full_at_us)
            assert isinstance(after.do(StepWindow(window))[0], Refused), seq
        _carry_on(after, window, second)
        assert state.windows[window].stage is WindowStage.COMPLETED
        assert all(state.ruling_mode(market) is Mode.FULL for market in state.markets.values())
        assert not state.frozen_since_us
        assert not any(order.cancel_at_close for order in state.orders.values())
        after.check()


def _carry_on(venue: Venue, window: WindowId, second: AdminId) -> None:
    """What the scheduler does, from wherever the window stands."""
    state = venue.state
    held = state.windows[window]
    while held.stage is not WindowStage.COMPLETED:
        venue.time_us += m.MINUTE
        due = next_due(state, venue.time_us)
        if due is not None:
            venue.expect(due)
        elif not held.begun:
            m.begin(venue, window)
        elif not held.closing_id:
            m.certify(venue, window, CertificateKind.CLOSING)
        elif isinstance(venue.do(StepWindow(window))[0], Refused) and held.stage is not WindowStage.PRE_OPEN:
            m.approve(venue, m.certify(venue, window), ADMIN, second)


def test_an_order_in_flight_when_the_market_closes_is_refused_and_a_cancel_when_it_opens_is_carried_out() -> None:
    """Commands are decided in the mode of their own seq, whatever it was when they were sent."""
    venue, account = traded_venue()
    second = m.second_approver(venue)
    sent_before = venue.limit(account, Side.BID, 9_000, 1)
    window = m.plan(venue)
    m.shut(venue, window)
    assert isinstance(venue.do(sent_before)[0], Refused)
    cancel = venue.cancel_all(account)
    assert isinstance(venue.do(cancel)[0], Refused)
    m.approve(venue, m.certify(venue, window), ADMIN, second)
    m.open_window(venue, window)
    venue.expect(cancel)
    assert not venue.state.orders


def test_of_two_admins_at_once_the_second_is_told_what_the_first_did() -> None:
    venue, _ = traded_venue()
    second = m.second_approver(venue)
    venue.expect(SetMode(ADMIN, Mode.CANCEL_ONLY, "mine"))
    [refused] = venue.do(SetMode(second, Mode.CANCEL_ONLY, "mine too"))
    assert isinstance(refused, Refused)
    assert "already" in refused.message
    window = m.plan(venue)
    venue.expect(CancelWindow(ADMIN, window, "not today"))
    [refused] = venue.do(CancelWindow(second, window, "not today"))
    assert isinstance(refused, Refused)
