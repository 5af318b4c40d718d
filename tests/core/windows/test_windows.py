"""What the core lets a window do, and what it wants to see first."""

import pytest

from exchange.core import decide
from exchange.core.due import next_due
from exchange.core.snapshot import dump, load
from exchange.rules.gates import GATES
from exchange.rules.limits import MAX_CANCELS_PER_COMMAND
from exchange.values.accounts.commands import UpdateAccount
from exchange.values.accounts.settings import SettingsChange
from exchange.values.commands import AnyCommand
from exchange.values.enums import Mode, Role, Side
from exchange.values.ids import AccountId
from exchange.values.listings.commands import ListAsset, ListMarket, SetLimits
from exchange.values.listings.specs import AssetSpec, Limits, ListedMarket, spot_market
from exchange.values.modes.commands import DropToCancelOnly, ResumeModes, SetAutoResume, SetMode
from exchange.values.modes.events import ModeChanged
from exchange.values.orders.commands import PlaceOrder, SetCancelAllAfter
from exchange.values.people.admins import AdminSpec
from exchange.values.people.commands import AddAdmin
from exchange.values.process.commands import AcceptLoss, StartProcess
from exchange.values.process.events import Refused
from exchange.values.refusals import Code
from exchange.values.windows.certificate import CertificateId, CertificateKind, Gate
from exchange.values.windows.commands import (
    ApproveOpening,
    BeginVerifying,
    BeginWindow,
    CancelWindow,
    Certify,
    ChangeWindow,
    PlanWindow,
    RotateVenueKey,
    StepWindow,
    WaiveGate,
)
from exchange.values.windows.plan import WindowId, WindowPlan, WindowStage
from tests.core.windows import by_hand as m
from tests.venue import ADMIN, FILTERS, USDC, Venue, deposit, public_key

START = {"SOL": 10**13, "USDC": 10**13}
BTC_USDC = spot_market(AssetSpec("BTC", 8, "Bitcoin"), USDC, 100_000_000, 10_000)


def traded_venue() -> tuple[Venue, AccountId]:
    """An open venue with two markets, resting orders and a past."""
    venue = Venue()
    venue.expect(ListAsset(ADMIN, AssetSpec("BTC", 8, "Bitcoin"), "test"))
    venue.expect(ListMarket(ADMIN, ListedMarket(BTC_USDC, FILTERS), "test"))
    venue.expect(StartProcess("build 1", True))
    venue.open()
    for mode in (Mode.POST_ONLY, Mode.FULL):
        venue.expect(SetMode(ADMIN, mode, "test", "BTC_USDC"))
    account = venue.account(START)
    venue.expect(venue.limit(account, Side.BID, 9_900, 5))
    venue.expect(venue.limit(account, Side.ASK, 10_100, 5))
    return venue, account


def refusal(venue: Venue, command: AnyCommand) -> Refused:
    [event] = venue.do(command)
    assert isinstance(event, Refused), event
    return event


def stage(venue: Venue, window: WindowId) -> WindowStage:
    return venue.state.windows[window].stage


def test_a_window_from_its_plan_to_its_end() -> None:
    venue, account = traded_venue()
    second = m.second_approver(venue)
    window = m.plan(venue)
    assert stage(venue, window) is WindowStage.SCHEDULED
    closing = m.shut(venue, window)
    assert venue.state.mode_reason == "maintenance: upgrade"
    assert stage(venue, window) is WindowStage.ONGOING
    assert refusal(venue, venue.limit(account, Side.BID, 9_000, 1)).code is Code.MAINTENANCE
    venue.expect(BeginVerifying(window))
    opening = m.certify(venue, window)
    assert venue.state.certificates[opening].closing_id == closing
    m.approve(venue, opening, ADMIN, second)
    m.open_window(venue, window)
    assert stage(venue, window) is WindowStage.COMPLETED
    assert venue.state.venue_mode is Mode.FULL
    assert len(venue.state.orders) == 2
    venue.check()


