"""A WebSocket connection that comes back by itself."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from exchange_client.errors import ExchangeError, NotConnected

OPEN_TIMEOUT_S: Final = 5.0
CLOSE_TIMEOUT_S: Final = 2.0
PING_INTERVAL_S: Final = 20.0
PING_TIMEOUT_S: Final = 20.0
MESSAGE_BYTES: Final = 8 << 20
FIRST_DELAY_S: Final = 0.2
LAST_DELAY_S: Final = 2.0
STEADY_S: Final = 10.0
"""A connection that held this long was a good one: the next delay starts small again."""

_CONNECTION_ERRORS: Final = (OSError, TimeoutError, InvalidHandshake, ConnectionClosed)
_log: Final = logging.getLogger(__name__)


class Link:
    """Keeps one connection to `url` open until closed.

    `on_open` prepares each new connection before others can use it: it may log in, and an ExchangeError from it is
    final unless it is transient. `on_frame` gets each message. `on_lost` is called when an opened connection has ended,
    `on_failed` when the link has given up.
    """

    def __init__(
        self,
        url: str,
        *,
        on_open: Callable[[ClientConnection], Awaitable[None]],
        on_frame: Callable[[str | bytes], None],
        on_lost: Callable[[], None] = lambda: None,
        on_failed: Callable[[ExchangeError], None] = lambda _refusal: None,
    ) -> None:
        self._url = url
        self._on_open = on_open
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._on_failed = on_failed
        self._socket: ClientConnection | None = None
        self._opened = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the first connection. Raises NotConnected, or what `on_open` raised."""
        first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(first))
        try:
            await first
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    @property
    def socket(self) -> ClientConnection:
        """The open connection. Raises NotConnected."""
        if self._socket is None:
            raise NotConnected(f"no connection to {self._url}")
        return self._socket

    @property
    def connected(self) -> bool:
        return self._socket is not None

    async def wait_connected(self, timeout_s: float) -> None:
        """Raises NotConnected if it takes longer."""
        try:
            await asyncio.wait_for(self._opened.wait(), timeout_s)
        except TimeoutError:
            raise NotConnected(f"no connection to {self._url} within {timeout_s} s") from None

    def drop(self) -> None:
        """Give the connection up as dead, to begin a new one."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def _run(self, first: asyncio.Future[None]) -> None:
        loop = asyncio.get_running_loop()
        delay_s = FIRST_DELAY_S
        while True:
            began_s = loop.time()
            try:
                await self._connect_once(first)
            except ExchangeError as refusal:
                if not first.done():
                    first.set_exception(refusal)
                    return
                if not refusal.transient:
                    self._on_failed(refusal)
                    return
                _log.info("%s: %s", self._url, refusal)
            except _CONNECTION_ERRORS as error:
                if not first.done():
                    first.set_exception(NotConnected(f"{self._url}: {error or type(error).__name__}"))
                    return
                _log.info("connection to %s lost: %s", self._url, error)
            if loop.time() - began_s > STEADY_S:
                delay_s = FIRST_DELAY_S
            await asyncio.sleep(delay_s * random.uniform(0.5, 1.0))
            delay_s = min(2 * delay_s, LAST_DELAY_S)

    async def _connect_once(self, first: asyncio.Future[None]) -> None:
        """Open, prepare and read one connection until it ends; a server that is going away (1001) ends it too."""
        async with connect(
            self._url,
            open_timeout=OPEN_TIMEOUT_S,
            close_timeout=CLOSE_TIMEOUT_S,
            ping_interval=PING_INTERVAL_S,
            ping_timeout=PING_TIMEOUT_S,
            max_size=MESSAGE_BYTES,
            compression=None,
            proxy=None,
        ) as socket:
            await self._on_open(socket)
            self._socket = socket
            self._opened.set()
            if not first.done():
                first.set_result(None)
            try:
                async for frame in socket:
                    self._on_frame(frame)
            finally:
                self._socket = None
                self._opened.clear()
                self._on_lost()
