"""One WebSocket connection: picows' frames on one side, a session's messages on the other.

picows parses frames and leaves the rest of RFC 6455 to us: fragments, reserved bits, UTF-8, close
codes, and what happens when a client doesn't read. Messages that gather until a connection's turn
to be written to leave in one write; those for a client that lags wait as they are, shared with every
other one that waits for the same.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

import structlog
from picows import WSFrame, WSListener, WSMsgType, WSTransport

from exchange.gateway.session.limits import CloseCode, WsLimits
from exchange.gateway.session.session import Session
from exchange.gateway.transport.ws_pace import RESTS, Pace
from exchange.values.ids import AccountId

#: Close codes a client may send.
_CODES_RECEIVED: Final = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)})

_log: Final = structlog.get_logger(__name__)

_TEXT_FRAME: Final = 0x81


def _header(size: int) -> bytes:
    """The header of an unmasked, unfragmented text frame with a payload of `size` bytes."""
    if size < 126:
        return bytes((_TEXT_FRAME, size))
    if size < 65_536:
        return bytes((_TEXT_FRAME, 126)) + size.to_bytes(2, "big")
    return bytes((_TEXT_FRAME, 127)) + size.to_bytes(8, "big")


#: Headers of all payloads below this size are at hand.
_COMMON_BYTES: Final = 4_096
_HEADERS: Final = tuple(_header(size) for size in range(_COMMON_BYTES))


#: What a message that waits costs beside its bytes.
_MESSAGE_COST: Final = 64
#: A write of so many bytes is weighed although nothing was unread before it.
_LARGE_WRITE: Final = 16 * 1024


class Owner(Protocol):
    """Who keeps the connections: the server."""

    limits: WsLimits

    def opened(self, connection: "Connection") -> Session: ...

    def closed(self, connection: "Connection") -> None: ...

    def flush_soon(self, connection: "Connection") -> None:
        """Call the connection's `flush` once, when its turn comes: after this turn of the loop, or soon after."""

    def weighs(self, connection: "Connection", size: int) -> None:
        """So many bytes wait on behalf of the connection from now on."""

    def dropped(self, connection: "Connection") -> None:
        """It leaves too much unread and is being closed for it."""

    def refused(self, connection: "Connection") -> None:
        """It sends too much and is being closed for it."""

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> object: ...

    def now_s(self) -> float:
        """A monotonic clock."""


class Socket(Protocol):
    """What the connection's bytes come from."""

    def earned(self) -> None:
        """The client has shown what it is here for."""

    def logged_in(self, account: AccountId) -> None:
        """As `Outlet.logged_in`."""

    def lag(self, lags: bool) -> None:
        """Whether it isn't to be read until the client has read."""

    def rest(self) -> None:
        """Don't read it for a while: it sends too much."""

    @property
    def rests(self) -> bool:
        """Whether it isn't read for a while."""


