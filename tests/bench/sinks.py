"""Subscribers that cost the load generator next to nothing: plain sockets, emptied now and then, counted in bulk."""

import asyncio
import socket
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from tests.bench.frames import client_frame

#: Often enough that no socket's buffer fills up.
EMPTY_EVERY_S: Final = 0.01
READ_BYTES: Final = 1 << 18
#: For each step of a handshake.
HANDSHAKE_TIMEOUT_S: Final = 5.0
#: A longer answer to a handshake is none.
LONGEST_HEAD_BYTES: Final = 16 * 1024
HANDSHAKE: Final = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Sinks:
    """`count` WebSocket connections that say `hello` and then only listen; `marker` is in every message once."""

    def __init__(self, url: str, count: int, hello: Sequence[bytes], marker: bytes) -> None:
        self.marker = marker
        self.messages = 0
        self.bytes = 0
        self.sockets = [_connected(url, hello) for _ in range(count)]
        self._task: asyncio.Task[None] | None = None

    def empty(self) -> None:
        """Read everything that has come; a marker split between two reads is missed, which is rare.

        Raises RuntimeError or OSError once the server has closed a subscriber.
        """
        for sink in self.sockets:
            try:
                while data := sink.recv(READ_BYTES):
                    self.bytes += len(data)
                    self.messages += data.count(self.marker)
                    if len(data) < READ_BYTES:
                        break
                else:
                    raise RuntimeError("a subscriber was closed by the server")
            except BlockingIOError:
                pass

    async def __aenter__(self) -> "Sinks":
        self._task = asyncio.create_task(self._keep_empty())
        return self

    async def __aexit__(self, *failure: object) -> None:
        assert self._task is not None
        self._task.cancel()
        # A subscriber that was lost on the way is an error, not a lower figure.
        (outcome,) = await asyncio.gather(self._task, return_exceptions=True)
        for sink in self.sockets:
            sink.close()
        if isinstance(outcome, Exception) and failure[1] is None:
            raise outcome

    async def _keep_empty(self) -> None:
        while True:
            self.empty()
            await asyncio.sleep(EMPTY_EVERY_S)


def _connected(url: str, hello: Sequence[bytes]) -> socket.socket:
    parts = urlsplit(url)
    sink = socket.create_connection((parts.hostname, parts.port or 80), timeout=HANDSHAKE_TIMEOUT_S)
    try:
        sink.sendall(HANDSHAKE.format(path=parts.path or "/", host=parts.netloc).encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            got = sink.recv(4096)
            answer += got
            if not got or len(answer) > LONGEST_HEAD_BYTES:
                raise RuntimeError(f"the server did not answer the handshake: {answer[:400]!r}")
        if b" 101 " not in answer[:20]:
            raise RuntimeError(answer.decode(errors="replace"))
        for message in hello:
            sink.sendall(client_frame(message))
    except BaseException:
        sink.close()
        raise
    sink.setblocking(False)
    return sink
