"""The dead-man's switch and cancel-on-disconnect, as due work held in state."""

from exchange.core.due import next_due
from exchange.rules.limits import MAX_CANCELS_PER_COMMAND
from exchange.values.enums import CancelReason, Mode, Side
from exchange.values.modes.commands import SetMode
from exchange.values.orders.commands import CancelForAccount, SetCancelAllAfter
from exchange.values.orders.events import CancelAllAfterSet, OrderDone
from exchange.values.process.events import Refused
from exchange.values.refusals import Code
from tests.venue import ADMIN, Venue

START = {"SOL": 10**13, "USDC": 10**13}
SECOND = 1_000_000


def test_the_switch_fires_once_its_time_has_come_and_not_before() -> None:
    venue = Venue().open()
    account = venue.account(START)
    venue.expect(venue.limit(account, Side.BID, 9_000, 1))
    venue.expect(SetCancelAllAfter(account, venue.key(account), 10 * SECOND))
    [(deadline, _)] = venue.state.deadlines
    assert deadline == venue.time_us + 10 * SECOND
    assert next_due(venue.state, deadline - 1) is None
    due = next_due(venue.state, deadline)
    assert due == CancelForAccount(account, CancelReason.CANCEL_ALL_AFTER)
    [early] = venue.do(due)
    assert isinstance(early, Refused)
    assert early.code is Code.TOO_EARLY
    venue.time_us = deadline
    [done, off] = venue.expect(due)
    assert isinstance(done, OrderDone)
    assert done.cancel_reason is CancelReason.CANCEL_ALL_AFTER
    assert off == CancelAllAfterSet(account, 0)
    assert next_due(venue.state, venue.time_us) is None
    assert not venue.state.deadlines


def test_setting_it_again_moves_it_and_zero_turns_it_off() -> None:
    venue = Venue().open()
    one, two = venue.account(START), venue.account(START)
    venue.expect(SetCancelAllAfter(one, venue.key(one), 10 * SECOND))
    venue.expect(SetCancelAllAfter(two, venue.key(two), 5 * SECOND))
    venue.expect(SetCancelAllAfter(two, venue.key(two), 20 * SECOND))
    assert [account for _, account in venue.state.deadlines] == [one, two]
    venue.expect(SetCancelAllAfter(one, venue.key(one), 0))
    assert [account for _, account in venue.state.deadlines] == [two]
    venue.check()


def test_long_work_takes_several_commands_and_stays_due_between_them() -> None:
    venue = Venue().open()
    account = venue.account(START)
    count = MAX_CANCELS_PER_COMMAND + 3
    for _ in range(count):
        venue.expect(venue.limit(account, Side.BID, 9_000, 1))
    venue.expect(SetCancelAllAfter(account, venue.key(account), 1))
    venue.time_us += SECOND
    commands = 0
    while (due := next_due(venue.state, venue.time_us)) is not None:
        assert len(venue.expect(due)) <= MAX_CANCELS_PER_COMMAND + 1
        commands += 1
    assert commands == 2
    assert not venue.state.orders
    venue.check()


def test_a_switch_fires_in_a_shut_venue_too() -> None:
    venue = Venue().open()
    account = venue.account(START)
    venue.expect(venue.limit(account, Side.BID, 9_000, 1))
    venue.expect(SetCancelAllAfter(account, venue.key(account), 1))
    venue.expect(SetMode(ADMIN, Mode.OFFLINE, "test"))
    venue.time_us += SECOND
    due = next_due(venue.state, venue.time_us)
    assert due is not None
    venue.expect(due)
    assert not venue.state.orders