def test_no_step_up_without_certificate_and_two_people() -> None:
    venue, _ = traded_venue()
    second = m.second_approver(venue)
    window = m.plan(venue)
    m.shut(venue, window)
    venue.time_us = venue.state.windows[window].plan.full_at_us
    step = StepWindow(window)
    assert "needs an opening certificate" in refusal(venue, step).message
    by_hand = SetMode(ADMIN, Mode.POST_ONLY, "I am in a hurry")
    assert "needs an opening certificate" in refusal(venue, by_hand).message
    opening = m.certify(venue, window)
    assert "0 of 2 approvals" in refusal(venue, step).message
    m.approve(venue, opening, ADMIN)
    assert "already" in refusal(venue, ApproveOpening(ADMIN, opening, "again")).message
    assert "1 of 2 approvals" in refusal(venue, step).message
    assert "1 of 2 approvals" in refusal(venue, by_hand).message
    m.approve(venue, opening, second)
    venue.expect(step)
    venue.expect(step)
    assert venue.state.venue_mode is Mode.FULL


def test_times_are_the_earliest_moment() -> None:
    venue, _ = traded_venue()
    second = m.second_approver(venue)
    window = m.plan(venue)
    assert "not time" in refusal(venue, BeginWindow(window)).message
    m.shut(venue, window)
    m.approve(venue, m.certify(venue, window), ADMIN, second)
    assert "not time" in refusal(venue, StepWindow(window)).message
    venue.time_us = venue.state.windows[window].plan.post_only_at_us
    venue.expect(StepWindow(window))
    assert stage(venue, window) is WindowStage.PRE_OPEN
    assert "not time" in refusal(venue, StepWindow(window)).message


@pytest.mark.parametrize("gate", GATES)
def test_every_gate_must_be_in_the_certificate(gate: Gate) -> None:
    venue, _ = traded_venue()
    second = m.second_approver(venue)
    window = m.plan(venue)
    m.shut(venue, window)
    lacking = m.certificate(venue, window, gates=[each for each in GATES if each is not gate])
    venue.expect(Certify(lacking, "test"))
    m.approve(venue, max(venue.state.certificates), ADMIN, second)
    venue.time_us = venue.state.windows[window].plan.full_at_us
    assert f"lacks the gate {gate}" in refusal(venue, StepWindow(window)).message


@pytest.mark.parametrize("gate", GATES)
def test_a_failed_gate_keeps_the_scope_shut_and_two_people_may_waive_some(gate: Gate) -> None:
    venue, _ = traded_venue()
    second = m.second_approver(venue)
    window = m.plan(venue)
    m.shut(venue, window)
    m.fail(venue, window, gate)
    assert stage(venue, window) is WindowStage.DELAYED
    assert venue.state.windows[window].reason == f"gate {gate} failed"
    claimed = Certify(m.certificate(venue, window, failed={gate: (ADMIN, second)}), "test")
    assert f"Gate {gate} failed" in refusal(venue, claimed).message
    waive = WaiveGate(ADMIN, window, gate, "known and harmless")
    if not GATES[gate].waivable:
        assert "can't be waived" in refusal(venue, waive).message
        return
    venue.expect(waive)
    assert "already" in refusal(venue, waive).message
    assert f"Gate {gate} failed" in refusal(venue, claimed).message
    venue.expect(WaiveGate(second, window, gate, "agreed"))
    opening = m.certify(venue, window, waived={gate: (ADMIN, second)})
    m.approve(venue, opening, ADMIN, second)
    m.open_window(venue, window)
    assert venue.state.venue_mode is Mode.FULL


def test_a_waiver_is_for_a_gate_that_failed_in_that_window() -> None:
    venue, _ = traded_venue()
    window = m.plan(venue)
    m.shut(venue, window)
    assert refusal(venue, WaiveGate(ADMIN, window, Gate.FLOORS, "early")).code is Code.PRECONDITION_FAILED
    m.fail(venue, window, Gate.FLOORS)
    assert refusal(venue, WaiveGate(ADMIN, window, Gate.HISTORY, "other")).code is Code.PRECONDITION_FAILED
    assert refusal(venue, WaiveGate(ADMIN, WindowId(0), Gate.FLOORS, "other")).code is Code.PRECONDITION_FAILED


def test_a_certificate_from_before_a_book_changed_is_outdated() -> None:
    venue, _ = traded_venue()
    second = m.second_approver(venue)
    window = m.plan(venue)
    m.shut(venue, window)
    old = m.certificate(venue, window, as_of_seq=venue.state.trading_seq - 1)
    venue.expect(Certify(old, "test"))
    m.approve(venue, max(venue.state.certificates), ADMIN, second)
    venue.time_us = venue.state.windows[window].plan.full_at_us
    assert "outdated" in refusal(venue, StepWindow(window)).message
    m.approve(venue, m.certify(venue, window), ADMIN, second)
    venue.expect(StepWindow(window))


