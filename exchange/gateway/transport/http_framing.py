"""Which bytes of a connection belong to the request on its way in: what is behind it isn't parsed before its turn."""

from typing import Final

from exchange.gateway.admission import GatewayLimits
from exchange.gateway.wire.errors import invalid
from exchange.values.refusals import Refusal

#: Where a body in chunks ends is seen only by parsing it: so many bytes at a time, lest requests behind it are parsed
#: too.
CHUNKED_BYTES: Final = 64
#: Bytes of a body in chunks that are not its own: sizes and ends of chunks, and fields behind the last. They cost the
#: most to parse, and chunks of some size, as clients send them, hardly have any.
CHUNKED_OVERHEAD_BYTES: Final = 8_192
#: Bytes of empty lines before a request, which some clients send after a body.
BLANK_BYTES: Final = 64

HEAD_TOO_LARGE: Final = (431, invalid("The request's head is too large"))
NO_REQUEST: Final = (400, invalid("There are empty lines where a request should begin"))
BODY_TOO_LARGE: Final = (413, invalid("Request body is too large"))

_BLANK: Final = b"\r\n"
_HEAD_END: Final = b"\r\n\r\n"
_OVERLAP: Final = len(_HEAD_END) - 1


class Framing:
    """The bytes held of one connection. The parser says when a head and when a request is complete."""

    def __init__(self, limits: GatewayLimits) -> None:
        self.held = b""
        #: Whether a request has begun that isn't complete.
        self.partial = False
        self._limits = limits
        #: Bytes of the body that are to come; -1 in chunks, None while it is the head that comes.
        self._body_left: int | None = None
        self._head_bytes = 0
        self._body_bytes = 0
        #: Of a body in chunks, what is its own of the bytes above.
        self._content_bytes = 0
        self._blank_bytes = 0
        self._tail = b""

    @property
    def size(self) -> int:
        """Bytes held, and those that are here of the request on its way in."""
        return len(self.held) + (self._head_bytes + self._body_bytes if self.partial else 0)

    @property
    def in_body(self) -> bool:
        return self._body_left is not None

    def next_piece(self) -> bytes | tuple[int, Refusal]:
        """What the parser may have next; or why the request is refused, and the status to say so with."""
        held, left = self.held, self._body_left
        if left is None:
            if not self._head_bytes and held[0] in _BLANK:
                self.partial = True
                self.held = held.lstrip(_BLANK)
                self._blank_bytes += len(held) - len(self.held)
                held = self.held
                if self._blank_bytes > BLANK_BYTES:
                    return NO_REQUEST
                if not held:
                    return b""
            end = self._head_end()
            self._head_bytes += end
            if self._head_bytes > self._limits.head_bytes:
                return HEAD_TOO_LARGE
        else:
            end = min(len(held), left if left >= 0 else CHUNKED_BYTES)
            self._body_bytes += end
            self._tail = held[:end][-_OVERLAP:]
            if left > 0:
                self._body_left = left - end
            elif left < 0 and self._overhead_bytes() > CHUNKED_OVERHEAD_BYTES:
                return BODY_TOO_LARGE
        self.partial = True
        piece, self.held = (held, b"") if end == len(held) else (held[:end], held[end:])
        return piece

    def _overhead_bytes(self) -> int:
        return self._body_bytes - min(self._content_bytes, self._limits.body_bytes)

    def content(self, size: int) -> None:
        """The parser has found so many bytes of the body itself."""
        self._content_bytes += size

    def _head_end(self) -> int:
        """Where the head ends in what is held, which may begin inside the mark of its end."""
        text = self._tail + self.held if self._tail else self.held
        at = text.find(_HEAD_END)
        if at < 0:
            self._tail = text[-_OVERLAP:]
            return len(self.held)
        end = at + len(_HEAD_END) - len(self._tail)
        self._tail = b""
        return end

    def head_complete(self, headers: list[tuple[bytes, bytes]]) -> bool:
        """Whether a body in chunks follows."""
        self._body_left = 0
        for name, value in headers:
            if name == b"content-length":
                self._body_left = int(value)
            elif name == b"transfer-encoding":
                self._body_left = -1
        return self._body_left < 0

    def request_complete(self) -> None:
        self.partial, self._body_left, self._head_bytes, self._body_bytes = False, None, 0, 0
        self._content_bytes = self._blank_bytes = 0

    def drop(self) -> None:
        self.held = b""
        self.request_complete()