class Connection(WSListener):
    """Implements `session.Outlet`."""

    def __init__(self, owner: Owner, address: str, socket: Socket) -> None:
        self.address = address
        self.earned = socket.earned
        self._socket = socket
        self._owner = owner
        self._limits = owner.limits
        self._out: list[bytes] = []
        #: What the transport doesn't take yet, in frames.
        self._held: deque[bytes] = deque()
        self._held_bytes = 0
        self._latest: dict[str, bytes] = {}
        self._partial: bytearray | None = None
        #: What has grown to hold messages that are not complete.
        self._reading_bytes = 0
        self._weight = 0
        #: The transport takes no more just now.
        self._unwritable = False
        #: Since it last took no more, not everything has gone out yet.
        self._lags = False
        self._closing = False
        self._session: Session
        self._transport: WSTransport
        self._tcp: asyncio.Transport
        self.pong_at_s = self.ping_at_s = owner.now_s()
        self._pace = Pace(owner.limits, self.pong_at_s)

    # --- out ------------------------------------------------------------------------------------

    def send(self, payload: bytes) -> None:
        if self._closing:
            return
        if not self._out:
            self._owner.flush_soon(self)
        size = len(payload)
        self._out.append(_HEADERS[size] if size < _COMMON_BYTES else _header(size))
        self._out.append(payload)

    def send_latest(self, stream: str, payload: bytes) -> None:
        if self._lags:
            self._latest[stream] = payload
        else:
            self.send(payload)

    def flush(self) -> None:
        """Write what has gathered, as far as the client keeps up; one that leaves too much unread is dropped."""
        out, self._out = self._out, []
        if self._transport.is_close_frame_sent or self._transport.is_disconnected:
            return
        if self._lags:
            self._hold(out)
            self._catch_up()
        elif out:
            unread = self._tcp.get_write_buffer_size()
            data = b"".join(out)
            self._tcp.write(data)
            if unread or self._weight or len(data) >= _LARGE_WRITE:
                self._weigh()

    def _hold(self, out: list[bytes]) -> None:
        self._held.extend(out)
        self._held_bytes += sum(map(len, out)) + len(out) // 2 * _MESSAGE_COST

    def _catch_up(self) -> None:
        """Write of what waits as much as the transport takes."""
        while self._held and not self._unwritable:
            self._tcp.write(self._next_piece(self._limits.soft_backlog_bytes // 2))
        if not self._unwritable:
            self._lags = False
            self._socket.lag(False)
            latest, self._latest = self._latest, {}
            for payload in latest.values():
                self.send(payload)
        self._weigh()

    def _next_piece(self, size: int) -> bytes:
        """The oldest frames that wait, in all at least `size` bytes if there are as many."""
        piece: list[bytes] = []
        held = self._held
        while held and size > 0:
            piece += (held.popleft(), held.popleft())
            taken = len(piece[-2]) + len(piece[-1])
            self._held_bytes -= taken + _MESSAGE_COST
            size -= taken
        return b"".join(piece)

    def _drop_held(self) -> None:
        self._out.clear()
        self._held.clear()
        self._held_bytes = 0
        self._latest.clear()

    def _weigh(self) -> None:
        """Count what waits; a client that leaves more than its share unread is dropped."""
        unread = self._tcp.get_write_buffer_size() + self._held_bytes
        weight = unread + sum(map(len, self._latest.values())) + self._reading_bytes + len(self._partial or b"")
        self._weighs(0 if self._transport.is_disconnected else weight)
        if unread > self._limits.hard_backlog_bytes:
            self.drop()

    def _weighs(self, weight: int) -> None:
        if weight != self._weight:
            self._weight = weight
            self._owner.weighs(self, weight)

    def logged_in(self, account: AccountId) -> None:
        self._socket.logged_in(account)

    def weigh_again(self) -> int:
        """The bytes that wait on its behalf now: a client may have read since they were counted."""
        self._weigh()
        return self._weight

    def drop(self) -> None:
        """Close it for what it leaves unread, which is let go of: a stream with a hole in it is worth nothing."""
        if self._closing:
            self.abort()
            self._weighs(0)
            return
        self._owner.dropped(self)
        self._drop_held()
        self._partial = None
        self.close(CloseCode.POLICY_VIOLATION, "too much left unread")

    def reading(self, size: int) -> None:
        """What has come in of a message that isn't complete takes `size` bytes."""
        self._reading_bytes = size
        self._weigh()

    def pause_writing(self) -> None:
        """The client reads more slowly than we write: take nothing more from it until it has caught up."""
        self._unwritable = self._lags = True
        self._socket.lag(True)

    def resume_writing(self) -> None:
        self._unwritable = False
        if self._tcp.is_closing():
            return
        if self._closing:
            self._socket.lag(False)  # its close comes now
        else:
            self._owner.flush_soon(self)

    # --- life ------------------------------------------------------------------------------------

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self._tcp = transport.underlying_transport
        self._tcp.set_write_buffer_limits(high=self._limits.soft_backlog_bytes)
        self._session = self._owner.opened(self)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._closing = True
        self._drop_held()
        self._owner.closed(self)
        self._session.close()
        del (
            self._session,
            self._socket,
            self.earned,
        )  # they hold us; the garbage collector looks too rarely to leave it to it

    def close(self, code: int, reason: str) -> None:
        """Begin the close handshake, behind what is still to go out. A client that stays silent is cut."""
        if self._closing:
            return
        out = [*self._held, *self._out]
        self._drop_held()
        self._closing = True
        if out and not self._tcp.is_closing():
            self._tcp.write(b"".join(out))
        self._transport.send_close(code, reason)  # type: ignore[arg-type]  # takes any number
        if self._lags and not self._unwritable:
            self._socket.lag(False)
        self._owner.call_later(self._limits.close_timeout_s, self.abort)
        self._weigh()

    def abort(self) -> None:
        """Cut the connection."""
        if not self._transport.is_disconnected:
            self._transport.disconnect(graceful=False)

    def ping(self) -> None:
        self.ping_at_s = self._owner.now_s()
        self._transport.send_ping()

    # --- in ---------------------------------------------------------------------------------------

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        try:
            self._take(frame)
        except Exception:
            _log.exception("session_failed")
            self.close(CloseCode.INTERNAL_ERROR, "internal error")

    def _take(self, frame: WSFrame) -> None:
        kind = frame.msg_type
        if self._closing:
            if kind is WSMsgType.CLOSE:
                self._transport.disconnect()
        elif frame.rsv1 or frame.rsv2 or frame.rsv3:
            self.close(CloseCode.PROTOCOL_ERROR, "reserved bits are set")
        elif kind is WSMsgType.TEXT or kind is WSMsgType.CONTINUATION:
            self._take_text(frame, kind)
        elif kind is WSMsgType.PING:
            if self._admits_small():
                self._transport.send_pong(frame.get_payload_as_bytes())
                if self._tcp.get_write_buffer_size():
                    self._weigh()
        elif kind is WSMsgType.PONG:
            self._admits_small()
            self.pong_at_s = self._owner.now_s()
        elif kind is WSMsgType.CLOSE:
            self._answer_close(frame)
        else:
            self.close(CloseCode.UNSUPPORTED_DATA, "only text messages are read here")

    def _take_text(self, frame: WSFrame, kind: WSMsgType) -> None:
        """picows bounds a frame's size, this a message's."""
        message = frame.get_payload_as_bytes()
        if (kind is WSMsgType.TEXT) is not (self._partial is None):
            return self.close(CloseCode.PROTOCOL_ERROR, "fragments out of order")
        if self._partial is not None or not frame.fin:
            self._admits_small()
            if self._partial is None:
                self._partial = bytearray()
            self._partial += message
            self._weigh()
            if self._is_too_long(len(self._partial)):
                return None
            if not frame.fin:
                return None
            message, self._partial = bytes(self._partial), None
            self._weigh()
        elif self._is_too_long(len(message)):
            return None
        if not message.isascii() and not _is_utf8(message):
            return self.close(CloseCode.INVALID_TEXT, "not UTF-8")
        if self._session.receive(message):
            self._one_too_many()
        else:
            self._pace.refused_in_a_row = 0
        return None

    def _is_too_long(self, size: int) -> bool:
        """Whether a message of `size` bytes is, and closes the connection."""
        limits = self._limits
        if size <= limits.stranger_message_bytes and size <= limits.message_bytes:
            return False
        most = limits.message_bytes
        if not self._session.is_logged_in:
            most = min(most, limits.stranger_message_bytes)
        if size > most:
            self.close(CloseCode.MESSAGE_TOO_BIG, f"more than {most} bytes")
        return size > most

    # --- what is too much -------------------------------------------------------------------------

    def _admits_small(self) -> bool:
        """Whether one more control frame or fragment is not too many."""
        if self._pace.is_free(self._owner.now_s()) or self._session.admits():
            return True
        self._one_too_many()
        return False

    def _one_too_many(self) -> None:
        is_logged_in = self._session.is_logged_in
        if self._socket.rests or not self._pace.one_refused(self._owner.now_s(), is_logged_in=is_logged_in):
            return
        if self._pace.rests > RESTS and not is_logged_in:
            self._owner.refused(self)
            self.close(CloseCode.POLICY_VIOLATION, "too many requests")
        else:
            self._socket.rest()

    def is_exhausted(self) -> bool:
        """Whether whatever it sends would be refused."""
        return not self._closing and self._session.is_exhausted()

    def _answer_close(self, frame: WSFrame) -> None:
        """An empty close is answered with 1000, a valid code with the same."""
        code: int = CloseCode.OK
        if frame.payload_size:
            code = int.from_bytes(frame.get_payload_as_bytes()[:2], "big")
            if code not in _CODES_RECEIVED:
                code = CloseCode.PROTOCOL_ERROR
        self.close(code, "")
        self._transport.disconnect()


def _is_utf8(message: bytes) -> bool:
    try:
        message.decode()
    except UnicodeDecodeError:
        return False
    return True
