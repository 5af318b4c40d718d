"""The order in which waiting commands are run, and how many may wait."""

import asyncio

import pytest

from exchange.runtime.core import inbox as inbox_module
from exchange.runtime.core.inbox import Inbox
from exchange.values.commands import AnyCommand
from exchange.values.enums import CancelReason, Side
from exchange.values.ids import AccountId, KeyId, OrderId
from exchange.values.orders.commands import CancelAll, CancelForAccount, CancelOrder, PlaceOrder
from exchange.values.orders.views import Outcome

ANN, BOB = AccountId(100_000), AccountId(200_000)


def place(account: AccountId) -> PlaceOrder:
    return PlaceOrder(account, KeyId(1), "SOL_USDC", Side.BID, price_ticks=1, lots=1)


def cancel(account: AccountId, order_id: int = 10) -> CancelOrder:
    return CancelOrder(account, KeyId(1), "SOL_USDC", OrderId(order_id))


def nobody(_outcomes: list[Outcome]) -> None:
    pass


def order_of(*entries: AnyCommand | list[AnyCommand]) -> list[AnyCommand]:
    inbox = Inbox()
    for entry in entries:
        assert inbox.put(entry if isinstance(entry, list) else [entry], nobody)
    return [command for commands, *_ in inbox.take(1_000) for command in commands]


def test_first_come_first_served() -> None:
    assert order_of(place(ANN), place(BOB), place(ANN)) == [place(ANN), place(BOB), place(ANN)]


def test_a_cancel_overtakes_other_accounts() -> None:
    assert order_of(place(ANN), cancel(BOB)) == [cancel(BOB), place(ANN)]
    everything = CancelAll(BOB, KeyId(1), "SOL_USDC")
    assert order_of(place(ANN), everything) == [everything, place(ANN)]


def test_a_cancel_never_overtakes_its_own_account() -> None:
    assert order_of(place(ANN), place(BOB), cancel(ANN)) == [place(ANN), place(BOB), cancel(ANN)]


def test_nor_does_anything_of_an_account_overtake_its_own_cancel() -> None:
    assert order_of(place(BOB), cancel(ANN), place(ANN)) == [cancel(ANN), place(BOB), place(ANN)]


def test_cancels_of_one_account_keep_their_order() -> None:
    assert order_of(place(BOB), cancel(ANN, 10), cancel(ANN, 20)) == [cancel(ANN, 10), cancel(ANN, 20), place(BOB)]


def test_a_batch_holds_its_accounts_cancels_back_as_a_single_command_does() -> None:
    assert order_of([place(ANN), place(ANN)], cancel(ANN)) == [place(ANN), place(ANN), cancel(ANN)]


def test_once_an_accounts_commands_are_taken_its_cancels_overtake_again() -> None:
    inbox = Inbox()
    for command in (place(ANN), place(BOB)):
        inbox.put([command], nobody)
    assert [commands[0] for commands, *_ in inbox.take(1)] == [place(ANN)]
    inbox.put([cancel(ANN)], nobody)
    assert [commands[0] for commands, *_ in inbox.take(2)] == [cancel(ANN), place(BOB)]


def test_a_take_is_bounded_and_never_splits_a_batch() -> None:
    inbox = Inbox()
    inbox.put([place(ANN)], nobody)
    inbox.put([place(ANN)] * 3, nobody)
    inbox.put([place(BOB)], nobody)
    assert [len(commands) for commands, *_ in inbox.take(2)] == [1, 3]
    assert len(inbox) == 1


def test_a_full_inbox_takes_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_module, "MAX_INBOX_COMMANDS", 3)
    inbox = Inbox()
    assert inbox.put([place(ANN)] * 2, nobody)
    assert not inbox.put([place(ANN)] * 2, nobody)
    assert inbox.put([cancel(BOB)], nobody)
    assert not inbox.put([place(BOB)], nobody)
    inbox.take(1)
    assert inbox.put([cancel(BOB)], nobody)


def test_there_is_always_room_for_the_end_of_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_module, "MAX_INBOX_COMMANDS", 1)
    inbox = Inbox()
    assert inbox.put([place(ANN)], nobody)
    assert inbox.put([CancelForAccount(ANN, CancelReason.DISCONNECT, "s1")], nobody)


async def test_what_is_put_behind_comes_last_and_keeps_the_inbox_awake() -> None:
    inbox = Inbox()
    inbox.put([place(ANN)] * 2, nobody)
    assert inbox.holds(ANN)
    assert not inbox.holds(BOB)
    inbox.put_behind(nobody)
    assert [len(commands) for commands, *_ in inbox.take(2)] == [2]
    assert not inbox.holds(ANN)
    await asyncio.wait_for(inbox.filled(), 1)
    assert inbox.take(2) == [((), nobody, ())]
    await asyncio.wait_for(inbox.emptied(), 1)


async def test_waiting_for_something_and_for_nothing() -> None:
    inbox = Inbox()
    await asyncio.wait_for(inbox.emptied(), 1)
    filled = asyncio.create_task(inbox.filled())
    await asyncio.sleep(0)
    assert not filled.done()
    inbox.put([place(ANN)], nobody)
    await asyncio.wait_for(filled, 1)
    emptied = asyncio.create_task(inbox.emptied())
    await asyncio.sleep(0)
    assert not emptied.done()
    inbox.take(1)
    await asyncio.wait_for(emptied, 1)


def test_there_is_room_for_cancels_beyond_a_full_inbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_module, "MAX_INBOX_COMMANDS", 2)
    monkeypatch.setattr(inbox_module, "RESERVED_FOR_CANCELS", 3)
    inbox = Inbox()
    assert inbox.put([place(ANN), place(ANN)], nobody)
    assert not inbox.put([place(BOB)], nobody)
    assert [inbox.put([cancel(BOB)], nobody) for _ in range(4)] == [True, True, True, False]
