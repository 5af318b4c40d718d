"""What holds at every seq: each subject's checks, each answering what it found broken."""

from collections.abc import Callable, Iterator
from typing import Final

from exchange.core.accounts import invariants as accounts
from exchange.core.listings import invariants as listings
from exchange.core.money import invariants as money
from exchange.core.orders import invariants as orders
from exchange.core.people import invariants as people
from exchange.core.state import State
from exchange.core.windows import invariants as windows

INVARIANTS: Final[tuple[Callable[[State], Iterator[str]], ...]] = (
    *money.INVARIANTS,
    *orders.INVARIANTS,
    *accounts.INVARIANTS,
    *people.INVARIANTS,
    *listings.INVARIANTS,
    *windows.INVARIANTS,
)


def violations(state: State) -> list[str]:
    """Every broken invariant, with the account, order or asset named; empty when all hold."""
    return [found for check in INVARIANTS for found in check(state)]
