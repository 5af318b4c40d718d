"""Trading over the WebSocket: one login, then orders without signatures, many in flight at once."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Final, Self, TypeVar

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from exchange_client.codec import MALFORMED, decode
from exchange_client.decimals import Scalar
from exchange_client.errors import ClientError, ExchangeError, NotConnected, NotPlaced, OutcomeUnknown
from exchange_client.link import Link
from exchange_client.models import Order
from exchange_client.orders import NewOrder, order_key
from exchange_client.protocol import (
    Answer,
    Request,
    an_order,
    frame,
    nothing,
    some_orders,
    some_outcomes,
)
from exchange_client.signing import WINDOW_MS, Keypair, signing_text

ANSWER_TIMEOUT_S: Final = 10.0
RECOVERY_TIMEOUT_S: Final = 60.0
RECOVERY_DELAY_S: Final = 0.5
LOGIN_DELAY_S: Final = 1.0
"""How long after its start the exchange takes no login yet, to keep out what its last process may have taken."""
NOT_FOUND: Final = "RESOURCE_NOT_FOUND"

T = TypeVar("T")
Params = dict[str, Scalar]
_log: Final = logging.getLogger(__name__)


class TradingSession:
    """A logged-in trading connection of one account. Use it with `async with`.

    When the connection breaks, the session connects and logs in again and finds out what became of every
    request that was in flight, so each call ends in one of these ways:

    - it returns: carried out;
    - ExchangeError: refused, nothing was carried out;
    - NotConnected: not sent;
    - NotPlaced: sent, and the exchange knows of no such order;
    - OutcomeUnknown: the exchange could not be asked within RECOVERY_TIMEOUT_S, or (cancel_all) the answer can't be
      had a second time; calling again is safe.
    """

    def __init__(self, url: str, keypair: Keypair) -> None:
        self._keypair = keypair
        self._link = Link(
            url, on_open=self._log_in, on_frame=self._on_frame, on_lost=self._on_lost, on_failed=self._on_failed
        )
        self._last_id = 0
        self._in_flight: dict[int, Request] = {}
        self._unknown: deque[Request] = deque()
        self._recovery: asyncio.Task[None] | None = None
        self._cancel_on_disconnect = False
        self._failure: ExchangeError | None = None

    async def __aenter__(self) -> Self:
        await self._link.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; what is still unanswered ends as OutcomeUnknown."""
        await self._link.close()
        if self._recovery is not None:
            self._recovery.cancel()
        self._give_up()

    @property
    def connected(self) -> bool:
        return self._link.connected

    async def wait_connected(self, timeout_s: float = RECOVERY_TIMEOUT_S) -> None:
        """Raises NotConnected if it takes longer."""
        await self._link.wait_connected(timeout_s)

    # --- orders ---

    async def place(self, order: NewOrder) -> Order:
        """The order after matching."""

        async def recover() -> Order:
            found = await self._find_placed(order)
            if found is None:
                raise NotPlaced(order.client_id)
            return found

        return await self._request("order.place", order.wire(), an_order, recover)

    async def place_batch(self, orders: Sequence[NewOrder]) -> list[Order | ExchangeError | NotPlaced]:
        """Place several orders of one market, each of which stands or falls alone."""

        async def recover() -> list[Order | ExchangeError | NotPlaced]:
            return [await self._find_placed(order) or NotPlaced(order.client_id) for order in orders]

        params = [order.wire() for order in orders]
        return await self._request("order.batch", params, some_outcomes, recover)

    async def cancel(self, symbol: str, *, order_id: str | None = None, client_id: int | None = None) -> Order:
        """The order as it was cancelled. Raises ExchangeError with code RESOURCE_NOT_FOUND if it is not open."""
        key = order_key(symbol, order_id, client_id)

        async def recover() -> Order:
            try:
                return await self._ask("order.cancel", key, an_order)
            except ExchangeError as refusal:
                if refusal.code != NOT_FOUND:
                    raise
                order = await self._look_up(key)
                if order is None or order.status != "Cancelled":
                    raise
                return order

        return await self._request("order.cancel", key, an_order, recover)

    async def cancel_all(self, symbol: str) -> list[Order]:
        """Every open order of the account on a market, as it was cancelled."""

        async def recover() -> list[Order]:
            # Sent again it would also end orders placed after it, so the caller decides.
            raise OutcomeUnknown("order.cancelAll")

        return await self._request("order.cancelAll", {"symbol": symbol}, some_orders, recover)

    async def query(self, symbol: str, *, order_id: str | None = None, client_id: int | None = None) -> Order:
        """An order, open or ended. Raises ExchangeError with code RESOURCE_NOT_FOUND if there is none."""
        key = order_key(symbol, order_id, client_id)
        return await self._request("order.query", key, an_order, lambda: self._ask("order.query", key, an_order))

    # --- safety switches ---

    async def cancel_on_disconnect(self, armed: bool) -> None:
        """Whether the exchange cancels the account's orders when this session's connection ends.

        A later connection of this session is armed again by itself.
        """
        self._cancel_on_disconnect = armed
        await self._set("session.cancelOnDisconnect", {"armed": armed})

    async def cancel_all_after(self, timeout_ms: int) -> None:
        """Have all orders of the account cancelled unless this is called again within `timeout_ms`; 0 turns it off."""
        await self._set("order.cancelAllAfter", {"timeout": timeout_ms})

    async def _set(self, method: str, params: Params) -> None:
        await self._request(method, params, nothing, lambda: self._ask(method, params, nothing))

    # --- requests and answers ---

    async def _request(
        self, method: str, params: object, read: Callable[[object], T], recover: Callable[[], Awaitable[T]]
    ) -> T:
        """Send a request and wait for its outcome, on later connections if need be."""
        request = Request(read, recover)
        request_id = await self._send(request, method, params)
        done, _ = await asyncio.wait([request.outcome], timeout=ANSWER_TIMEOUT_S)
        if not done:
            if request_id in self._in_flight:
                self._link.drop()
            done, _ = await asyncio.wait([request.outcome], timeout=RECOVERY_TIMEOUT_S)
        if not done:
            request.outcome.cancel()
            raise OutcomeUnknown(method)
        outcome: T = request.outcome.result()
        return outcome

    async def _ask(self, method: str, params: object, read: Callable[[object], T]) -> T:
        """Send a request and wait for its answer on this connection only. Raises NotConnected if that breaks."""
        request = Request(read)
        await self._send(request, method, params)
        done, _ = await asyncio.wait([request.outcome], timeout=ANSWER_TIMEOUT_S)
        if not done:
            self._link.drop()
        answer: T = await request.outcome
        return answer

    async def _send(self, request: Request, method: str, params: object) -> int:
        if self._failure is not None:
            raise self._failure
        socket = self._link.socket
        request_id = self._next_id()
        self._in_flight[request_id] = request
        try:
            await socket.send(frame(request_id, method, params))
        except ConnectionClosed:
            pass  # the link tells `_on_lost`, which sees to everything in flight
        return request_id

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _on_frame(self, message: str | bytes) -> None:
        try:
            answer = decode(message, Answer)
        except MALFORMED:
            _log.exception("not an answer: %s", message)
            return
        request = self._in_flight.pop(answer.id, None) if answer.id is not None else None
        if request is None:
            _log.warning("an answer to no request: %s", message)
            return
        try:
            request.succeed(request.read(answer.accepted()))
        except (ExchangeError, *MALFORMED) as error:
            request.fail(error)

    # --- connections ---

    async def _log_in(self, socket: ClientConnection) -> None:
        """Log in on a new connection and arm it, before any other request can use it."""
        try:
            await self._exchange(socket, "session.login", self._login())
        except ExchangeError as refusal:
            if not refusal.transient:
                raise
            await asyncio.sleep(LOGIN_DELAY_S)
            await self._exchange(socket, "session.login", self._login())
        if self._cancel_on_disconnect:
            await self._exchange(socket, "session.cancelOnDisconnect", {"armed": True})
        if self._recovery is not None:
            self._recovery.cancel()
        self._recovery = asyncio.create_task(self._recover())

    def _login(self) -> Params:
        timestamp_ms = self._keypair.timestamp_ms()
        return {
            "apiKey": self._keypair.public_key,
            "timestamp": timestamp_ms,
            "window": WINDOW_MS,
            "signature": self._keypair.sign(signing_text("sessionLogin", [{}], timestamp_ms)),
        }

    async def _exchange(self, socket: ClientConnection, method: str, params: object) -> None:
        """One request and its answer on a connection nobody else uses yet."""
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await socket.send(frame(self._next_id(), method, params))
            decode(await socket.recv(), Answer).accepted()

    def _on_lost(self) -> None:
        lost, self._in_flight = self._in_flight, {}
        for request in lost.values():
            if request.recover is None:
                request.fail(NotConnected("the connection broke"))
            else:
                self._unknown.append(request)

    def _on_failed(self, refusal: ExchangeError) -> None:
        """The exchange no longer lets this key in: nothing can be found out any more."""
        self._failure = refusal
        self._give_up()

    def _give_up(self) -> None:
        while self._unknown:
            self._unknown.popleft().fail(OutcomeUnknown("a request in flight when the session ended"))

    async def _recover(self) -> None:
        """Find out what became of every request of earlier connections, oldest first."""
        while self._unknown:
            request = self._unknown[0]
            if not request.outcome.done():
                assert request.recover is not None
                try:
                    request.succeed(await request.recover())
                except NotConnected:
                    return  # the next connection goes on from here
                except ClientError as error:
                    if isinstance(error, ExchangeError) and error.transient:
                        await asyncio.sleep(RECOVERY_DELAY_S)
                        continue
                    request.fail(error)
            self._unknown.popleft()

    async def _find_placed(self, order: NewOrder) -> Order | None:
        """What became of an order whose answer got lost; None if it was never placed.

        The exchange may still have the request in its queue when it is first asked. A cancel queues up
        behind it: once that is answered, the order is known or will never be.
        """
        key = order_key(order.symbol, None, order.client_id)
        found = await self._look_up(key)
        if found is not None:
            return found
        try:
            return await self._ask("order.cancel", key, an_order)
        except ExchangeError as refusal:
            if refusal.code in ("TOO_MANY_REQUESTS", "TIMEOUT", "SERVER_ERROR"):
                raise  # it didn't get into the queue
            if refusal.code == "MAINTENANCE":
                await asyncio.sleep(
                    RECOVERY_DELAY_S
                )  # an exchange that is stopping queues nothing, but empties its queue
        return await self._look_up(key)

    async def _look_up(self, key: Params) -> Order | None:
        try:
            return await self._ask("order.query", key, an_order)
        except ExchangeError as refusal:
            if refusal.code == NOT_FOUND:
                return None
            raise
