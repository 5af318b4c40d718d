"""What a row says: of each command and each event all that isn't its own code, in one place.

Each subject lists its rows in a `rows.py` of its own (not in its `__init__`, which `state.py` imports on its way to the
book); `machine.py` puts them together, and everything that treats kinds apart asks them there.
"""

from collections.abc import Callable
from enum import Enum, unique
from typing import Any, Final, NamedTuple

from exchange.core.state import State
from exchange.values.base import Command, Event
from exchange.values.commands import AnyCommand
from exchange.values.enums import Role, Scope
from exchange.values.events import AnyEvent
from exchange.values.ids import AccountId
from exchange.values.money.events import Leg


class Trader(NamedTuple):
    """An API key in force of the account that the command names, with the scope."""

    scope: Scope


class Admin(NamedTuple):
    """An admin with the role; None: with any. `reason`: the field that says why, as "plan.reason"; empty: none does."""

    role: Role | None
    reason: str = "reason"


class TwoAdmins(NamedTuple):
    """Two admins who ask for the same: one with the role, the other an APPROVER.

    Where the command is `harmless` in the state as it is, one with the role is enough; who says no reason then either,
    if it is `harmless_without_reason`.
    """

    role: Role
    harmless: Callable[[State, Any], bool] | None = None
    harmless_without_reason: bool = False


class BothAdmins(NamedTuple):
    """Two admins with the role who have both signed the one command, as its `first_admin` and `second_admin`."""

    role: Role


class Itself(NamedTuple):
    """The venue, or whoever starts it: nobody is asked. `written`: its texts are people's all the same."""

    written: bool = False


Who = Trader | Admin | TwoAdmins | BothAdmins | Itself


@unique
class LaneOf(Enum):
    """Whose lane a command waits in: behind which others."""

    #: Those of the market it names. If deciding it fails, that market is shut.
    MARKET = "market"
    #: Those of no market.
    VENUE = "venue"
    #: All that its account has sent to any lane.
    ACCOUNT = "account"
    #: None: it is a record of its own, made while the exchange stands still.
    STANDSTILL = "standstill"


@unique
class Room(Enum):
    """How an inbox that is full, or a venue that takes no new orders, takes one."""

    #: Not at all.
    NONE = "none"
    #: It will cancel: an inbox keeps room for it. A venue that takes no new orders doesn't take it.
    RESERVED = "reserved"
    #: It cancels: like that, always taken, and it overtakes other accounts' commands.
    OVERTAKES = "overtakes"
    #: It ends a session's orders: there is always room.
    ALWAYS = "always"

    @property
    def cancels(self) -> bool:
        """Whether its events end resting orders, which its outcome shows."""
        return self in (Room.OVERTAKES, Room.ALWAYS)


class CommandRow(NamedTuple):
    """`decide` is given the state, the time (µs), the command, and of a trader's command the account.

    It is asked only what `who` has passed. `due`: the next such command that is due at a time (µs), if one is; it runs
    before any client's.
    """

    kind: type[Command]
    decide: Callable[..., list[AnyEvent]]
    who: Who
    lane: LaneOf = LaneOf.VENUE
    room: Room = Room.NONE
    due: Callable[[State, int], AnyCommand | None] | None = None


@unique
class Words(Enum):
    """How an event is told that has no words of its own."""

    #: Of trading or of a single account: counted, not told one by one.
    ROUTINE = "routine"
    #: Told as it stands in the record, field by field.
    PLAIN = "plain"


#: Kind and leg of a posting: what a person reads in the ledger.
Posting = tuple[str, Leg]


def terms(state: State, event: Event) -> list[Posting]:
    """The legs of an event whose amounts are terms or bounds: none of them moves."""
    return []


def its_account(state: State, event: Any) -> tuple[AccountId, ...]:
    """It touches the one account that it names."""
    account: AccountId = event.account
    return (account,)


class EventRow(NamedTuple):
    """`legs` and `accounts` are asked of an event that is about to be folded.

    Legs sum to zero per asset, and read nothing of `state` but what is listed; None: there is no amount in it. They
    move the money before `evolve` does the rest; `direct`: `evolve` moves the same itself, for speed. `accounts` are
    those whose balances, orders, keys, switches or settings it changes; None: those of its legs. `shown`: it changes
    what anybody may read of the venue.
    """

    kind: type[Event]
    evolve: Callable[[State, Any], None]
    words: Words | Callable[[Any], str]
    legs: Callable[[State, Any], list[Posting]] | None = None
    accounts: Callable[[State, Any], tuple[AccountId, ...]] | None = None
    shown: bool = False
    direct: bool = False


#: Fields of text in which only what the venue itself has named is taken; all others may hold what anybody wrote.
NAMED: Final = frozenset({"market"})