def test_a_switch_that_fires_meanwhile_does_not_void_it() -> None:
    """Or any client could keep the venue shut: each cancel that is due would ask for new gates and approvals."""
    venue, account = traded_venue()
    second = m.second_approver(venue)
    venue.expect(SetCancelAllAfter(account, venue.key(account), 1_000_000))
    window = m.plan(venue, freeze=False)
    m.shut(venue, window)
    m.approve(venue, m.certify(venue, window), ADMIN, second)
    venue.time_us = venue.state.windows[window].plan.full_at_us
    due = next_due(venue.state, venue.time_us)
    assert due is not None
    venue.expect(due)
    assert not venue.state.orders
    m.open_window(venue, window)


def test_a_deposit_does_not_void_it() -> None:
    venue, account = traded_venue()
    second = m.second_approver(venue)
    window = m.plan(venue)
    m.shut(venue, window)
    m.approve(venue, m.certify(venue, window), ADMIN, second)
    venue.expect(deposit(venue.state, account, "SOL", 1, "late"))
    m.open_window(venue, window)


def test_a_restart_or_another_build_voids_it() -> None:
    for build in ("build 1", "build 2"):
        venue, _ = traded_venue()
        second = m.second_approver(venue)
        window = m.plan(venue)
        m.shut(venue, window)
        old = m.certificate(venue, window)
        m.approve(venue, m.certify(venue, window), ADMIN, second)
        venue.expect(StartProcess(build, False))
        venue.time_us = venue.state.windows[window].plan.full_at_us
        assert "needs an opening certificate" in refusal(venue, StepWindow(window)).message
        [event] = venue.do(Certify(old, "test"))
        assert isinstance(event, Refused) is (build == "build 2")
        m.approve(venue, m.certify(venue, window), ADMIN, second)
        m.open_window(venue, window)


def test_another_build_without_gates_stays_shut() -> None:
    venue, _ = traded_venue()
    venue.expect(StartProcess("build 2", True))
    for mode in (Mode.CANCEL_ONLY, Mode.POST_ONLY):
        assert "needs an opening certificate" in refusal(venue, SetMode(ADMIN, mode, "hurry")).message


def test_a_restart_in_pre_open_shuts_the_venue_again() -> None:
    venue, _ = traded_venue()
    venue.expect(SetAutoResume(ADMIN, True, "test"))
    second = m.second_approver(venue)
    window = m.plan(venue)
    m.shut(venue, window)
    m.approve(venue, m.certify(venue, window), ADMIN, second)
    venue.time_us = venue.state.windows[window].plan.post_only_at_us
    venue.expect(StepWindow(window))
    venue.expect(StartProcess("build 1", False))
    assert (venue.state.venue_mode, stage(venue, window)) == (Mode.OFFLINE, WindowStage.ONGOING)
    assert refusal(venue, ResumeModes()).code is Code.PRECONDITION_FAILED
    m.approve(venue, m.certify(venue, window), ADMIN, second)
    m.open_window(venue, window)


def test_a_window_of_one_market_leaves_the_others_alone() -> None:
    venue, account = traded_venue()
    second = m.second_approver(venue)
    window = m.plan(venue, markets=("SOL_USDC",))
    m.shut(venue, window)
    state = venue.state
    assert state.ruling_mode(state.markets["SOL_USDC"]) is Mode.OFFLINE
    assert state.ruling_mode(state.markets["BTC_USDC"]) is Mode.FULL
    assert refusal(venue, venue.limit(account, Side.BID, 9_000, 1)).code is Code.TRADING_PAUSED
    m.approve(venue, m.certify(venue, window), ADMIN, second)
    m.open_window(venue, window)
    assert state.ruling_mode(state.markets["SOL_USDC"]) is Mode.FULL


