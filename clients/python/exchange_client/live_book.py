"""An order book that follows the exchange's, and loads itself anew whenever it has missed something."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Final, Self

from exchange_client.book import OrderBook, SequenceGap
from exchange_client.errors import ClientError
from exchange_client.events import DepthUpdate
from exchange_client.rest import ExchangeClient
from exchange_client.streams import Streams

WAITING_UPDATES: Final = 10_000
RELOAD_DELAY_S: Final = 0.5

_log: Final = logging.getLogger(__name__)


class LiveBook:
    """One market's book: a snapshot over REST and changes over a stream, joined by their update ids.

    Use it with `async with`. A gap in the ids, or a new connection, loads a new snapshot; until that is in,
    `synced` is False and `book` stands still. Entering raises ClientError if there is no such book.
    """

    def __init__(self, streams: Streams, client: ExchangeClient, symbol: str) -> None:
        self.book: Final = OrderBook(symbol)
        self._streams = streams
        self._client = client
        self._waiting: deque[DepthUpdate] = deque(maxlen=WAITING_UPDATES)
        self._loaded = asyncio.Event()
        self._loading: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._cleanup = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._client.depth(self.book.symbol, 5)  # an unknown market fails here, not in the background
        subscription = await self._streams.depth(self.book.symbol, self._on_update)
        self._cleanup.push_async_callback(subscription.close)
        self._cleanup.callback(self._streams.on_reconnect(self._start_loading))
        self._start_loading()
        await self._loaded.wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._cleanup.aclose()
        if self._loading is not None:
            self._loading.cancel()

    @property
    def synced(self) -> bool:
        """Whether the book is the exchange's, as far as the stream has come."""
        return self._loaded.is_set() and self._streams.connected

    async def changes(self) -> AsyncIterator[OrderBook]:
        """The book after each change; changes that come while it is being looked at are seen together."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            yield self.book

    def _on_update(self, update: DepthUpdate) -> None:
        if not self._loaded.is_set():
            self._waiting.append(update)
            return
        try:
            if self.book.apply(update):
                self._changed.set()
        except SequenceGap as gap:
            _log.info("loading the book again: %s", gap)
            self._start_loading()

    def _start_loading(self) -> None:
        self._loaded.clear()
        self._waiting.clear()
        if self._loading is not None:
            self._loading.cancel()
        self._loading = asyncio.create_task(self._load())

    async def _load(self) -> None:
        """Load a snapshot and apply what has come meanwhile, until the two join."""
        while True:
            try:
                self.book.load(await self._client.depth(self.book.symbol))
                while self._waiting:
                    self.book.apply(self._waiting.popleft())
            except (ClientError, SequenceGap) as error:
                _log.info("no snapshot that joins the stream yet: %s", error)
                await asyncio.sleep(RELOAD_DELAY_S)
            else:
                break
        self._loaded.set()
        self._changed.set()
