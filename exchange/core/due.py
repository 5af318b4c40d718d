"""Work that is due: consequences kept in state, each run as a system command of its own."""

from typing import Final

from exchange.core.machine import COMMANDS
from exchange.core.state import State
from exchange.values.commands import AnyCommand

_DUE: Final = tuple(row.due for row in COMMANDS.values() if row.due is not None)


def next_due(state: State, time_us: int) -> AnyCommand | None:
    """The next command to run before any client's, or None. Run it, and ask again: long work takes several."""
    for due in _DUE:
        command = due(state, time_us)
        if command is not None:
            return command
    return None
