"""Double entry: what each event moves, leg by leg.

The legs of an event's row are its postings, for the fold, the account ledger, the read models and the auditors. What
moves balances directly, for speed, is held to them by a property test.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from exchange.core.machine import EVENTS
from exchange.core.rows import Posting
from exchange.core.state import State
from exchange.values.events import AnyEvent
from exchange.values.ids import AccountId, OrderId
from exchange.values.orders.events import Traded

_LEGS: Final[dict[type, Callable[[State, Any], list[Posting]]]] = {
    kind: row.legs for kind, row in EVENTS.items() if row.legs is not None
}


def postings(state: State, event: AnyEvent) -> list[Posting]:
    """The legs of an event that is about to be folded, each with its kind; per asset they sum to zero.

    Legs of zero atoms are left out. `state` is only read, for the market's assets.
    """
    legs = _LEGS.get(type(event))
    return [] if legs is None else legs(state, event)


def touched(state: State, event: AnyEvent) -> tuple[AccountId, ...]:
    """The accounts that an event which is about to be folded changes: their balances, orders, keys or settings."""
    accounts = EVENTS[type(event)].accounts
    if accounts is not None:
        return accounts(state, event)
    return tuple(dict.fromkeys(leg.account for _, leg in postings(state, event)))


class Cause(NamedTuple):
    """What a ledger line points at, besides its record."""

    order_id: OrderId | None
    trade_id: int | None
    market: str | None
    reference: str


def cause(event: AnyEvent, account: AccountId) -> Cause:
    """What the legs of an event point at, as far as it is the account's: of others' orders it learns nothing."""
    if type(event) is Traded:
        orders = {event.taker_account: event.taker_order_id, event.maker_account: event.maker_order_id}
        return Cause(orders.get(account), event.trade_id, event.market, "")
    order_id = getattr(event, "order_id", None) if getattr(event, "account", None) == account else None
    return Cause(order_id, None, getattr(event, "market", None), getattr(event, "reference", ""))
