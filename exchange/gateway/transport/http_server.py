"""The HTTP port's protocol: uvicorn's, with the limits it lacks.

A connection is read in small pieces and no further than the request that is being answered, so what a client sends
ahead waits in its own buffers, not in ours. Places, bytes on their way in and answers left unread are bounded over
all connections and shared fairly. What is no HTTP at all is refused in the protocol's words and not logged, or a
flood of it would fill the log.
"""

import asyncio
import logging
from typing import Any, Final

from exchange.gateway.addresses import TrustedProxies, counted
from exchange.gateway.admission import GatewayLimits
from exchange.gateway.rest.dispatch import OVER_LIMIT
from exchange.gateway.transport.http_framing import HEAD_TOO_LARGE, Framing
from exchange.gateway.transport.places import Pool, Slots
from exchange.gateway.transport.uvicorn_protocol import Config, HttpProtocol, ServerState
from exchange.gateway.wire.errors import error_body, invalid
from exchange.values.refusals import Code, Refusal

_FULL: Final = Refusal(Code.MAINTENANCE, "Too many connections")
_FULL_ADDRESS: Final = Refusal(Code.TOO_MANY_REQUESTS, "Too many connections from this address")
_SILENT: Final = Refusal(Code.MAINTENANCE, "Too many connections: this one was silent the longest")
_HEAVY: Final = Refusal(Code.MAINTENANCE, "Too much on its way in")
_SLOW: Final = Refusal(Code.TIMEOUT, "The request took too long to arrive")
_URL: Final = invalid("The request's URL is too long")

#: Bytes of one read, so also what is held of a connection while a request of it is answered.
READ_BYTES: Final = 16 * 1024
#: Unread bytes at which a connection's next answer waits, and beyond which it counts among those that don't read.
UNREAD_BYTES: Final = 16 * 1024
#: After so many unsigned requests in a row that were refused for their number, a connection is read once in a while.
REFUSED_IN_A_ROW: Final = 5
REFUSED_PAUSE_S: Final = 1.0
#: How long a client that is refused may take to read why.
CLOSE_S: Final = 2.0

# uvicorn warns of every malformed request; what fails on our side it logs as errors.
logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