def test_a_canary_opens_first_and_alone() -> None:
    venue, _ = traded_venue()
    second = m.second_approver(venue)
    window = m.plan(venue, canary="BTC_USDC")
    m.shut(venue, window)
    m.approve(venue, m.certify(venue, window), ADMIN, second)
    m.open_window(venue, window)
    modes = venue.state.ruling_mode
    sol, btc = venue.state.markets["SOL_USDC"], venue.state.markets["BTC_USDC"]
    assert (modes(btc), modes(sol)) == (Mode.FULL, Mode.OFFLINE)
    assert venue.state.windows[window].under_way
    venue.expect(StepWindow(window))
    assert (modes(btc), modes(sol)) == (Mode.FULL, Mode.POST_ONLY)
    venue.expect(StepWindow(window))
    assert (modes(btc), modes(sol)) == (Mode.FULL, Mode.FULL)
    assert stage(venue, window) is WindowStage.COMPLETED


def test_a_crash_after_the_canary_starts_the_opening_again() -> None:
    venue, _ = traded_venue()
    second = m.second_approver(venue)
    window = m.plan(venue, canary="BTC_USDC")
    m.shut(venue, window)
    m.approve(venue, m.certify(venue, window), ADMIN, second)
    m.open_window(venue, window)
    venue.expect(StartProcess("build 1", False))
    assert venue.state.venue_mode is Mode.OFFLINE
    m.approve(venue, m.certify(venue, window), ADMIN, second)
    m.open_window(venue, window)
    m.open_window(venue, window)
    assert stage(venue, window) is WindowStage.COMPLETED
    assert all(venue.state.ruling_mode(market) is Mode.FULL for market in venue.state.markets.values())


def test_a_market_that_was_shut_before_stays_shut_behind_a_canary() -> None:
    venue, _ = traded_venue()
    second = m.second_approver(venue)
    venue.expect(SetMode(ADMIN, Mode.OFFLINE, "delisted", "SOL_USDC"))
    window = m.plan(venue, canary="BTC_USDC")
    m.shut(venue, window)
    m.approve(venue, m.certify(venue, window), ADMIN, second)
    m.open_window(venue, window)
    assert stage(venue, window) is WindowStage.COMPLETED
    assert venue.state.markets["SOL_USDC"].mode is Mode.OFFLINE


def test_orders_that_asked_for_it_are_cancelled_at_close_and_the_others_keep_their_place() -> None:
    venue, account = traded_venue()
    leaver = venue.account(START)
    change = SettingsChange(cancel_at_close=True)
    venue.expect(UpdateAccount(leaver, venue.key(leaver), change))
    for _ in range(MAX_CANCELS_PER_COMMAND + 10):
        venue.expect(venue.limit(leaver, Side.BID, 9_900, 1))
    one = PlaceOrder(
        account,
        venue.key(account),
        "SOL_USDC",
        Side.BID,
        price_ticks=9_800,
        lots=1,
        cancel_at_close=True,
    )
    venue.expect(one)
    window = m.plan(venue)
    m.begin(venue, window)
    assert [order.price_ticks for order in venue.state.orders.values()] == [9_900, 10_100]
    assert next_due(venue.state, venue.time_us) is None
    venue.check()


def test_timers_stand_still_while_the_venue_is_shut() -> None:
    venue, account = traded_venue()
    second = m.second_approver(venue)
    window = m.plan(venue)
    venue.expect(SetCancelAllAfter(account, venue.key(account), 10 * m.MINUTE))
    m.shut(venue, window)
    m.approve(venue, m.certify(venue, window), ADMIN, second)
    venue.time_us = venue.state.windows[window].plan.post_only_at_us
    assert next_due(venue.state, venue.time_us) is None
    venue.expect(StepWindow(window))
    [(on_timers, _)] = venue.state.deadlines
    deadline = on_timers + venue.state.frozen_us
    assert 8 * m.MINUTE < deadline - venue.time_us < 10 * m.MINUTE
    assert next_due(venue.state, deadline - 1) is None
    assert next_due(venue.state, deadline) is not None


@pytest.mark.parametrize(
    ("offline", "post_only", "full"), [(-1, 2, 3), (2, 1, 3), (1, 3, 2), (1, 1, 2), (1, 2, 400 * 24 * 60)]
)
def test_bad_times_are_refused(offline: int, post_only: int, full: int) -> None:
    venue, _ = traded_venue()
    now = venue.time_us + 10_000
    plan = WindowPlan(now + offline * m.MINUTE, now + post_only * m.MINUTE, now + full * m.MINUTE, "x")
    assert refusal(venue, PlanWindow(ADMIN, plan)).code is Code.INVALID_CLIENT_REQUEST


