"""Market data and account updates as they happen."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Final, Generic, Literal, Self, TypeVar

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from exchange_client.codec import decode, encode, typed
from exchange_client.errors import ClientError, ExchangeError, NotConnected, StreamLagged
from exchange_client.events import (
    BalanceEvent,
    BookTicker,
    DepthUpdate,
    Event,
    KlineEvent,
    OrderEvent,
    StatusEvent,
    TickerEvent,
    TradeEvent,
)
from exchange_client.link import Link
from exchange_client.models import KlineInterval
from exchange_client.signing import WINDOW_MS, Keypair, signing_text

QUEUE_EVENTS: Final = 10_000
CONFIRM_TIMEOUT_S: Final = 10.0
#: A connection that has just broken is there until the link has noticed: it is asked again after this.
CONFIRM_RETRY_S: Final = 0.05
STREAMS_PER_REQUEST: Final = 100
PRIVATE: Final = "account."

E = TypeVar("E", bound=Event)
_log: Final = logging.getLogger(__name__)


class _StreamError(msgspec.Struct, frozen=True):
    code: int
    message: str


class _Frame(msgspec.Struct, frozen=True):
    stream: str = ""
    data: object = None
    error: _StreamError | None = None


class Subscription(Generic[E]):
    """One stream: events in order, to iterate over with `async for`, or given to a callback.

    Events that happen while the connection is down are not sent again: see `Streams.on_reconnect`.
    Iteration ends when the subscription is closed and raises StreamLagged when more than QUEUE_EVENTS wait.
    """

    def __init__(self, streams: "Streams", stream: str, kind: type[E], callback: Callable[[E], None] | None) -> None:
        self.stream: Final = stream
        self._streams = streams
        self._kind = kind
        self._callback = callback
        self._queue: asyncio.Queue[E | None] = asyncio.Queue()
        self._lagged = False

    async def close(self) -> None:
        """Unsubscribe; events already here can still be read."""
        self.end()
        await self._streams.drop(self)

    def end(self) -> None:
        """Let the iteration end after the events already here."""
        self._queue.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[E]:
        while (event := await self._queue.get()) is not None:
            yield event
        if self._lagged:
            raise StreamLagged(self.stream)

    def take(self, data: object) -> None:
        """An event from the connection."""
        event = typed(data, self._kind)
        if self._callback is not None:
            self._callback(event)
        elif self._queue.qsize() < QUEUE_EVENTS:
            self._queue.put_nowait(event)
        elif not self._lagged:
            self._lagged = True
            self._queue.put_nowait(None)


class Streams:
    """One connection for any number of streams. Use it with `async with`.

    It connects again by itself and subscribes, newly signed, to everything it had. The account's own streams need a
    keypair. A subscribing method returns once the exchange has the subscription: no later event is missed. It raises
    ExchangeError if the exchange refuses, NotConnected if it can't be asked in time.
    """

    def __init__(self, url: str = "ws://127.0.0.1:8001", keypair: Keypair | None = None) -> None:
        self._keypair = keypair
        self._subscriptions: dict[str, list[Subscription[Any]]] = {}
        self._reconnect_callbacks: list[Callable[[], None]] = []
        self._greeting: asyncio.Task[None] | None = None
        self._was_open = False
        self._subscribing = asyncio.Lock()
        self._refusal: ExchangeError | None = None
        self._link = Link(url, on_open=self._on_open, on_frame=self._on_frame)

    async def __aenter__(self) -> Self:
        await self._link.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection and end every iteration."""
        await self._link.close()
        if self._greeting is not None:
            self._greeting.cancel()
        for subscription in [each for group in self._subscriptions.values() for each in group]:
            subscription.end()
        self._subscriptions.clear()

    @property
    def connected(self) -> bool:
        return self._link.connected

    def on_reconnect(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call after each reconnect, when everything is subscribed again: what was missed can now be read over REST.

        Returns what ends it.
        """
        self._reconnect_callbacks.append(callback)
        return lambda: self._reconnect_callbacks.remove(callback)

    # --- streams ---

    async def depth(
        self,
        symbol: str,
        callback: Callable[[DepthUpdate], None] | None = None,
        *,
        interval_ms: Literal[200, 600, 1000] | None = None,
    ) -> Subscription[DepthUpdate]:
        """Changes of the order book, each one or gathered; see `live_book.LiveBook` for the book itself."""
        pace = "" if interval_ms is None else f"{interval_ms}ms."
        return await self._subscribe(f"depth.{pace}{symbol}", DepthUpdate, callback)

    async def book_ticker(
        self, symbol: str, callback: Callable[[BookTicker], None] | None = None
    ) -> Subscription[BookTicker]:
        """The best prices, on each change."""
        return await self._subscribe(f"bookTicker.{symbol}", BookTicker, callback)

    async def trades(
        self, symbol: str, callback: Callable[[TradeEvent], None] | None = None
    ) -> Subscription[TradeEvent]:
        return await self._subscribe(f"trade.{symbol}", TradeEvent, callback)

    async def ticker(
        self, symbol: str, callback: Callable[[TickerEvent], None] | None = None
    ) -> Subscription[TickerEvent]:
        """At most one a second."""
        return await self._subscribe(f"ticker.{symbol}", TickerEvent, callback)

    async def klines(
        self, symbol: str, interval: KlineInterval, callback: Callable[[KlineEvent], None] | None = None
    ) -> Subscription[KlineEvent]:
        """At most one a second, and one when a kline closes."""
        return await self._subscribe(f"kline.{interval}.{symbol}", KlineEvent, callback)

    async def order_updates(
        self, symbol: str | None = None, callback: Callable[[OrderEvent], None] | None = None
    ) -> Subscription[OrderEvent]:
        """What happens to the account's orders, on one market or on all."""
        stream = "account.orderUpdate" if symbol is None else f"account.orderUpdate.{symbol}"
        return await self._subscribe(stream, OrderEvent, callback)

    async def balance_updates(
        self, callback: Callable[[BalanceEvent], None] | None = None
    ) -> Subscription[BalanceEvent]:
        return await self._subscribe("account.balanceUpdate", BalanceEvent, callback)

    async def status(self, callback: Callable[[StatusEvent], None] | None = None) -> Subscription[StatusEvent]:
        """Changes of the venue's and the markets' state."""
        return await self._subscribe("status", StatusEvent, callback)

    # --- subscribing ---

    async def _subscribe(self, stream: str, kind: type[E], callback: Callable[[E], None] | None) -> Subscription[E]:
        subscription = Subscription(self, stream, kind, callback)
        request = self._request("SUBSCRIBE", [stream])
        async with self._subscribing:
            self._refusal = None
            self._subscriptions.setdefault(stream, []).append(subscription)
            try:
                await self._send(request)
                await self._confirm()
                if self._refusal is not None:
                    raise self._refusal
            except ClientError:
                self._forget(subscription)
                raise
        return subscription

    async def drop(self, subscription: Subscription[Any]) -> None:
        """Unsubscribe unless another subscription of the same stream is left."""
        if self._forget(subscription):
            await self._send(self._request("UNSUBSCRIBE", [subscription.stream]))

    def _forget(self, subscription: Subscription[Any]) -> bool:
        """Whether that was the last subscription of its stream."""
        group = self._subscriptions.get(subscription.stream, [])
        if subscription not in group:
            return False
        group.remove(subscription)
        if not group:
            del self._subscriptions[subscription.stream]
        return not group

    async def _send(self, request: str) -> None:
        try:
            await self._link.socket.send(request)
        except (NotConnected, ConnectionClosed):
            pass  # the next connection asks for what is subscribed then

    def _request(self, method: str, streams: list[str]) -> str:
        """A request for streams that are all public, or all the account's own.

        Raises ValueError without the keypair these need.
        """
        request: dict[str, object] = {"method": method, "params": streams}
        if streams[0].startswith(PRIVATE):
            if self._keypair is None:
                raise ValueError(f"{streams[0]} needs a keypair")
            timestamp_ms = self._keypair.timestamp_ms()
            signature = self._keypair.sign(signing_text("subscribe", [{}], timestamp_ms))
            request["signature"] = [self._keypair.public_key, signature, str(timestamp_ms), str(WINDOW_MS)]
        return encode(request).decode()

    async def _confirm(self) -> None:
        """Wait until everything sent so far has been read, and a refusal of it is here. Raises NotConnected."""
        try:
            async with asyncio.timeout(CONFIRM_TIMEOUT_S):
                while not await self._answered():  # noqa: ASYNC110 - only asking tells
                    await asyncio.sleep(CONFIRM_RETRY_S)
        except TimeoutError:
            raise NotConnected("the exchange does not answer") from None

    async def _answered(self) -> bool:
        """Whether two pings are answered before the connection breaks.

        The first is read after the request; its pong may overtake what the exchange has gathered to
        send, the second one's can't.
        """
        await self._link.wait_connected(CONFIRM_TIMEOUT_S)
        try:
            for _ in range(2):
                await (await self._link.socket.ping())
        except (NotConnected, ConnectionClosed):
            return False
        return True

    # --- connections ---

    async def _on_open(self, socket: ClientConnection) -> None:
        for private in (False, True):
            streams = [name for name in self._subscriptions if name.startswith(PRIVATE) is private]
            for start in range(0, len(streams), STREAMS_PER_REQUEST):
                await socket.send(self._request("SUBSCRIBE", streams[start : start + STREAMS_PER_REQUEST]))
        if self._was_open:
            self._greeting = asyncio.create_task(self._tell_reconnected())
        self._was_open = True

    async def _tell_reconnected(self) -> None:
        try:
            await self._confirm()
        except NotConnected:
            return  # lost again: the next connection tells
        for callback in tuple(self._reconnect_callbacks):
            callback()

    def _on_frame(self, frame: str | bytes) -> None:
        message = decode(frame, _Frame)
        if message.error is not None:
            self._refusal = ExchangeError(f"STREAM_{message.error.code}", message.error.message, 400)
            _log.warning("a request for streams was refused: %s", self._refusal)
        for subscription in tuple(self._subscriptions.get(message.stream, ())):
            try:
                subscription.take(message.data)
            except Exception:  # a callback's fault must not cost the others their events
                _log.exception("an event of %s was not taken", message.stream)
