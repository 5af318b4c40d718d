"""What each mode lets through, asked of the core itself, venue-wide and per market."""

from itertools import pairwise

import pytest

from exchange.core import decide
from exchange.rules.modes import LADDER, PERMITTED, TRANSITIONS, lower, permits
from exchange.values.accounts.commands import AddKey
from exchange.values.commands import AnyCommand
from exchange.values.enums import Action, CancelReason, Mode, Pause, Scope, Side, TimeInForce
from exchange.values.modes.commands import ResumeModes, SetMode, SetPause
from exchange.values.modes.events import ModeChanged
from exchange.values.orders.commands import CancelForAccount, SetCancelAllAfter, SetCancelOnDisconnect
from exchange.values.orders.events import CancelOnDisconnectSet, OrderDone
from exchange.values.process.commands import StartProcess, StopProcess
from exchange.values.process.events import ProcessStarted, Refused
from exchange.values.refusals import Code
from tests.venue import ADMIN, Venue, deposit, public_key

START = {"SOL": 100 * 10**9, "USDC": 100_000 * 10**6}


def reach(venue: Venue, mode: Mode, market: str | None) -> None:
    """Bring the venue (or one market) from FULL to `mode`."""
    if mode is not Mode.FULL:
        venue.expect(SetMode(ADMIN, mode, "test", market))


def attempts(venue: Venue) -> dict[str, tuple[Action, AnyCommand]]:
    """One command for each row of the mode table that spot has; each is fine in FULL."""
    seller, trader = venue.account(START), venue.account(START)
    venue.expect(venue.limit(seller, Side.ASK, 10_000, 100))
    venue.expect(venue.limit(trader, Side.BID, 9_000, 100, client_id=1))
    return {
        "cancel one": (Action.CANCEL, venue.cancel_client_id(trader, 1)),
        "cancel all": (Action.CANCEL, venue.cancel_all(trader)),
        "rest": (Action.REST, venue.limit(trader, Side.BID, 9_999, 1)),
        "rest, flagged post-only": (Action.REST, venue.limit(trader, Side.BID, 9_999, 1, post_only=True)),
        "take, GTC": (Action.TAKE_LIMIT, venue.limit(trader, Side.BID, 10_000, 1)),
        "take, IOC": (Action.TAKE_LIMIT, venue.limit(trader, Side.BID, 10_000, 1, TimeInForce.IOC)),
        "take, FOK": (Action.TAKE_LIMIT, venue.limit(trader, Side.BID, 10_000, 1, TimeInForce.FOK)),
        "IOC that meets nothing": (Action.TAKE_LIMIT, venue.limit(trader, Side.BID, 9_999, 1, TimeInForce.IOC)),
        "market": (Action.TAKE_MARKET, venue.market(trader, Side.BID, 1)),
        "market by cost": (Action.TAKE_MARKET, venue.market(trader, Side.BID, quote_atoms=10**6)),
        "deposit": (Action.DEPOSIT, deposit(venue.state, trader, "SOL", 1, "x")),
    }


@pytest.mark.parametrize("market", [None, "SOL_USDC"])
@pytest.mark.parametrize("mode", LADDER)
def test_the_core_lets_through_what_the_table_permits(mode: Mode, market: str | None) -> None:
    venue = Venue().open()
    tried = attempts(venue)
    reach(venue, mode, market)
    for name, (action, command) in tried.items():
        events = decide(venue.state, venue.time_us, command)
        refusal = events[0] if isinstance(events[0], Refused) else None
        assert (refusal is None) is permits(mode, (), action), (name, mode, events)
        if refusal is not None:
            if mode is Mode.OFFLINE and market is None:
                code = Code.MAINTENANCE
            elif mode in (Mode.OFFLINE, Mode.CANCEL_ONLY):
                code = Code.TRADING_PAUSED
            else:
                code = Code.INVALID_ORDER
            assert refusal.code is code, name
            assert mode in refusal.message