def test_bad_scopes_and_overlaps_are_refused() -> None:
    venue, _ = traded_venue()
    for plan in (
        m.times(venue, markets=("NO_SUCH",)),
        m.times(venue, markets=("SOL_USDC", "SOL_USDC")),
        m.times(venue, canary="NO_SUCH"),
        m.times(venue, markets=("SOL_USDC",), canary="BTC_USDC"),
    ):
        assert refusal(venue, PlanWindow(ADMIN, plan)).code is Code.INVALID_CLIENT_REQUEST
    first = m.plan(venue, markets=("SOL_USDC",))
    m.plan(venue, markets=("BTC_USDC",))
    for plan in (m.times(venue), m.times(venue, markets=("SOL_USDC",))):
        assert "overlaps" in refusal(venue, PlanWindow(ADMIN, plan)).message
    venue.expect(CancelWindow(ADMIN, first, "not needed"))
    m.plan(venue, markets=("SOL_USDC",))
    assert refusal(venue, CancelWindow(ADMIN, first, "again")).code is Code.PRECONDITION_FAILED
    assert refusal(venue, CancelWindow(ADMIN, WindowId(5), "no such")).code is Code.RESOURCE_NOT_FOUND


def test_once_begun_only_the_reopening_can_move() -> None:
    venue, _ = traded_venue()
    window = m.plan(venue)
    m.shut(venue, window)
    old = venue.state.windows[window].plan
    later = WindowPlan(old.offline_at_us, old.post_only_at_us + 1, old.full_at_us + 1, "later")
    venue.expect(ChangeWindow(ADMIN, window, later))
    moved = WindowPlan(old.offline_at_us + 1, old.post_only_at_us + 1, old.full_at_us + 1, "later")
    assert refusal(venue, ChangeWindow(ADMIN, window, moved)).code is Code.PRECONDITION_FAILED


def test_a_cancelled_window_that_had_begun_opens_by_hand_on_the_same_evidence() -> None:
    venue, _ = traded_venue()
    second = m.second_approver(venue)
    window = m.plan(venue)
    m.shut(venue, window)
    venue.expect(CancelWindow(ADMIN, window, "done early"))
    assert venue.state.venue_mode is Mode.OFFLINE
    assert not venue.state.frozen_since_us
    by_hand = SetMode(ADMIN, Mode.POST_ONLY, "done early")
    assert "needs an opening certificate" in refusal(venue, by_hand).message
    m.approve(venue, m.certify(venue), ADMIN, second)
    venue.expect(by_hand)


def test_after_an_incident_cancel_only_takes_invariants_and_another_persons_approval() -> None:
    venue, _ = traded_venue()
    second = m.second_approver(venue)
    venue.expect(DropToCancelOnly("the clock has left its bounds"))
    up = SetMode(ADMIN, Mode.FULL, "clock repaired")
    assert "needs an opening certificate" in refusal(venue, up).message
    venue.expect(Certify(m.certificate(venue, gates=[Gate.INVARIANTS]), "test"))
    opening = max(venue.state.certificates)
    m.approve(venue, opening, ADMIN)
    assert "0 of 1 approvals" in refusal(venue, up).message
    m.approve(venue, opening, second)
    assert [type(event) for event in venue.expect(up)] == [ModeChanged]


def test_the_grace_period_holds_the_way_up() -> None:
    venue, _ = traded_venue()
    second = m.second_approver(venue)
    venue.expect(SetLimits(ADMIN, Limits(opening_grace_us=30 * m.MINUTE), "test"))
    window = m.plan(venue)
    m.shut(venue, window)
    m.approve(venue, m.certify(venue, window), ADMIN, second)
    plan = venue.state.windows[window].plan
    venue.time_us = plan.post_only_at_us
    venue.expect(StepWindow(window))
    venue.time_us = plan.full_at_us
    assert "grace" in refusal(venue, StepWindow(window)).message
    venue.time_us = plan.post_only_at_us + 31 * m.MINUTE
    venue.expect(StepWindow(window))


