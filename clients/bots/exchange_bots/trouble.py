"""Doing a thing again and again while the exchange pauses, restarts or goes away."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeVar

import structlog

from exchange_client import ClientError, ExchangeError

FIRST_DELAY_S: Final = 0.5
LAST_DELAY_S: Final = 3.0
WELL_STEPS: Final = 5
"""Good steps in a row after which trouble is over; a bot that finds nothing to do proves little by one."""

T = TypeVar("T")
_log: Final = structlog.get_logger()


class Stopped(Exception):
    """Told to stop before there was a result."""


class Bot(Protocol):
    """Something that acts step by step."""

    @property
    def name(self) -> str: ...

    async def step(self) -> None:
        """Act once. Raises ClientError where the exchange is in the way."""

    def pause_s(self) -> float:
        """How long to wait before the next step."""

    async def leave(self) -> None:
        """Take back what should not stay behind. Raises ClientError."""


class _Patience:
    """Growing delays while there is trouble, which is logged once for each kind."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._delay_s = FIRST_DELAY_S
        self._kinds: set[str] = set()
        self._well_steps = 0

    def trouble(self, error: ClientError) -> float:
        """How long to wait now, in s."""
        kind = error.code if isinstance(error, ExchangeError) else type(error).__name__
        if kind not in self._kinds:
            _log.warning("waiting", bot=self._name, kind=kind, reason=str(error))
            self._kinds.add(kind)
        self._well_steps = 0
        delay_s, self._delay_s = self._delay_s, min(2 * self._delay_s, LAST_DELAY_S)
        return delay_s

    def well(self) -> None:
        self._well_steps += 1
        if self._kinds and self._well_steps == WELL_STEPS:
            _log.info("going on", bot=self._name)
            self._kinds.clear()
            self._delay_s = FIRST_DELAY_S


async def run(bot: Bot, stop: asyncio.Event) -> None:
    """Step after step until told to stop, then leave as far as the exchange lets it."""
    patience = _Patience(bot.name)
    while not stop.is_set():
        try:
            await bot.step()
        except ClientError as error:
            await pause(patience.trouble(error), stop)
        else:
            patience.well()
            await pause(bot.pause_s(), stop)
    try:
        await bot.leave()
    except ClientError as error:
        _log.warning("left with orders open", bot=bot.name, reason=str(error))


async def until_it_works(name: str, action: Callable[[], Awaitable[T]], stop: asyncio.Event) -> T:
    """The result of the first try that succeeds. Raises Stopped."""
    patience = _Patience(name)
    while not stop.is_set():
        try:
            return await action()
        except ClientError as error:
            await pause(patience.trouble(error), stop)
    raise Stopped


async def pause(seconds: float, stop: asyncio.Event) -> None:
    """Sleep, or wake up early to stop."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        pass
