"""The WebSocket server: connections on the trading port, and those that uvicorn upgrades on the HTTP port.

Both are the same picows protocol with the same session behind it. permessage-deflate is not offered.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Final

from picows import WSAutoPingStrategy, WSListener, WSUpgradeRequest, WSUpgradeResponse, WSUpgradeResponseWithListener
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # not in its type stubs

from exchange.gateway.connection import Connection
from exchange.gateway.services import Services
from exchange.gateway.session import Session
from exchange.gateway.wire.errors import error_body, http_status, invalid
from exchange.gateway.ws_limits import CloseCode
from exchange.values.refusals import Code, Refusal

#: Connections written to in one turn of the event loop: orders are read and committed between the slices of a long
#: fan-out, and what gathers for a connection until its turn comes leaves in one write.
FLUSHES_PER_TURN: Final = 64

_PATHS: Final = frozenset({b"/", b"/ws"})
_VERSION: Final = invalid("WebSocket version 13 is spoken here")
#: Connections are looked at for pings and pongs this often in a ping interval.
_SWEEPS_PER_PING: Final = 60

# What a client does wrong is answered to the client; picows would log every malformed frame as an error.
_picows_log = logging.getLogger("exchange.gateway.picows")
_picows_log.setLevel(logging.CRITICAL)


class WsServer:
    """All WebSocket connections of one process."""

    def __init__(self, services: Services) -> None:
        self.limits = services.limits
        self._services = services
        self._loop = asyncio.get_running_loop()
        self.connections: dict[Connection, None] = {}
        self._sockets: Counter[str] = Counter()
        self._to_flush: deque[Connection] = deque()
        self._sessions = 0
        self._none_left = asyncio.Event()
        self._closing = False
        self._listening: asyncio.Server | None = None
        self._sweep_s = self.limits.ping_interval_s / _SWEEPS_PER_PING
        self._sweep_timer = self._loop.call_later(self._sweep_s, self._sweep)

    # --- where connections come from ----------------------------------------------------------------

    async def listen(self, host: str, port: int) -> int:
        """Serve the trading port; returns the port bound (for port 0)."""
        self._listening = await self._loop.create_server(self._protocol, host, port)
        return int(self._listening.sockets[0].getsockname()[1])

    def upgraded(self, config: Any, server_state: Any, app_state: Any) -> asyncio.BaseProtocol:
        """For `uvicorn.Config(ws=...)`: takes over a connection whose HTTP request asks for an upgrade."""
        return self._protocol()

    def _protocol(self) -> "_Protocol":
        return _Protocol(self)

    def accept(self, request: WSUpgradeRequest, address: str) -> WSListener | WSUpgradeResponseWithListener | None:
        """A listener for an upgrade request, or the answer that refuses it; None is 404."""
        if request.path.partition(b"?")[0] not in _PATHS:
            return None
        headers = request.headers
        if headers.get("Sec-WebSocket-Version") != "13":
            return _refusal(_VERSION, 426, {"Sec-WebSocket-Version": "13"})
        if "upgrade" in [token.strip().lower() for token in headers.get("Connection", "").split(",")]:
            headers["Connection"] = "upgrade"  # picows knows no list here, and browsers send one
        if self._closing:
            return _refusal(Refusal(Code.MAINTENANCE, "The exchange is shutting down"))
        if len(self.connections) >= self.limits.connections:
            return _refusal(Refusal(Code.MAINTENANCE, "Too many connections"))
        if self._sockets[address] > self.limits.connections_per_address:
            return _refusal(Refusal(Code.TOO_MANY_REQUESTS, "Too many connections from this address"))
        return Connection(self, address)

    def socket_opened(self, address: str) -> bool:
        """Count a socket that is yet to ask for its upgrade; False if too many are."""
        self._sockets[address] += 1
        return self._sockets.total() - len(self.connections) <= self.limits.handshakes

    def socket_closed(self, address: str) -> None:
        self._sockets[address] -= 1
        if not self._sockets[address]:
            del self._sockets[address]

    # --- their owner -----------------------------------------------------------------------------------

    def opened(self, connection: Connection) -> Session:
        self.connections[connection] = None
        self._sessions += 1
        name = f"{self._services.exchange.started_us()}-{self._sessions}"
        return Session(self._services, name, connection.address, connection)

    def closed(self, connection: Connection) -> None:
        self.connections.pop(connection, None)
        if not self.connections:
            self._none_left.set()

    def flush_soon(self, connection: Connection) -> None:
        if not self._to_flush:
            self._loop.call_soon(self._flush)
        self._to_flush.append(connection)

    def _flush(self) -> None:
        to_flush = self._to_flush
        for _ in range(min(len(to_flush), FLUSHES_PER_TURN)):
            to_flush.popleft().flush()
        if to_flush:
            self._loop.call_soon(self._flush)

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> object:
        return self._loop.call_later(delay_s, callback)

    def now_s(self) -> float:
        return self._loop.time()

    # --- keeping and ending them ------------------------------------------------------------------------

    def _sweep(self) -> None:
        """Ping, and drop those that don't answer: a socket whose other end is gone says nothing by itself."""
        now_s = self._loop.time()
        for connection in list(self.connections):
            if now_s - connection.pong_at_s >= self.limits.pong_timeout_s:
                connection.abort()
            elif now_s - connection.ping_at_s >= self.limits.ping_interval_s:
                connection.ping()
        self._sweep_timer = self._loop.call_later(self._sweep_s, self._sweep)

    async def close(self) -> None:
        """Take no more connections, say goodbye (1001) to those there are, and wait until they are gone."""
        self._closing = True
        self._sweep_timer.cancel()
        if self._listening is not None:
            self._listening.close()
        self._none_left.clear()
        for connection in list(self.connections):
            connection.close(CloseCode.GOING_AWAY, "the exchange is shutting down")
        if self.connections:
            await self._none_left.wait()


