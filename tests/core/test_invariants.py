"""What the state holds twice, and whose a public key is, is looked after: a fold that broke it would be found."""

from collections.abc import Callable
from typing import Any, Final

import pytest

from exchange.core import State
from exchange.core.invariants import INVARIANTS, violations
from exchange.core.orders.book import Order
from exchange.core.state import Account, Balance, Market, User, Window
from exchange.values.accounts.commands import RevokeKey
from exchange.values.enums import Side
from exchange.values.ids import (
    AccountId,
    AdminId,
    DepositId,
    KeyId,
    OrderId,
    ProposalId,
    SubaccountId,
    UserId,
    account_id,
)
from exchange.values.orders.commands import SetCancelAllAfter
from exchange.values.people.commands import RevokeAdmin
from exchange.values.people.events import CommandProposed
from exchange.values.windows.plan import WindowId, WindowPlan
from tests.venue import ADMIN, FILTERS, Venue

ANN: Final = account_id(UserId(1))
OTHER: Final = AccountId(3)
PLAN: Final = WindowPlan(1, 2, 3, "test")


def whole() -> State:
    venue = Venue().open()
    ann, bob = (venue.account({"USDC": 10**12, "SOL": 10**12}) for _ in range(2))
    assert ann == ANN
    venue.account({}, ann, 3)
    for client_id in (7, 8):
        venue.expect(venue.market(ann, Side.BID, 5, client_id=client_id))
    for price in (9_000, 9_001):
        venue.expect(venue.limit(ann, Side.BID, price, 5, client_id=price))
    venue.expect(SetCancelAllAfter(ann, venue.key(ann), 10**6))
    venue.expect(RevokeKey(ADMIN, venue.key(bob), "lost"))
    assert violations(venue.state) == []
    return venue.state


def ann(state: State) -> Account:
    return state.accounts[ANN]


def order(state: State) -> Order:
    return next(iter(ann(state).orders.values()))


def reverse(held: dict[Any, Any]) -> None:
    """The same in the other order."""
    turned = list(reversed(held.items()))
    held.clear()
    held.update(turned)


def owe(state: State) -> None:
    """Atoms go from one to another, so that they still add up."""
    had = ann(state).balances["SOL"]
    state.accounts[OTHER].balance("SOL").available_atoms += had.available_atoms + 1
    had.available_atoms = -1


def own_user(state: State) -> None:
    """What a restore could do: an account with a user beside the venue's."""
    user = User(UserId(1))
    user.keyed = True
    ann(state).user = user


def adopt(state: State) -> None:
    user = state.users[UserId(1)]
    user.accounts.append(Account(account_id(UserId(1), SubaccountId(9)), user))


HARMS: Final[dict[str, Callable[[State], object]]] = {
    "atoms come from nowhere": lambda s: setattr(ann(s).balances["SOL"], "available_atoms", 10**15),
    "somebody owes": owe,
    "a source stands under another name": lambda s: s.sources.update({"a bank": s.sources[""]}),
    "more deposits are numbered than there are": lambda s: setattr(s, "last_deposit", DepositId(0)),
    "an order reserves less than it can cost": lambda s: setattr(order(s), "reserved_atoms", 1),
    "more is locked than is reserved": lambda s: setattr(ann(s).balances["SOL"], "locked_atoms", 1),
    "a level says it holds more": lambda s: setattr(order(s).level, "lots", 10**6),
    "an order has left its book and is open": lambda s: s.markets["SOL_USDC"].bids.remove(order(s)),
    "the venue does not know an account's order": lambda s: s.orders.pop(order(s).order_id),
    "the venue knows an order of nobody": lambda s: s.orders.update({OrderId(7): order(s)}),
    "an order is somebody else's": lambda s: setattr(order(s), "account", s.accounts[OTHER]),
    "an order pays from another balance": lambda s: setattr(order(s), "pays", Balance()),
    "an order's proceeds go astray": lambda s: setattr(order(s), "gets", Balance()),
    "an order's level is another": lambda s: setattr(order(s), "level", next(s.markets["SOL_USDC"].bids.best_first())),
    "an order is of a market beside the venue's": lambda s: setattr(
        order(s), "market", Market(order(s).market.spec, FILTERS, 0)
    ),
    "an open order's client id is free": lambda s: ann(s).client_ids.popitem(),
    "a client id of no order is taken": lambda s: ann(s).client_ids.update({("SOL_USDC", 99): order(s)}),
    "an account's count of open orders is wrong": lambda s: ann(s).open_orders.update(SOL_USDC=7),
    "an account's orders are in disorder": lambda s: reverse(ann(s).orders),
    "an ended order's client id is let go of by its account alone": lambda s: (ann(s).ended_client_ids or {}).popitem(),
    "more client ids have ended than were counted": lambda s: setattr(s.ended_client_ids, "count", 0),
    "an account has a user of its own": own_user,
    "a user lacks a sub-account": lambda s: s.users[UserId(1)].accounts.pop(),
    "a user has a sub-account that isn't open": adopt,
    "a user's sub-accounts are in disorder": lambda s: s.users[UserId(1)].accounts.reverse(),
    "the last user is not the last": lambda s: setattr(s, "last_user", UserId(1)),
    "an API key is not found by its text": lambda s: s.key_ids.popitem(),
    "an API key is not found by its id": lambda s: s.keys.popitem(),
    "an API key is another account's": lambda s: setattr(
        next(iter(ann(s).keys.values())), "account", s.accounts[OTHER]
    ),
    "a user whose account has a key never had one": lambda s: setattr(ann(s).user, "keyed", False),
    "a switch is not due": lambda s: s.deadlines.clear(),
    "a switch is due that is off": lambda s: s.deadlines.add((5, OTHER)),
    "a session's orders are due that isn't armed": lambda s: s.orphaned.update({(ANN, "none"): None}),
    "nobody knows who added an admin": lambda s: s.added_by.clear(),
    "somebody added an admin who is gone": lambda s: s.added_by.update({AdminId(7): ()}),
    "a founder is not heard of": lambda s: s.unheard.update({ADMIN: None}),
    "a proposal stands under another id": lambda s: s.proposals.update(
        {ProposalId(8): CommandProposed(ProposalId(9), RevokeAdmin(ADMIN, ADMIN, "test"), 5)}
    ),
    "nobody had a key that was revoked": lambda s: s.spent_keys.update({"key": None}),
    "a window is under way that isn't there": lambda s: s.under_way.update({WindowId(7): Window(WindowId(7), PLAN)}),
    "a window stands under another id": lambda s: s.windows.update({WindowId(7): Window(WindowId(8), PLAN)}),
    "a revoked key is in force": lambda s: s.spent_keys.update({next(iter(s.key_ids)): None}),
    "an admin's key is a trader's": lambda s: s.key_ids.update({s.admins[ADMIN].public_key: KeyId(7)}),
    "an asset stands under another name": lambda s: s.assets.update(XYZ=s.assets["SOL"]),
    "a market stands under another name": lambda s: setattr(s.markets["SOL_USDC"], "symbol", "SOL_USD"),
    "a market traded when none did": lambda s: setattr(s.markets["SOL_USDC"], "trading_seq", 10**6),
}


@pytest.mark.parametrize("harm", HARMS)
def test_what_a_fold_could_break_is_found(harm: str) -> None:
    state = whole()
    HARMS[harm](state)
    assert violations(state)


def test_every_check_finds_something() -> None:
    """None is there that no harm here sets off."""
    found = set()
    for harm in HARMS.values():
        state = whole()
        harm(state)
        found |= {check for check in INVARIANTS if list(check(state))}
    assert found == set(INVARIANTS)
