"""The WebSocket server: connections on the trading port, and those that uvicorn upgrades on the HTTP port.

Both are the same picows protocol with the same session behind it. permessage-deflate is not offered.
"""

import asyncio
import socket
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from picows import WSListener, WSUpgradeRequest, WSUpgradeResponse, WSUpgradeResponseWithListener
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from exchange.gateway.addresses import counted
from exchange.gateway.session.limits import CloseCode
from exchange.gateway.session.services import Services
from exchange.gateway.session.session import Session
from exchange.gateway.transport.places import Pool, Slots
from exchange.gateway.transport.reading import SESSIONS_TURN_S, STRANGERS_TURN_S, Reading
from exchange.gateway.transport.ws_connection import Connection
from exchange.gateway.transport.ws_protocol import Socket
from exchange.gateway.wire.errors import error_body, http_status, invalid
from exchange.values.refusals import Code, Refusal

#: Connections written to in one turn of the event loop: orders are read and committed between the slices of a long
#: fan-out, and what gathers for a connection until its turn comes leaves in one write.
FLUSHES_PER_TURN: Final = 64
#: The longest a connection's turn is away: with more of them, slices grow, for what gathers meanwhile is not counted.
TURNS_PER_ROUND: Final = 16

_PATHS: Final = frozenset({b"/", b"/ws"})
_FULL: Final = Refusal(Code.MAINTENANCE, "Too many connections")
_FULL_ADDRESS: Final = Refusal(Code.TOO_MANY_REQUESTS, "Too many connections from this address")
_VERSION: Final = invalid("WebSocket version 13 is spoken here")
#: Connections are looked at for pings and pongs this often in a ping interval.
_SWEEPS_PER_PING: Final = 60


class WsServer(Collector):
    """All WebSocket connections of one process."""

    def __init__(self, services: Services) -> None:
        self.limits = services.limits
        self._services = services
        self._loop = asyncio.get_running_loop()
        self.connections: dict[Connection, None] = {}
        self._handshakes: Slots[Socket] = Slots(
            self.limits.handshakes, self._share(self.limits.handshakes_per_address, self.limits.handshakes)
        )
        self._slots: Slots[Socket] = Slots(
            self.limits.connections, self._share(self.limits.connections_per_address, self.limits.connections)
        )
        self._backlog: Pool[Connection] = Pool(self.limits.backlog_bytes_total)
        self._relieving = False
        self._cut = Counter(unread=0, silent=0, refused=0)
        self.strangers = Reading(self._loop, STRANGERS_TURN_S)
        self.sessions = Reading(self._loop, SESSIONS_TURN_S)
        self._to_flush: deque[Connection] = deque()
        self._sessions = 0
        self._none_left = asyncio.Event()
        self._closing = False
        self._listening: asyncio.Server | None = None
        self._sweep_s = self.limits.ping_interval_s / _SWEEPS_PER_PING
        self._sweep_timer = self._loop.call_later(self._sweep_s, self._sweep)

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily("exchange_ws_connections", "Open WebSocket connections", value=len(self.connections))
        yield GaugeMetricFamily(
            "exchange_ws_backlog_bytes", "Unread, or of messages that aren't complete", value=self._backlog.bytes
        )
        cut = CounterMetricFamily("exchange_ws_cut", "Connections that had to give way, by why", labels=["why"])
        for why, count in self._cut.items():
            cut.add_metric([why], count)
        yield cut

    # --- where connections come from ----------------------------------------------------------------

    async def listen(self, bound: socket.socket) -> None:
        """Serve the trading port, which is bound already: whoever gave it up for a moment might not get it back."""
        self._listening = await self._loop.create_server(self._protocol, sock=bound)

    def upgraded(self, config: Any, server_state: Any, app_state: Any) -> asyncio.BaseProtocol:
        """For `uvicorn.Config(ws=...)`: takes over a connection whose HTTP request asks for an upgrade."""
        return self._protocol()

    def _protocol(self) -> Socket:
        return Socket(self)

    def _share(self, of_address: int, total: int) -> Callable[[str], int]:
        trusts = self._services.proxies.trusts
        return lambda address: total if trusts(address) else of_address

    def counted(self, address: str) -> str:
        """What a client, or a proxy, counts as."""
        return address if self._services.proxies.trusts(address) else counted(address)

    def accept(self, request: WSUpgradeRequest, socket: Socket) -> WSListener | WSUpgradeResponseWithListener | None:
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
        hops = headers.getall("X-Forwarded-For", [""])
        address = self.counted(self._services.proxies.client(socket.peer, hops[-1]))
        refusal = self._place(socket, address)
        return _refusal(refusal) if refusal is not None else Connection(self, address, socket)

    def _place(self, socket: Socket, address: str) -> Refusal | None:
        """From now on it has a place among the connections; or why not."""
        found, victim = self._slots.take(socket, address)
        if victim is not None:
            self._cut["silent"] += 1
            victim.cut()
        if found:
            socket.placed(address)
            return None
        full = self._slots.by_address.total() > self.limits.connections
        self._slots.give_back(socket, address)
        return _FULL if full else _FULL_ADDRESS

    def earned(self, socket: Socket) -> None:
        self._slots.busy(socket, socket.address)

    def socket_opened(self, socket: Socket) -> None:
        """A place for a socket that is yet to ask for its upgrade; if there is none, the longest silent one is cut."""
        _, victim = self._handshakes.take(socket, socket.address)
        if victim is not None:
            self._cut["silent"] += 1
            victim.cut()

    def handshake_over(self, socket: Socket) -> None:
        self._handshakes.give_back(socket, socket.address)

    def place_left(self, socket: Socket) -> None:
        self._slots.give_back(socket, socket.address)

    # --- their owner -----------------------------------------------------------------------------------

    def opened(self, connection: Connection) -> Session:
        self.connections[connection] = None
        self._sessions += 1
        name = f"{self._services.exchange.started_us()}-{self._sessions}"
        return Session(self._services, name, connection.address, connection)

    def closed(self, connection: Connection) -> None:
        self.connections.pop(connection, None)
        self._backlog.hold(connection, connection.address, 0)
        if not self.connections:
            self._none_left.set()

    def flush_soon(self, connection: Connection) -> None:
        if not self._to_flush:
            self._loop.call_soon(self._flush)
        self._to_flush.append(connection)

    def _flush(self) -> None:
        to_flush = self._to_flush
        for _ in range(min(len(to_flush), max(FLUSHES_PER_TURN, len(to_flush) // TURNS_PER_ROUND))):
            to_flush.popleft().flush()
        if to_flush:
            self._loop.call_soon(self._flush)

    def weighs(self, connection: Connection, size: int) -> None:
        self._backlog.hold(connection, connection.address, size)
        if self._backlog.bytes > self._backlog.most_bytes and not self._relieving:
            self._relieving = True
            self._loop.call_soon(self._relieve)

    def _relieve(self) -> None:
        """Drop those that leave the most unread; what was counted of those that have read since, counts no more."""
        self._relieving = False
        for connection, address in self._backlog.holders():
            self._backlog.hold(connection, address, connection.weigh_again())
        while (heaviest := self._backlog.heaviest()) is not None:
            heaviest.drop()

    def dropped(self, connection: Connection) -> None:
        self._cut["unread"] += 1

    def refused(self, connection: Connection) -> None:
        self._cut["refused"] += 1

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
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
