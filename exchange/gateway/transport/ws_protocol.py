"""A WebSocket connection's socket: picows' protocol, read no faster than its turn and its allowance let it be.

Nothing is read while something that came in waits to be parsed; what a client sends then stays with the kernel.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Hashable
from functools import partial
from typing import Final, Protocol
from weakref import ref

from picows import WSUpgradeRequest

from exchange.gateway.session.limits import WsLimits
from exchange.gateway.transport.picows_protocol import Accepted, PicowsProtocol
from exchange.gateway.transport.reading import SESSION_PIECE, STRANGER_PIECE, Reading
from exchange.values.ids import AccountId

#: What a connection's buffer begins with; it grows for messages that don't fit.
READ_BYTES: Final = 4 * 1024

#: How long a connection that sends too much isn't read.
REST_S: Final = 1.0

# What a client does wrong is answered to the client; picows would log every malformed frame as an error.
_log: Final = logging.getLogger("exchange.gateway.picows")
_log.setLevel(logging.CRITICAL)


class Owner(Protocol):
    """Who keeps the sockets: the server."""

    limits: WsLimits
    #: What comes in on connections that have not logged in, and on those that have.
    strangers: Reading
    sessions: Reading

    def counted(self, address: str) -> str:
        """What a client, or a proxy, counts as."""

    def accept(self, request: WSUpgradeRequest, socket: "Socket") -> Accepted:
        """A listener for an upgrade request, or the answer that refuses it; None is 404."""

    def socket_opened(self, socket: "Socket") -> None: ...

    def handshake_over(self, socket: "Socket") -> None: ...

    def place_left(self, socket: "Socket") -> None: ...

    def earned(self, socket: "Socket") -> None: ...

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> asyncio.TimerHandle: ...


class Socket(PicowsProtocol):
    """picows' protocol, which also knows the client's address and can be handed bytes already read.

    It has a place among the handshakes, then one among the connections.
    """

    def __init__(self, server: Owner) -> None:
        limits = server.limits
        super().__init__(
            # Weakly, or they would hold each other: the garbage collector looks too rarely to leave that to it.
            partial(_accept, ref(self)),
            _log,
            handshake_timeout_s=limits.handshake_timeout_s,
            frame_bytes=limits.message_bytes,
            read_bytes=READ_BYTES,
        )
        self._server = server
        self._left: Callable[[Socket], None] | None = None
        self._read_bytes = READ_BYTES
        self._piece = STRANGER_PIECE
        self._reading = server.strangers
        self._over = False
        #: Bytes in picows' buffer that it isn't told of yet, and those that are to be put there.
        self._unparsed = 0
        self._ahead = b""
        self._lags = False
        self._resting: asyncio.TimerHandle | None = None
        self.waits = False
        self.peer = ""
        #: What it counts as.
        self.address = ""
        self.holder: Hashable = ""

    def connection_made(self, transport: asyncio.Transport) -> None:
        peer = transport.get_extra_info("peername")
        self.peer = str(peer[0]) if peer else ""
        super().connection_made(transport)
        kernel_bytes = self._server.limits.kernel_backlog_bytes
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, kernel_bytes)
        self.holder = self.address = self._server.counted(self.peer)
        self._left = self._server.handshake_over
        self._server.socket_opened(self)

    def placed(self, address: str) -> None:
        """It has a place among the connections, as `address`."""
        self._leave()
        self.holder = self.address = address
        self._left = self._server.place_left

    def connection_lost(self, exc: Exception | None) -> None:
        self._over = True
        if self._resting is not None:
            self._resting.cancel()
        self._leave()
        super().connection_lost(exc)

    def cut(self) -> None:
        """End at once, and give the place up."""
        self._leave()
        self.transport.underlying_transport.abort()

    def _leave(self) -> None:
        left, self._left = self._left, None
        if left is not None:
            left(self)

    # --- what comes in ------------------------------------------------------------------------------

    def get_buffer(self, size_hint: int) -> memoryview:
        buffer: memoryview = super().get_buffer(size_hint)
        size = len(buffer)
        if size > self._read_bytes and self.listener is not None:
            self._read_bytes = size
            self.listener.reading(size)
        return buffer[: self._piece] if size > self._piece else buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._unparsed = nbytes
        self._reading.take(self)
        if self.waits or self.rests:
            self._steer()

    def data_received(self, data: bytes) -> None:
        """uvicorn hands over the upgrade request this way; the transport brings what follows by `get_buffer`."""
        self._ahead += data
        if not self.waits and not self.rests:
            self._reading.take(self)
        self._steer()

    def parse(self) -> bool:
        if self._over or self.transport.underlying_transport.is_closing():
            self._unparsed, self._ahead = 0, b""
            return False
        size, self._unparsed = self._unparsed, 0
        if not size and self._ahead:
            buffer = self.get_buffer(-1)
            size = min(len(buffer), len(self._ahead))
            buffer[:size] = self._ahead[:size]
            self._ahead = self._ahead[size:]
        if size:
            super().buffer_updated(size)
        return bool(self._ahead) and not self.rests

    def parsed(self) -> None:
        self._steer()

    def _steer(self) -> None:
        """Read on or don't."""
        tcp = self.transport.underlying_transport
        if self._over or tcp.is_closing():
            return
        if self.waits or self._lags or self.rests:
            tcp.pause_reading()
        else:
            tcp.resume_reading()

    # --- what its connection says -----------------------------------------------------------------------

    def earned(self) -> None:
        self._server.earned(self)

    def logged_in(self, account: AccountId) -> None:
        self.holder, self._piece, self._reading = account, SESSION_PIECE, self._server.sessions

    def lag(self, lags: bool) -> None:
        self._lags = lags
        self._steer()

    @property
    def rests(self) -> bool:
        return self._resting is not None

    def rest(self) -> None:
        if self._resting is None:
            self._resting = self._server.call_later(REST_S, self._rested)

    def _rested(self) -> None:
        self._resting = None
        if self.listener is not None and self.listener.is_exhausted():
            self.rest()
            return
        if not self.waits and (self._unparsed or self._ahead):
            self._reading.take(self)
        self._steer()

    def accept(self, request: WSUpgradeRequest) -> Accepted:
        return self._server.accept(request, self)


def _accept(socket: "ref[Socket]", request: WSUpgradeRequest) -> Accepted:
    protocol = socket()
    return protocol.accept(request) if protocol is not None else None
