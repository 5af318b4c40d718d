"""A task per market, and one for commands of no market, so that one busy market can't starve another."""

import asyncio
from typing import Final

import structlog

from exchange.runtime.core.commit import Committer, StateDoubtful
from exchange.runtime.core.ending import Ending, Reason
from exchange.runtime.core.inbox import Inbox
from exchange.runtime.core.intake import Intake
from exchange.runtime.core.outbox import Outbox

#: Commands committed before the other tasks have their turn.
MAX_BATCH_COMMANDS: Final = 64
#: How long a lane pauses that may take nothing at the moment.
_PAUSE_S: Final = 0.01

_log = structlog.get_logger(__name__)


async def run_all_due(committer: Committer) -> None:
    """Run all due work, giving way to the other tasks in between."""
    left = True
    while left:
        left = committer.run_due(MAX_BATCH_COMMANDS)
        await asyncio.sleep(0)


class Lane:
    """An inbox and the task that empties it."""

    def __init__(self, name: str, committer: Committer, outbox: Outbox, ending: Ending, intake: Intake | None) -> None:
        """`intake`: whose pace it keeps; None: nobody's."""
        self.name = name
        self.inbox = Inbox()
        self._committer = committer
        self._outbox = outbox
        self._ending = ending
        self._intake = intake
        self._task = asyncio.create_task(self._run(), name=f"lane {name}")

    async def finish(self) -> None:
        """Commit what waits, and end."""
        emptied = asyncio.create_task(self.inbox.emptied())
        await asyncio.wait((emptied, self._task), return_when=asyncio.FIRST_COMPLETED)
        emptied.cancel()
        self._task.cancel()

    async def _run(self) -> None:
        try:
            while not self._ending.come:
                await self.inbox.filled()
                await self._outbox.room()
                taken = self._committer.run_due(MAX_BATCH_COMMANDS) or self._run_waiting()
                await asyncio.sleep(0 if taken else _PAUSE_S)
        except StateDoubtful:
            return
        except Exception:
            # Entries taken may be half done: nobody can say what holds, so nothing more is answered.
            _log.exception("lane_failed", lane=self.name)
            self._outbox.seal()
            self._ending.end(Reason.STATE_DOUBTFUL, f"the task of {self.name} failed")

    def _run_waiting(self) -> bool:
        """Run the next batch; False: nothing that waits may be run now."""
        intake = self._intake
        if intake is None or not intake.slowed:
            entries = self.inbox.take(MAX_BATCH_COMMANDS)
        else:
            overtaking = self.inbox.overtaking
            entries = self.inbox.take(MAX_BATCH_COMMANDS, intake.room(MAX_BATCH_COMMANDS))
            intake.took(sum(len(commands) for commands, *_ in entries[overtaking:]))
        self._committer.run(entries)
        return bool(entries)
