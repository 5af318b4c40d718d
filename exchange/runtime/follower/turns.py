"""Work in a few threads, shared fairly by those who ask for it."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar, cast

from exchange.values.ids import AccountId

#: Who work is done for: an account, or the address of somebody without one.
Asker = AccountId | str
Answer = TypeVar("Answer")


class _Work(NamedTuple):
    run: Callable[[], Any]
    answer: asyncio.Future[Any]


class Turns:
    """Askers take turns, one piece of work each; nobody has more than `_AT_ONCE` pieces in the threads.

    How much may wait is the caller's to bound.
    """

    #: Of one asker's work in the threads at a time, so that there is always one for somebody else.
    _AT_ONCE: Final = 1

    def __init__(self, threads: int, name: str) -> None:
        self._threads = ThreadPoolExecutor(threads, name)
        self._free = threads
        #: By whose turn is next.
        self._waiting: dict[Asker, deque[_Work]] = {}
        self._running: Counter[Asker] = Counter()

    async def take(self, asker: Asker, run: Callable[[], Answer]) -> Answer:
        """What `run` returns or raises, once it has had its turn. Whoever is cancelled before that gives it up."""
        work = _Work(run, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(asker, deque()).append(work)
        self._begin()
        try:
            return cast("Answer", await work.answer)
        except asyncio.CancelledError:
            self._give_up(asker, work)
            raise

    def close(self) -> None:
        self._threads.shutdown()

    def _begin(self) -> None:
        """Give every free thread to whoever is next."""
        while self._free and (asker := self._next()) is not None:
            waiting = self._waiting.pop(asker)
            work = waiting.popleft()
            if waiting:
                self._waiting[asker] = waiting  # at the end of the line again
            self._free -= 1
            self._running[asker] += 1
            done = asyncio.get_running_loop().run_in_executor(self._threads, work.run)
            done.add_done_callback(partial(self._done, asker, work.answer))

    def _give_up(self, asker: Asker, work: _Work) -> None:
        waiting = self._waiting.get(asker)
        if waiting is not None and work in waiting:
            waiting.remove(work)
            if not waiting:
                del self._waiting[asker]

    def _next(self) -> Asker | None:
        """No more askers are passed over here than there are threads."""
        return next((asker for asker in self._waiting if self._running[asker] < self._AT_ONCE), None)

    def _done(self, asker: Asker, answer: asyncio.Future[Any], done: asyncio.Future[Any]) -> None:
        self._free += 1
        self._running[asker] -= 1
        if not self._running[asker]:
            del self._running[asker]
        error = done.exception()
        if not answer.done():
            if error is None:
                answer.set_result(done.result())
            else:
                answer.set_exception(error)
        self._begin()
