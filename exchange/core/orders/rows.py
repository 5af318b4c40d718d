"""The rows of orders."""

from typing import Final

from exchange.core.orders import decide, due, evolve, legs
from exchange.core.rows import CommandRow, EventRow, Itself, LaneOf, Room, Trader, Words, its_account, terms
from exchange.values.enums import Scope
from exchange.values.orders.commands import (
    CancelAll,
    CancelForAccount,
    CancelOrder,
    PlaceOrder,
    SetCancelAllAfter,
    SetCancelOnDisconnect,
)
from exchange.values.orders.events import (
    CancelAllAfterSet,
    CancelOnDisconnectSet,
    OrderDone,
    OrderPlaced,
    OrderRested,
    Traded,
)

_TRADES: Final = Trader(Scope.TRADE)

COMMANDS: Final = (
    CommandRow(PlaceOrder, decide.place_order, _TRADES, LaneOf.MARKET),
    CommandRow(CancelOrder, decide.cancel_order, _TRADES, LaneOf.MARKET, Room.OVERTAKES),
    CommandRow(CancelAll, decide.cancel_all, _TRADES, LaneOf.MARKET, Room.OVERTAKES),
    CommandRow(SetCancelAllAfter, decide.set_cancel_all_after, _TRADES, room=Room.RESERVED),
    CommandRow(SetCancelOnDisconnect, decide.set_cancel_on_disconnect, _TRADES, room=Room.RESERVED),
    CommandRow(
        CancelForAccount, decide.cancel_for_account, Itself(), LaneOf.ACCOUNT, Room.ALWAYS, due=due.cancel_for_account
    ),
)


EVENTS: Final = (
    EventRow(OrderPlaced, evolve.order_placed, Words.ROUTINE, terms, its_account),
    EventRow(OrderRested, evolve.order_rested, Words.ROUTINE, legs.order_rested, its_account, direct=True),
    EventRow(Traded, evolve.traded, Words.ROUTINE, legs.traded, direct=True),
    EventRow(OrderDone, evolve.order_done, Words.ROUTINE, legs.order_done, its_account, direct=True),
    EventRow(CancelAllAfterSet, evolve.cancel_all_after_set, Words.ROUTINE, accounts=its_account),
    EventRow(CancelOnDisconnectSet, evolve.cancel_on_disconnect_set, Words.ROUTINE, accounts=its_account),
)
