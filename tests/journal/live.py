"""A live journal writer in a test, and what it said."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from exchange.journal.client import WriterClient

WITHIN_S = 20.0


class Heard:
    """What a client was told."""

    def __init__(self) -> None:
        self.durable: list[int] = []
        self.failed: list[str] = []
        self._changed = asyncio.Event()

    def on_durable(self, seq: int) -> None:
        self.durable.append(seq)
        self._changed.set()

    def on_failed(self, reason: str) -> None:
        self.failed.append(reason)
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def until_durable(self, seq: int) -> None:
        await self.until(lambda: bool(self.failed) or max(self.durable, default=0) >= seq)


async def started(data_dir: Path) -> tuple[WriterClient, Heard]:
    heard = Heard()
    return await WriterClient.start(data_dir, heard.on_durable, heard.on_failed), heard


async def until(condition: Callable[[], bool], within_s: float = WITHIN_S) -> None:
    """Wait for what another process does."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 (there is nothing to be told by)
            await asyncio.sleep(0.02)
