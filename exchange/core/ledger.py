"""Double entry: what each event moves, leg by leg.

`evolve` moves balances directly, for speed; the legs of an event's row say the same as postings, for the account
ledger, the read models and the auditors. A property test holds the two together.
"""

from collections.abc import Callable
from typing import Any, Final

from exchange.core.machine import EVENTS
from exchange.core.rows import Posting
from exchange.core.state import State
from exchange.values.events import AnyEvent

_LEGS: Final[dict[type, Callable[[State, Any], list[Posting]]]] = {
    kind: row.legs for kind, row in EVENTS.items() if row.legs is not None
}


def postings(state: State, event: AnyEvent) -> list[Posting]:
    """The legs of an event that is about to be folded, each with its kind; per asset they sum to zero.

    Legs of zero atoms are left out. `state` is only read, for the market's assets.
    """
    legs = _LEGS.get(type(event))
    return [] if legs is None else legs(state, event)