def test_approvals_are_for_the_newest_certificate_and_by_approvers() -> None:
    venue, _ = traded_venue()
    operator = AdminSpec("operator", public_key(801), (Role.OPERATOR,))
    venue.agree(AddAdmin(ADMIN, operator, "test"), m.second_approver(venue))
    window = m.plan(venue)
    closing = m.shut(venue, window)
    old, new = m.certify(venue, window), m.certify(venue, window)
    assert refusal(venue, ApproveOpening(ADMIN, old, "x")).code is Code.RESOURCE_NOT_FOUND
    assert refusal(venue, ApproveOpening(ADMIN, closing, "x")).code is Code.RESOURCE_NOT_FOUND
    assert refusal(venue, ApproveOpening(ADMIN, CertificateId(1), "x")).code is Code.RESOURCE_NOT_FOUND
    assert refusal(venue, ApproveOpening(max(venue.state.admins), new, "x")).code is Code.FORBIDDEN


def test_certificates_that_do_not_fit_are_refused() -> None:
    venue, _ = traded_venue()
    window = m.plan(venue)
    assert refusal(venue, Certify(m.certificate(venue, window), "x")).code is Code.PRECONDITION_FAILED
    m.shut(venue, window)
    again = m.certificate(venue, window, CertificateKind.CLOSING)
    assert refusal(venue, Certify(again, "x")).code is Code.PRECONDITION_FAILED
    ahead = m.certificate(venue, window, as_of_seq=venue.state.seq + 10)
    assert refusal(venue, Certify(ahead, "x")).code is Code.PRECONDITION_FAILED
    elsewhere = m.certificate(venue, window, markets=("SOL_USDC",))
    assert refusal(venue, Certify(elsewhere, "x")).code is Code.PRECONDITION_FAILED
    old_key = m.certificate(venue, window)
    venue.agree(RotateVenueKey(ADMIN, public_key(802), False, "yearly"), m.second_approver(venue))
    assert refusal(venue, Certify(old_key, "x")).code is Code.PRECONDITION_FAILED
    venue.expect(Certify(m.certificate(venue, window), "x"))
    assert refusal(venue, RotateVenueKey(ADMIN, public_key(802), False, "same")).code is Code.PRECONDITION_FAILED


def test_lost_records_are_accepted_by_two_people_and_only_if_some_are_lost() -> None:
    venue, _ = traded_venue()
    second = m.second_approver(venue)
    lost_to = venue.state.seq + 40
    for command, code in (
        (AcceptLoss(ADMIN, ADMIN, lost_to, "00" * 32, "disk"), Code.FORBIDDEN),
        (AcceptLoss(ADMIN, second, lost_to, "00" * 32, ""), Code.INVALID_CLIENT_REQUEST),
        (AcceptLoss(ADMIN, second, venue.state.seq, "00" * 32, "disk"), Code.PRECONDITION_FAILED),
    ):
        [event] = decide(venue.state, venue.time_us, command)
        assert isinstance(event, Refused)
        assert event.code is code


def test_the_epoch_goes_on_behind_the_lost_range() -> None:
    venue, _ = traded_venue()
    second = m.second_approver(venue)
    seq, market = venue.state.seq, venue.state.markets["SOL_USDC"]
    trade_id, update_id = market.trade_id, market.update_id
    venue.expect(AcceptLoss(ADMIN, second, seq + 40, "00" * 32, "the disk is gone"))
    assert venue.state.seq == seq + 41
    assert venue.state.epoch == 2
    assert venue.state.losses == ((2, seq + 1, seq + 40),)
    assert market.trade_id >= trade_id + 40
    assert market.update_id >= update_id + 40
    assert venue.state.venue_mode is Mode.OFFLINE


def test_a_snapshot_holds_all_of_it() -> None:
    venue, _ = traded_venue()
    second = m.second_approver(venue)
    window = m.plan(venue, canary="BTC_USDC")
    m.shut(venue, window)
    m.fail(venue, window, Gate.FLOORS)
    venue.expect(WaiveGate(ADMIN, window, Gate.FLOORS, "x"))
    m.approve(venue, m.certify(venue, window), ADMIN, second)
    venue.expect(RotateVenueKey(ADMIN, public_key(803), True, "stolen"))
    image = dump(venue.state)
    assert dump(load(image)) == image
    venue.state = load(image)
    venue.check()
