"""How the process comes to its end, in order or not. Whoever runs it waits here."""

import asyncio
from enum import StrEnum, unique

import msgspec
import structlog

_log = structlog.get_logger(__name__)


@unique
class Reason(StrEnum):
    #: Asked to stop, and stopped in order.
    STOPPED = "stopped"
    #: Records can't be made durable (disk full, writer gone): requests in flight stay unanswered.
    JOURNAL_FAILED = "journal_failed"
    #: A bug of ours left the state in memory in doubt: the next start recovers it from the records.
    STATE_DOUBTFUL = "state_doubtful"


class End(msgspec.Struct, frozen=True):
    reason: Reason
    message: str


class Ending:
    """Set once; the first reason stands."""

    def __init__(self) -> None:
        self._end: asyncio.Future[End] = asyncio.get_running_loop().create_future()

    @property
    def come(self) -> bool:
        return self._end.done()

    @property
    def failed(self) -> bool:
        return self._end.done() and self._end.result().reason is not Reason.STOPPED

    def end(self, reason: Reason, message: str) -> None:
        if not self._end.done():
            log = _log.info if reason is Reason.STOPPED else _log.critical
            log("ending", reason=str(reason), message=message)
            self._end.set_result(End(reason, message))

    def journal_failed(self, message: str) -> None:
        self.end(Reason.JOURNAL_FAILED, message)

    async def wait(self) -> End:
        return await asyncio.shield(self._end)