def test_a_post_only_order_that_would_take_is_refused_as_such_in_every_mode_that_lets_it_rest() -> None:
    for mode in (Mode.POST_ONLY, Mode.LIMIT_ONLY, Mode.FULL):
        venue = Venue().open()
        seller = venue.account(START)
        venue.expect(venue.limit(seller, Side.ASK, 10_000, 1))
        reach(venue, mode, None)
        [refusal] = venue.do(venue.limit(venue.account(START), Side.BID, 10_000, 1, post_only=True))
        assert refusal == Refused(Code.INVALID_ORDER, "Order would immediately match and take")


@pytest.mark.parametrize("venue_mode", LADDER)
@pytest.mark.parametrize("market_mode", LADDER)
def test_the_lower_of_two_modes_rules(venue_mode: Mode, market_mode: Mode) -> None:
    venue = Venue().open()
    reach(venue, venue_mode, None)
    reach(venue, market_mode, "SOL_USDC")
    market = venue.state.markets["SOL_USDC"]
    expected = LADDER[min(LADDER.index(venue_mode), LADDER.index(market_mode))]
    assert venue.state.ruling_mode(market) is expected is lower(venue_mode, market_mode)


@pytest.mark.parametrize("before", LADDER)
@pytest.mark.parametrize("after", LADDER)
@pytest.mark.parametrize("market", [None, "SOL_USDC"])
def test_the_steps_are_those_of_the_table(before: Mode, after: Mode, market: str | None) -> None:
    venue = Venue().open()
    reach(venue, before, market)
    [event] = venue.do(SetMode(ADMIN, after, "because", market))
    if (before, after) in TRANSITIONS:
        assert event == ModeChanged(after, before, "because", market)
    else:
        assert isinstance(event, Refused)
        assert event.code is Code.PRECONDITION_FAILED


def test_down_is_always_possible_and_up_never_skips_the_post_only_look() -> None:
    for rank, above in enumerate(LADDER):
        for below in LADDER[:rank]:
            assert (above, below) in TRANSITIONS
    assert (Mode.OFFLINE, Mode.FULL) not in TRANSITIONS
    assert (Mode.OFFLINE, Mode.LIMIT_ONLY) not in TRANSITIONS


def test_each_mode_permits_all_that_the_one_below_does() -> None:
    for below, above in pairwise(LADDER):
        assert PERMITTED[below] <= PERMITTED[above]


def test_pauses_stop_their_action_in_every_mode_and_nothing_else() -> None:
    for mode in LADDER:
        for action in Action:
            stopped = {pause for pause in Pause if not permits(mode, {pause}, action)}
            if action not in PERMITTED[mode]:
                assert stopped == set(Pause)
            else:
                assert len(stopped) <= 1


def test_a_paused_asset_takes_no_deposit_and_the_others_do() -> None:
    venue = Venue().open()
    account = venue.account({})
    venue.expect(SetPause(ADMIN, Pause.DEPOSITS, True, "the provider is down", "SOL"))
    [refusal] = venue.do(deposit(venue.state, account, "SOL", 1, "a"))
    assert isinstance(refusal, Refused)
    assert refusal.code is Code.PRECONDITION_FAILED
    venue.expect(deposit(venue.state, account, "USDC", 1, "b"))
    venue.expect(SetPause(ADMIN, Pause.DEPOSITS, False, "it is back", "SOL"))
    venue.expect(deposit(venue.state, account, "SOL", 1, "a"))


def test_an_unflagged_quote_that_crosses_is_refused_in_post_only_and_the_order_behind_it_still_rests() -> None:
    venue = Venue().open()
    seller, buyer = venue.account(START), venue.account(START)
    venue.expect(venue.limit(seller, Side.ASK, 10_000, 10))
    reach(venue, Mode.POST_ONLY, None)
    [refusal] = venue.do(venue.limit(buyer, Side.BID, 10_001, 1))
    assert isinstance(refusal, Refused)
    assert refusal.code is Code.INVALID_ORDER
    venue.expect(venue.limit(buyer, Side.BID, 9_999, 1))
    venue.check()


def test_in_post_only_the_first_quote_must_stand_near_the_reference_price() -> None:
    venue = Venue()
    venue.expect(SetMode(ADMIN, Mode.POST_ONLY, "test"))
    buyer = venue.account(START)
    [refusal] = venue.do(venue.limit(buyer, Side.BID, 12_501, 1))
    assert isinstance(refusal, Refused)
    assert refusal.code is Code.INVALID_PRICE
    venue.expect(venue.limit(buyer, Side.BID, 12_500, 1))


