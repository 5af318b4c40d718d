"""Client ids of orders that have ended: for a while no new order may take one.

A client that lost an answer sends its order again. If the first one came in and has ended, the second would trade
twice; so it is refused, with the order that had the id.

What is kept is bounded, per sub-account and in all, and the oldest goes first. The bounds are part of what the fold
is: with others, records of the past would fold to another state.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from exchange.values.ids import AccountId, OrderId

if TYPE_CHECKING:
    from exchange.core.state import Account

#: How long an ended order keeps its client id to itself, by the records' time.
HELD_US: Final = 10 * 60 * 1_000_000
#: The latest ended orders of a sub-account whose client ids are kept.
MAX_PER_ACCOUNT: Final = 1_000
#: The same over all sub-accounts.
MAX_IN_ALL: Final = 200_000
#: Looked at for having become too old each time an order ends: more than one, so that what is kept can shrink.
_SWEPT: Final = 2

#: A client id belongs to a market.
ClientId = tuple[str, int]
#: Its number, the order, when that ended (µs), its account and client id. Atoms, and a tuple of atoms: the collector
#: need not walk through those.
Ended = tuple[int, OrderId, int, AccountId, ClientId]


class EndedClientIds:
    """What all accounts keep, in the order in which their orders ended. `count` numbers them, and never falls.

    Cost of an order's end: O(1), whatever is kept.
    """

    __slots__ = ("_accounts", "_every", "count")

    def __init__(self, accounts: "dict[AccountId, Account]") -> None:
        self._accounts = accounts
        self._every: OrderedDict[int, Ended] = OrderedDict()
        self.count = 0

    def __len__(self) -> int:
        return len(self._every)

    def __iter__(self) -> Iterator[Ended]:
        """By number: the order that ended first in front."""
        return iter(self._every.values())

    def add(self, account: "Account", client_id: ClientId, order_id: OrderId, time_us: int) -> None:
        """An order with this client id has ended: for `evolve` alone."""
        every, mine = self._every, account.ended_client_ids
        if mine is not None:
            earlier = mine.pop(client_id, None)
            if earlier is None and len(mine) >= MAX_PER_ACCOUNT:
                _, earlier = mine.popitem(last=False)
            if earlier is not None:
                del every[earlier[0]]
        self.count += 1
        self.restore(account, (self.count, order_id, time_us, account.account_id, client_id))
        for _ in range(_SWEPT):
            first = next(iter(every.values()))
            if len(every) <= MAX_IN_ALL and time_us - first[2] < HELD_US:
                break
            del every[first[0]]
            kept = self._accounts[first[3]].ended_client_ids
            assert kept is not None
            del kept[first[4]]

    def restore(self, account: "Account", ended: Ended) -> None:
        """Keep what was kept before; by rising number."""
        mine = account.ended_client_ids
        if mine is None:
            mine = account.ended_client_ids = OrderedDict()
        mine[ended[4]] = self._every[ended[0]] = ended


def holder(account: "Account", client_id: ClientId, time_us: int) -> OrderId | None:
    """The ended order that keeps this client id to itself at `time_us`."""
    kept = account.ended_client_ids
    ended = None if kept is None else kept.get(client_id)
    return None if ended is None or time_us - ended[2] >= HELD_US else ended[1]
