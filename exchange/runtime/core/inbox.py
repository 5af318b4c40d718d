"""What waits to be decided: one bounded inbox per market, and one for commands of no market.

A cancel overtakes other accounts' commands, so that a trader can leave a crowded market; it
never overtakes an earlier command of its own account. Cancels can't starve the rest: each ends an
order somebody placed, or is refused, and refusals are rate-limited.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from exchange.core.machine import COMMANDS
from exchange.core.rows import Room
from exchange.values.commands import AnyCommand
from exchange.values.ids import AccountId
from exchange.values.orders.views import Outcome
from exchange.values.record import Signed

#: An inbox refuses (TOO_MANY_REQUESTS) beyond this many commands.
MAX_INBOX_COMMANDS: Final = 10_000
#: Cancels, and switches that will cancel, for which there is room beyond that.
RESERVED_FOR_CANCELS: Final = 1_000

_ROOM: Final = {kind: row.room for kind, row in COMMANDS.items()}
# On the path of every order: reading a member off its enum class costs several times a global.
_OVERTAKES: Final = Room.OVERTAKES
#: Whose commands of no account count as.
_NOBODY: Final = AccountId(0)

Reply = Callable[[list[Outcome]], None]
#: Commands to run without a pause, who is told what became of them, and what an admin signed for the one there is.
Entry = tuple[Sequence[AnyCommand], Reply, tuple[Signed, ...]]


class Inbox:
    def __init__(self) -> None:
        self._cancels: deque[Entry] = deque()
        self._others: deque[Entry] = deque()
        self._commands = 0
        # Per account, how many of its commands wait in `_others`.
        self._waiting: dict[AccountId, int] = {}
        self._filled = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        """Commands waiting."""
        return self._commands

    @property
    def overtaking(self) -> int:
        """Cancels waiting that overtake the others."""
        return len(self._cancels)

    def holds(self, account: AccountId) -> bool:
        """Whether commands of the account wait here that its next one would not overtake."""
        return account in self._waiting

    def put_behind(self, reply: Reply) -> None:
        """`reply` is called, with nothing, once all that waits now is committed and durable."""
        self._commands += 1
        self._others.append(((), reply, ()))
        self._filled.set()
        self._empty.clear()

    def put(self, commands: Sequence[AnyCommand], reply: Reply, signed: tuple[Signed, ...] = ()) -> bool:
        """Queue an entry; False: the inbox is full and nothing was queued.

        There is always room for the end of a session: it comes once per session, and would leave orders behind.
        """
        first = commands[0]
        if self._commands + len(commands) > MAX_INBOX_COMMANDS and not self._has_room_beyond(first):
            return False
        self._commands += len(commands)
        if (
            len(commands) == 1
            and _ROOM[type(first)] is _OVERTAKES
            and (not self._waiting or getattr(first, "account", _NOBODY) not in self._waiting)
        ):
            self._cancels.append((commands, reply, signed))
        else:
            waiting = self._waiting
            for command in commands:
                account = getattr(command, "account", _NOBODY)
                waiting[account] = waiting.get(account, 0) + 1
            self._others.append((commands, reply, signed))
        self._filled.set()
        self._empty.clear()
        return True

    def _has_room_beyond(self, command: AnyCommand) -> bool:
        room = _ROOM[type(command)]
        if room is Room.RESERVED or room is Room.OVERTAKES:
            return self._commands < MAX_INBOX_COMMANDS + RESERVED_FOR_CANCELS
        return room is Room.ALWAYS

    def take(self, max_commands: int, max_others: int | None = None) -> list[Entry]:
        """Entries in the order to run them, up to `max_commands` commands (a batch is never split).

        Behind the cancels that overtake, up to `max_others` commands.
        """
        taken: list[Entry] = []
        count = 0
        while self._cancels and count < max_commands:
            taken.append(self._cancels.popleft())
            count += 1
        waiting = self._waiting
        if max_others is not None:
            max_commands = min(max_commands, count + max_others)
        while self._others and count < max_commands:
            entry = self._others.popleft()
            taken.append(entry)
            for command in entry[0]:
                account = getattr(command, "account", _NOBODY)
                left = waiting[account] - 1
                if left:
                    waiting[account] = left
                else:
                    del waiting[account]
            count += len(entry[0]) or 1
        self._commands -= count
        if not self._commands:
            self._filled.clear()
            self._empty.set()
        return taken

    async def filled(self) -> None:
        """Return once something waits."""
        if not self._commands:
            await self._filled.wait()

    async def emptied(self) -> None:
        """Return once nothing waits."""
        await self._empty.wait()
