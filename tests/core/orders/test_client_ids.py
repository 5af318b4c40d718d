"""A client id stays with the order that had it: no answer that was lost makes an order trade twice."""

import pytest

from exchange.core import fold
from exchange.core.digest import digest
from exchange.core.orders import client_ids
from exchange.core.orders.client_ids import HELD_US
from exchange.core.snapshot import dump, load
from exchange.values.commands import AnyCommand
from exchange.values.enums import SelfTradePrevention, Side, TimeInForce
from exchange.values.ids import AccountId, OrderId, id_at
from exchange.values.orders.commands import PlaceOrder
from exchange.values.process.events import Refused
from exchange.values.refusals import Code
from tests.properties.flow import command, open_venue, random_choices
from tests.venue import Venue, refold

START = {"SOL": 10**12, "USDC": 10**12}


def fresh() -> tuple[Venue, AccountId, AccountId]:
    venue = Venue().open()
    return venue, venue.account(START), venue.account(START)


def place(venue: Venue, wanted: AnyCommand) -> OrderId:
    """It comes in; its id."""
    venue.expect(wanted)
    return OrderId(id_at(venue.state.seq))


def refused(venue: Venue, wanted: AnyCommand) -> str:
    [event] = venue.do(wanted)
    assert isinstance(event, Refused)
    assert event.code is Code.INVALID_CLIENT_REQUEST
    return event.message


def ended_under(order_id: OrderId) -> str:
    return f"Duplicate clientId: order {order_id} ended under it less than 10 minutes ago"


def again(venue: Venue, account: AccountId) -> PlaceOrder:
    """An order that would rest, under client id 7."""
    return venue.limit(account, Side.BID, 9_000, 1, client_id=7)


def _ways_to_end(venue: Venue, ann: AccountId, bob: AccountId) -> dict[str, list[AnyCommand]]:
    """Commands that end an order of ann's with client id 7, the first of which places it unless bob's does."""
    return {
        "cancelled": [venue.limit(ann, Side.BID, 9_900, 5, client_id=7), venue.cancel_client_id(ann, 7)],
        "cancelled with all": [venue.limit(ann, Side.BID, 9_900, 5, client_id=7), venue.cancel_all(ann)],
        "filled as a maker": [venue.limit(ann, Side.BID, 9_900, 5, client_id=7), venue.market(bob, Side.ASK, 5)],
        "filled as a taker": [venue.limit(bob, Side.ASK, 9_900, 9), venue.limit(ann, Side.BID, 9_900, 5, client_id=7)],
        "a market order": [venue.limit(bob, Side.ASK, 9_900, 9), venue.market(ann, Side.BID, 5, client_id=7)],
        "a market order that met nobody": [venue.market(ann, Side.BID, 5, client_id=7)],
        "immediate or cancel": [venue.limit(ann, Side.BID, 9_900, 5, TimeInForce.IOC, client_id=7)],
        "fill or kill": [venue.limit(ann, Side.BID, 9_900, 5, TimeInForce.FOK, client_id=7)],
        "ended by a self-trade as the maker": [
            venue.limit(ann, Side.BID, 9_900, 5, client_id=7),
            venue.limit(ann, Side.ASK, 9_900, 5, stp=SelfTradePrevention.REJECT_MAKER),
        ],
    }


WAYS = list(_ways_to_end(*fresh()))


@pytest.mark.parametrize("way", WAYS)
def test_an_ended_order_keeps_its_client_id_for_ten_minutes(way: str) -> None:
    venue, ann, bob = fresh()
    placed = OrderId(0)
    for wanted in _ways_to_end(venue, ann, bob)[way]:
        at = place(venue, wanted)
        if isinstance(wanted, PlaceOrder) and wanted.client_id == 7:
            placed = at
    ended_us = venue.time_us
    assert refused(venue, again(venue, ann)) == ended_under(placed)
    # The refusal is no order, and keeps nothing; another account's ids are its own.
    place(venue, again(venue, bob))
    venue.time_us = ended_us + HELD_US - 1_001
    assert refused(venue, again(venue, ann)) == ended_under(placed)
    second = place(venue, again(venue, ann))
    assert refused(venue, again(venue, ann)) == f"Duplicate clientId: order {second} is open under it"
    venue.expect(venue.cancel(ann, second))
    assert refused(venue, again(venue, ann)) == ended_under(second)
    venue.check()
    assert digest(refold(venue.records)) == digest(load(dump(venue.state))) == digest(venue.state)


def test_an_order_that_was_refused_leaves_its_client_id_free() -> None:
    venue, ann, _ = fresh()
    for wanted in (
        venue.limit(ann, Side.BID, 1, 1, client_id=7),
        venue.limit(ann, Side.BID, 9_000, 10**9, client_id=7),
    ):
        assert isinstance(venue.do(wanted)[0], Refused)
    place(venue, again(venue, ann))


def test_the_last_thousand_of_a_sub_account_are_kept() -> None:
    venue, ann, _ = fresh()
    sub_account = venue.account(START, ann, 1)
    first = place(venue, venue.market(sub_account, Side.BID, 5, client_id=0))
    for number in range(client_ids.MAX_PER_ACCOUNT + 1):
        place(venue, venue.market(ann, Side.BID, 5, client_id=number))
    place(venue, venue.limit(ann, Side.BID, 9_000, 1, client_id=0))
    assert refused(venue, venue.limit(ann, Side.BID, 9_000, 1, client_id=1)).startswith("Duplicate clientId: order ")
    assert refused(venue, venue.market(sub_account, Side.BID, 5, client_id=0)) == ended_under(first)
    assert len(venue.state.ended_client_ids) == client_ids.MAX_PER_ACCOUNT + 1
    venue.check()


def test_what_is_too_old_is_let_go_of_as_orders_end_and_nothing_before() -> None:
    venue, ann, bob = fresh()
    for number in range(100):
        place(venue, venue.market(ann, Side.BID, 5, client_id=number))
    venue.time_us += HELD_US - 1_000_000
    place(venue, venue.market(bob, Side.BID, 5, client_id=60))
    assert len(venue.state.ended_client_ids) == 101
    venue.time_us += 1_000_000
    for number in range(60):
        place(venue, venue.market(bob, Side.BID, 5, client_id=number))
    assert len(venue.state.ended_client_ids) == 61
    assert not venue.state.accounts[ann].ended_client_ids


@pytest.mark.interpreted
def test_bounds_are_held_in_all_and_a_snapshot_goes_on_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_ids, "MAX_PER_ACCOUNT", 4)
    monkeypatch.setattr(client_ids, "MAX_IN_ALL", 9)
    venue, accounts = open_venue()
    never_loaded = refold(venue.records)
    most = 0
    for number, choice in enumerate(random_choices(5, 2_000)):
        venue.do(command(venue, accounts, choice))
        fold(never_loaded, venue.records[-1])
        most = max(most, len(venue.state.ended_client_ids))
        assert all(len(account.ended_client_ids or ()) <= 4 for account in venue.state.accounts.values())
        if number % 20 == 0:
            assert dump(venue.state) == dump(never_loaded)
            venue.check()
            venue.state = load(dump(venue.state))
    assert most == 9
