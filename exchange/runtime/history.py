"""Answers from the read models, once they have reached what the asker has been told."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import structlog

from exchange.runtime.follower_client import FollowerClient
from exchange.runtime.outbox import Outbox
from exchange.runtime.read_models import ReadModels, ReadModelsHarmed
from exchange.values.refusals import Code, Refusal

#: How long an answer waits for the follower before it is refused (TIMEOUT).
FOLLOWER_TIMEOUT_S: Final = 5.0
#: Threads that read; SQLite and the interpreter lock make more of them useless.
_THREADS: Final = 2
#: Queries under way before further ones are refused (TOO_MANY_REQUESTS).
MAX_QUERIES: Final = 500

_HARMED: Final = Refusal(Code.MAINTENANCE, "History is being made anew: its file was harmed")
_NOT_THERE: Final = Refusal(Code.MAINTENANCE, "History is not available: its process does not start")

Answer = TypeVar("Answer")

_log = structlog.get_logger(__name__)


class History:
    def __init__(self, outbox: Outbox, read_models: ReadModels) -> None:
        self._outbox = outbox
        self.follower: FollowerClient
        self.read_models = read_models
        self._threads = ThreadPoolExecutor(_THREADS, "history")
        self._under_way = 0

    async def ask(self, seq: int, query: Callable[[], Answer]) -> Answer | Refusal:
        """Run `query` in a thread once the read models hold every record up to `seq` that anybody can have seen."""
        if self._under_way >= MAX_QUERIES:
            return Refusal(Code.TOO_MANY_REQUESTS, "Too many history queries")
        self._under_way += 1
        try:
            # What isn't durable yet has been shown to nobody.
            timeout_s = 0.0 if self.follower.fault else FOLLOWER_TIMEOUT_S
            if not await self.follower.wait_for(min(seq, self._outbox.durable_seq), timeout_s):
                if self.follower.fault:
                    return _NOT_THERE
                return Refusal(Code.TIMEOUT, "The history is not up to date yet")
            return await asyncio.get_running_loop().run_in_executor(self._threads, query)
        except ReadModelsHarmed as error:
            _log.error("read_models_harmed", reason=str(error))
            return _HARMED
        except sqlite3.Error:
            _log.exception("read_models_failed")
            return Refusal(Code.SERVER_ERROR, "The history can't be read")
        finally:
            self._under_way -= 1

    def close(self) -> None:
        self._threads.shutdown()
        self.read_models.close()
