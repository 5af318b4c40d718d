"""The outbox rule: nothing leaves before the records it rests on are durable.

Whatever leaves is staged under the seq of the state it shows. Seqs are staged in rising order,
so the queue is released from its front, and everything leaves in the order it came about.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import structlog

#: The market tasks pause while more than this waits for the disk.
MAX_UNDURABLE_RECORDS: Final = 20_000
MAX_UNDURABLE_BYTES: Final = 64 * 2**20

_log = structlog.get_logger(__name__)


class Outbox:
    """Deliveries waiting for their seq to be durable."""

    def __init__(self, durable_seq: int = 0) -> None:
        self.durable_seq = durable_seq
        self._staged: deque[tuple[int, Callable[[Any], None], Any]] = deque()
        self.appended_seq = durable_seq
        self._sealed = False
        self._room = asyncio.Event()
        self._room.set()
        #: Told of every new durable seq, after what it releases has left.
        self.on_durable: Callable[[int], None] = lambda seq: None
        #: Bytes handed to the writer and not durable yet.
        self.backlog_bytes: Callable[[], int] = lambda: 0

    def __len__(self) -> int:
        return len(self._staged)

    @property
    def undurable_records(self) -> int:
        return self.appended_seq - self.durable_seq

    def begin(self, seq: int) -> None:
        """Everything up to `seq` is durable already: what recovery found."""
        self.durable_seq = self.appended_seq = seq

    def stage(self, seq: int, deliver: Callable[[Any], None], value: Any) -> None:
        """Call `deliver(value)` once `seq` is durable; it is the live state's, so never below an earlier one."""
        if self._sealed:
            return
        if seq <= self.durable_seq:
            _deliver(deliver, value)
        else:
            self._staged.append((seq, deliver, value))

    def seal(self) -> None:
        """What is staged still leaves when it is durable; nothing staged from now on ever does."""
        self._sealed = True

    def appended(self, seq: int) -> None:
        """Records up to `seq` are with the writer."""
        self.appended_seq = seq
        if self._full():
            self._room.clear()

    def release(self, durable_seq: int) -> None:
        """The writer says that everything up to `durable_seq` is on disk."""
        self.durable_seq = durable_seq
        if not self._full():
            self._room.set()
        staged = self._staged
        while staged and staged[0][0] <= durable_seq:
            _, deliver, value = staged.popleft()
            _deliver(deliver, value)
        self.on_durable(durable_seq)

    def _full(self) -> bool:
        return self.undurable_records > MAX_UNDURABLE_RECORDS or self.backlog_bytes() > MAX_UNDURABLE_BYTES

    async def durable(self, seq: int) -> None:
        """Return once `seq`, the seq of the live state, is durable; never, once the outbox is sealed."""
        if seq > self.durable_seq or self._sealed:
            reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.stage(seq, _resolve, reached)
            await reached

    async def room(self) -> None:
        """Return once little enough waits for the disk."""
        if not self._room.is_set():
            await self._room.wait()


def _deliver(deliver: Callable[[Any], None], value: Any) -> None:
    # One receiver's bug must not keep the others from what is theirs.
    try:
        deliver(value)
    except Exception:
        _log.exception("delivery_failed")


def _resolve(reached: asyncio.Future[None]) -> None:
    if not reached.done():
        reached.set_result(None)
