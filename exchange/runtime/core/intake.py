"""How many new orders are taken: all, as many as history keeps up with, or none. Cancels are always taken."""

from typing import Final

from exchange.core.machine import COMMANDS
from exchange.core.rows import Room, Trader
from exchange.values.refusals import Refusal

#: What an intake that is stopped refuses; cancels and the venue's and its operators' commands it does not.
STOPPED: Final = frozenset(
    kind for kind, row in COMMANDS.items() if isinstance(row.who, Trader) and row.room is not Room.OVERTAKES
)
#: While it is slowed an inbox takes this many commands: what waits longer had better be told.
MAX_SLOWED_COMMANDS: Final = 4_000
#: What was not used of the pace is kept for this long.
_KEPT_S: Final = 0.2


class Intake:
    """Set by the watchdog, asked by the venue and its lanes."""

    def __init__(self) -> None:
        #: Why nothing new is taken.
        self.stopped: Refusal | None = None
        #: Why what rests on the live state can't be shown: the journal is not written.
        self.late: Refusal | None = None
        self.slowed = False
        self._left = 0.0
        self._paced_s = 0.0
        self._finishing = False

    def slow_to(self, commands_per_s: float, now_s: float) -> None:
        """From now on, or still, take `commands_per_s`; to be called again every moment."""
        if not self.slowed:
            self.slowed, self._left, self._paced_s = True, 0.0, now_s
        self._left += commands_per_s * (now_s - self._paced_s)
        self._left = min(self._left, commands_per_s * _KEPT_S)
        self._paced_s = now_s

    def room(self, most: int) -> int:
        """How many commands that aren't cancels may be run now, at most `most`."""
        return min(most, max(int(self._left), 0)) if self.slowed and not self._finishing else most

    def finish(self) -> None:
        """Nothing more comes in: what waits need not keep the pace."""
        self._finishing = True

    def took(self, commands: int) -> None:
        """So many were run; a batch is never split, so it may be more than there was room for."""
        self._left -= commands