# --- starting ------------------------------------------------------------------------------------------


def test_every_start_is_offline_and_the_same_build_may_resume() -> None:
    venue = Venue(auto_resume=True)
    venue.expect(StartProcess("build 1", True))
    venue.open()
    venue.expect(StopProcess("test"))
    [offline, started] = venue.expect(StartProcess("build 1", True))
    assert offline == ModeChanged(Mode.OFFLINE, Mode.FULL, "the exchange is starting")
    assert isinstance(started, ProcessStarted)
    assert started.resume_mode is Mode.FULL
    # A crash before it resumed does not lose where it was.
    venue.expect(StartProcess("build 1", False))
    [resumed] = venue.expect(ResumeModes())
    assert isinstance(resumed, ModeChanged)
    assert venue.state.venue_mode is Mode.FULL
    [again] = venue.do(ResumeModes())
    assert isinstance(again, Refused)


def test_another_build_does_not_resume_however_often_it_starts() -> None:
    venue = Venue(auto_resume=True)
    venue.expect(StartProcess("build 1", True))
    venue.open()
    venue.expect(StartProcess("build 2", False))
    venue.expect(StartProcess("build 2", False))
    [refusal] = venue.do(ResumeModes())
    assert isinstance(refusal, Refused)
    assert venue.state.venue_mode is Mode.OFFLINE


def test_without_the_policy_an_admin_opens() -> None:
    venue = Venue(auto_resume=False)
    venue.expect(StartProcess("build 1", True))
    venue.open()
    venue.expect(StartProcess("build 1", True))
    [refusal] = venue.do(ResumeModes())
    assert isinstance(refusal, Refused)
    venue.open()


def test_a_mode_set_since_the_start_stands() -> None:
    venue = Venue(auto_resume=True)
    venue.expect(StartProcess("build 1", True))
    venue.open()
    venue.expect(StartProcess("build 1", True))
    venue.expect(SetMode(ADMIN, Mode.CANCEL_ONLY, "an operator looked"))
    [refusal] = venue.do(ResumeModes())
    assert isinstance(refusal, Refused)
    assert venue.state.venue_mode is Mode.CANCEL_ONLY


def test_orders_of_sessions_lost_with_the_process_end_before_the_venue_opens() -> None:
    venue = Venue(auto_resume=True)
    venue.expect(StartProcess("build 1", True))
    venue.open()
    armed, other = venue.account(START), venue.account(START)
    venue.expect(SetCancelOnDisconnect(armed, venue.key(armed), "session 1", True))
    for account in (armed, other):
        venue.expect(venue.limit(account, Side.BID, 9_900, 1))
    venue.expect(StartProcess("build 1", False))
    [refusal] = venue.do(ResumeModes())
    assert isinstance(refusal, Refused)
    [done, disarmed] = venue.expect(CancelForAccount(armed, CancelReason.DISCONNECT, "session 1"))
    assert isinstance(done, OrderDone)
    assert done.cancel_reason is CancelReason.DISCONNECT
    assert disarmed == CancelOnDisconnectSet(armed, "session 1", False)
    venue.expect(ResumeModes())
    assert [order.account.account_id for order in venue.state.orders.values()] == [other]
    venue.check()


def test_keys_and_scopes_are_checked_at_every_command() -> None:
    venue = Venue().open()
    one, two = venue.account(START), venue.account(START)
    stolen = SetCancelAllAfter(one, venue.key(two), 1_000_000)
    [refusal] = venue.do(stolen)
    assert isinstance(refusal, Refused)
    assert refusal.code is Code.UNAUTHORIZED
    [added] = venue.expect(AddKey(ADMIN, one, public_key(77), (Scope.READ,), reason="test"))
    [refusal] = venue.do(SetCancelAllAfter(one, added.key_id, 1_000_000))  # type: ignore[union-attr]
    assert isinstance(refusal, Refused)
    assert refusal.code is Code.FORBIDDEN