class HttpServer:
    """All HTTP connections of one process."""

    def __init__(self, limits: GatewayLimits, proxies: TrustedProxies | None = None) -> None:
        self.limits = limits
        self.proxies = proxies or TrustedProxies()
        self.slots: Slots[_Protocol] = Slots(limits.connections, self._share)
        #: Of requests whose end isn't here yet, or which wait behind another of their connection.
        self.arriving: Pool[_Protocol] = Pool(limits.arriving_bytes)
        #: Of answers that their clients don't read.
        self.unread: Pool[_Protocol] = Pool(limits.unread_bytes)
        self._relieving = False
        self._scratch = bytearray(READ_BYTES)

    def protocol(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> asyncio.BaseProtocol:
        """For `uvicorn.Config(http=...)`."""
        return _Pieces(_Protocol(self, config, server_state, app_state, _loop), self._scratch)

    def _share(self, address: str) -> int:
        trusted = self.proxies.trusts(address)
        return self.limits.connections if trusted else self.limits.connections_per_address

    def make_room(self) -> None:
        """Let go of those that send most and complete nothing."""
        while (heaviest := self.arriving.heaviest()) is not None:
            heaviest.give_way(_HEAVY)

    def relieve_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        """Cut those that leave most unread, once the kernel has taken what it takes of what was just written."""
        if not self._relieving and self.unread.bytes > self.unread.most_bytes:
            self._relieving = True
            loop.call_soon(self._relieve)

    def _relieve(self) -> None:
        self._relieving = False
        for connection, _ in self.unread.holders():
            connection.weigh_unread()
        while (heaviest := self.unread.heaviest()) is not None:
            heaviest.cut()


class _Pieces(asyncio.BufferedProtocol):
    """What the transport sees of a connection: every read goes into one small buffer that all connections share."""

    def __init__(self, inner: "_Protocol", scratch: bytearray) -> None:
        self._inner = inner
        self._scratch = memoryview(scratch)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._inner.connection_made(transport)  # type: ignore[arg-type]  # of a stream, it is one

    def connection_lost(self, exc: Exception | None) -> None:
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._scratch

    def buffer_updated(self, nbytes: int) -> None:
        self._inner.data_received(bytes(self._scratch[:nbytes]))


class _Protocol(HttpProtocol):
    """One connection: a request is parsed once the one before it is answered.

    While one is on its way in, a deadline is running.
    """

    def __init__(self, server: HttpServer, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._server = server
        self._peer = ""
        self._address = ""
        self._of_proxy = False
        self._here = False
        self._proven = False
        self._framing = Framing(server.limits)
        self._weighs = False
        self._refused = 0
        self._pause: asyncio.TimerHandle | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._read_deadline: asyncio.TimerHandle | None = None

    # --- connections ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=UNREAD_BYTES)
        self._peer = self.peer
        self._address = counted(self._peer)
        self._of_proxy = self._server.proxies.trusts(self._peer)
        self._here = True
        found, victim = self._server.slots.take(self, self._address)
        if victim is not None:
            victim.give_way(_SILENT)
        if found:
            self._arm()
        elif self._server.slots.by_address.total() > self._server.limits.connections:
            self._close_with(503, _FULL)
        else:
            self._close_with(429, _FULL_ADDRESS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        self._disarm()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        if not self._here:
            return  # refused for its head
        behind = self._framing.held
        self._leave()  # from here on it counts as a WebSocket
        self.transport.set_write_buffer_limits()
        self.hand_over(behind)

    def _leave(self) -> None:
        """Its place and whatever is held for it are free again."""
        if not self._here:
            return
        self._here = False
        self._framing.drop()
        self._disarm()
        if self._pause is not None:
            self._pause.cancel()
        self._weigh_arriving()
        self._unread(0)
        self._server.slots.give_back(self, self._address)

    def give_way(self, refusal: Refusal) -> None:
        """End for the sake of others. An idle client is used to that; one in the middle of a request is told why."""
        if self.is_answering() or self.transport.get_write_buffer_size():
            self.cut()  # to close it would wait for a client that doesn't read, without a place and uncounted
        elif self._proven and not self._framing.partial:
            self._leave()
            self.transport.close()
        else:
            self._close_with(503, refusal)

    def cut(self) -> None:
        self._leave()
        self.transport.abort()

    # --- requests ------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        framing = self._framing
        framing.held = framing.held + data if framing.held else data
        self._advance()

    def _advance(self) -> None:
        """Parse what is held, up to the end of one request."""
        framing = self._framing
        while framing.held and not self.is_answering() and self._pause is None:
            piece = framing.next_piece()
            if isinstance(piece, tuple):
                return self._close_with(*piece)
            if piece:
                self.parse(piece)
            if not self._here or self.transport.is_closing():
                return None
        self.flow.hold(bool(framing.held) or self._pause is not None)
        if not framing.partial:
            self._disarm()
        elif self._deadline is None:
            self._arm()
        if self._weighs or framing.held or framing.partial:
            self._weigh_arriving()
        return None

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._framing.partial = True

    def on_headers_complete(self) -> None:
        limits = self._server.limits
        if len(self.url) > limits.url_bytes:
            return self._close_with(414, _URL)
        if len(self.headers) > limits.headers:
            return self._close_with(*HEAD_TOO_LARGE)
        chunked = self._framing.head_complete(self.headers)
        self.scope["client"] = (self._named(), 0)
        super().on_headers_complete()
        if self.ends_in_upgrade():
            self.close_after_answer()  # what follows is in a protocol that isn't spoken here
        elif chunked:
            self.drop_trailers()
        return None

    def _named(self) -> str:
        """The address this request counts for."""
        if not self._of_proxy:
            return self._address
        named = [value for name, value in self.headers if name == b"x-forwarded-for"]
        return counted(self._server.proxies.client(self._peer, named[-1].decode("latin-1") if named else ""))

    def on_body(self, body: bytes) -> None:
        self._framing.content(len(body))
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._framing.request_complete()
        if not self._here or self.transport.is_closing():
            return
        super().on_message_complete()
        if self.is_answering():
            self._server.slots.busy(self, self._address)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self._here:
            return
        if self.transport.is_closing():
            self._linger(self._server.limits.answer_timeout_s)
        elif not self.is_answering():
            self._proven = True
            self._server.slots.idle(self, self._address)
            self._refused = self._refused + 1 if OVER_LIMIT in self.answered() else 0
            if self._refused >= REFUSED_IN_A_ROW:
                self._pause = self.loop.call_later(REFUSED_PAUSE_S, self._go_on)
            if self._framing.held or self._pause is not None:
                self._advance()

    def _go_on(self) -> None:
        self._pause = None
        if self._here:
            self._advance()

    # --- what is held for it ----------------------------------------------------------------------------

    def _weigh_arriving(self) -> None:
        size = self._framing.size
        self._weighs = size > 0
        self._server.arriving.hold(self, self._address, size)
        self._server.make_room()

    def pause_writing(self) -> None:
        super().pause_writing()
        if not self._here:
            return
        self.weigh_unread()
        if self._read_deadline is None:
            self._read_deadline = self.loop.call_later(self._server.limits.answer_timeout_s, self.cut)
        self._server.relieve_soon(self.loop)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unread(0)

    def weigh_unread(self) -> None:
        self._unread(self.transport.get_write_buffer_size() if self._here else 0)

    def _unread(self, size: int) -> None:
        self._server.unread.hold(self, self._address, size)
        if not size and self._read_deadline is not None:
            self._read_deadline.cancel()
            self._read_deadline = None

    # --- time ------------------------------------------------------------------------------------------

    def _arm(self) -> None:
        self._deadline = self.loop.call_later(self._server.limits.request_timeout_s, self._too_slow)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        if self._framing.in_body and self.is_answered():
            self.cut()  # it has its answer already
        else:
            self._close_with(408, _SLOW)

    def _linger(self, seconds: float) -> None:
        """A client that doesn't read its last answer is not waited for."""
        self._disarm()
        self._deadline = self.loop.call_later(seconds, self.transport.abort)

    # --- refusals --------------------------------------------------------------------------------------

    def send_400_response(self, msg: str) -> None:
        self._close_with(400, invalid(msg))

    def _close_with(self, status: int, refusal: Refusal) -> None:
        self._leave()
        body = error_body(refusal)
        head = f"HTTP/1.1 {status} \r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        self.transport.write(head.encode() + b"connection: close\r\n\r\n" + body)
        self.transport.close()
        self._linger(CLOSE_S)