class _Protocol(WSProtocol):  # type: ignore[misc]
    """picows' protocol, which also knows the client's address and can be handed bytes already read."""

    def __init__(self, server: WsServer) -> None:
        limits = server.limits
        super().__init__(
            None,  # host and port: for clients
            None,  # path: for clients
            False,  # is a client
            self._accept,
            _picows_log,
            True,  # disconnect if the listener raises; ours doesn't
            limits.handshake_timeout_s,
            False,  # its own pings, a task per connection
            0,
            0,
            WSAutoPingStrategy.PING_WHEN_IDLE,
            False,  # its own pongs, which don't look at reserved bits
            limits.message_bytes,
            None,  # headers: for clients
            16 * 1024,
        )
        self._server = server
        self._address = ""

    def connection_made(self, transport: asyncio.Transport) -> None:
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]) if peer else ""
        super().connection_made(transport)
        if not self._server.socket_opened(self._address):
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.socket_closed(self._address)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """uvicorn hands over the upgrade request this way; the transport brings what follows by `get_buffer`."""
        while data and not self.transport.underlying_transport.is_closing():
            buffer = self.get_buffer(len(data))
            size = min(len(buffer), len(data))
            buffer[:size] = data[:size]
            data = data[size:]
            self.buffer_updated(size)

    def _accept(self, request: WSUpgradeRequest) -> WSListener | WSUpgradeResponseWithListener | None:
        return self._server.accept(request, self._address)


def _refusal(
    refusal: Refusal, status: int | None = None, headers: dict[str, str] | None = None
) -> WSUpgradeResponseWithListener:
    """An answer in place of the upgrade; `status` where it isn't the one of the refusal's code."""
    response = WSUpgradeResponse.create_error_response(
        status or http_status(refusal.code),
        error_body(refusal),
        {"Content-Type": "application/json", **(headers or {})},
    )
    return WSUpgradeResponseWithListener(response, None)
