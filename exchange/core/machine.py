"""One entry to each half: `decide` a command, `evolve` an event, `fold` a record."""

from collections.abc import Callable
from typing import Any, Final

from exchange.core.accounts import rows as accounts
from exchange.core.authority import Decide, checked
from exchange.core.listings import rows as listings
from exchange.core.modes import rows as modes
from exchange.core.money import rows as money
from exchange.core.money.posting import post
from exchange.core.orders import rows as orders
from exchange.core.people import rows as people
from exchange.core.people.agreement import Roles
from exchange.core.process import rows as process
from exchange.core.rows import CommandRow, EventRow, TwoAdmins
from exchange.core.state import State
from exchange.core.windows import rows as windows
from exchange.values.actors import senders
from exchange.values.commands import AnyCommand
from exchange.values.events import AnyEvent
from exchange.values.process.commands import AcceptLoss
from exchange.values.record import Record

#: Every subject's rows.
SUBJECTS: Final = (orders, accounts, people, money, listings, modes, windows, process)

COMMANDS: Final[dict[type, CommandRow]] = {row.kind: row for subject in SUBJECTS for row in subject.COMMANDS}
EVENTS: Final[dict[type, EventRow]] = {row.kind: row for subject in SUBJECTS for row in subject.EVENTS}
#: Commands that take two admins, unless they are harmless.
TAKES_TWO: Final[Roles] = {row.kind: row.who.role for row in COMMANDS.values() if isinstance(row.who, TwoAdmins)}

_DECIDE: Final[dict[type, Decide]] = {kind: checked(row, TAKES_TWO) for kind, row in COMMANDS.items()}


def _evolving(row: EventRow) -> Callable[[State, Any], None]:
    """What the fold does with an event of this row."""
    legs, evolve = row.legs, row.evolve
    if legs is None or row.direct:
        return evolve

    def evolved(state: State, event: Any) -> None:
        post(state, [leg for _, leg in legs(state, event)])
        evolve(state, event)

    return evolved


_EVOLVE: Final[dict[type, Callable[[State, Any], None]]] = {kind: _evolving(row) for kind, row in EVENTS.items()}


class OutOfOrder(AssertionError):
    """A record that is not the next one: a bug of ours, never a client's doing."""


def decide(state: State, time_us: int, command: AnyCommand) -> list[AnyEvent]:
    """Everything `command` would cause at `time_us` (µs, not below `state.time_us`), or one `Refused`. Only reads.

    The record it becomes has seq `state.seq + 1`. If this raises, nothing has happened.
    """
    return _DECIDE[type(command)](state, time_us, command)


def next_seq(state: State, command: AnyCommand) -> int:
    """The seq of the record that `command` becomes: the next one, except behind a range that is lost for good."""
    return max(command.lost_to_seq, state.seq) + 1 if type(command) is AcceptLoss else state.seq + 1


def fold(state: State, record: Record) -> None:
    """Apply a record's events: the one way state changes, live and in recovery.

    If this raises, the state is doubtful and must be thrown away.

    Raises:
        OutOfOrder: `record.seq` is not the next seq, or its time lies before the last one's.
    """
    if record.seq != next_seq(state, record.command) or record.time_us < state.time_us:
        raise OutOfOrder(f"record {record.seq} at {record.time_us} after {state.seq} at {state.time_us}")
    state.seq = record.seq
    state.time_us = record.time_us
    if state.unheard:
        for admin in senders(record.command):
            state.unheard.pop(admin, None)
    for event in record.events:
        _EVOLVE[type(event)](state, event)
