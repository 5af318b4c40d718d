"""Waiting in tests for what another task or process does."""

import asyncio
from collections.abc import Awaitable, Callable


async def until(condition: Callable[[], bool], within_s: float = 10.0) -> None:
    """Raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - the condition has no event of its own
            await asyncio.sleep(0.005)


async def until_told(question: Callable[[], Awaitable[bool]], within_s: float = 10.0) -> None:
    """Ask again and again until the answer is yes. Raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while not await question():  # noqa: ASYNC110 - only asking tells
            await asyncio.sleep(0.1)
