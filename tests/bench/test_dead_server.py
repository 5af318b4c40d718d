"""A server that dies or falls silent ends a measurement with an error: it is never waited for, or counted, for ever."""

import asyncio
import base64
import hashlib
import re
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest

from tests.bench import child, load, rest_load
from tests.bench.load import Script
from tests.bench.sinks import LONGEST_HEAD_BYTES, Sinks

WITHIN_S = 10.0
ACCEPTED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + (
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


@contextmanager
def server(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """One connection at a time is given to `serve`, and then closed; the port."""
    listening = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        while True:
            try:
                accepted, _ = listening.accept()
            except OSError:
                return
            with accepted:
                try:
                    serve(accepted)
                except OSError:
                    pass  # the client was faster

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(WITHIN_S)
        assert not thread.is_alive()


def say(*parts: bytes) -> Callable[[socket.socket], None]:
    """Read what comes first, say the parts, and hang up."""

    def serve(accepted: socket.socket) -> None:
        accepted.recv(65_536)
        for part in parts:
            accepted.sendall(part)

    return serve


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "parts",
    [(), (b"HTTP/1.1 101 Swit",), (b"HTTP/1.1 503 Service Unavailable\r\n\r\n",), (b"x" * LONGEST_HEAD_BYTES,) * 9],
)
def test_a_subscriber_whose_handshake_breaks_off(parts: tuple[bytes, ...]) -> None:
    with server(say(*parts)) as port, pytest.raises((RuntimeError, ConnectionError)):
        Sinks(f"ws://127.0.0.1:{port}", 3, [], b'"stream":')


@pytest.mark.timeout(30)
async def test_a_subscriber_lost_during_the_measurement() -> None:
    with server(say(ACCEPTED)) as port:
        sinks = Sinks(f"ws://127.0.0.1:{port}", 1, [], b'"stream":')
        with pytest.raises(RuntimeError, match="closed by the server"):
            async with sinks:
                await asyncio.sleep(0.2)


@pytest.mark.timeout(30)
async def test_a_rest_connection_that_is_cut() -> None:
    with server(say(b"HTTP/1.1 200 OK\r\n")) as port, pytest.raises(RuntimeError, match="closed by the server"):
        await rest_load.run(port, [[rest_load.request("/", b"{}", {})] * 3])


@asynccontextmanager
async def silent(greeting: bool) -> AsyncIterator[int]:
    """A server that reads for ever, after the WebSocket greeting if that is wanted; the port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if greeting:
            head = await reader.readuntil(b"\r\n\r\n")
            key = re.search(rb"(?i)sec-websocket-key: *(\S+)", head)
            assert key is not None
            digest = hashlib.sha1(key[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
            writer.write(ACCEPTED.replace(b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", base64.b64encode(digest)))
        await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        yield listening.sockets[0].getsockname()[1]


@pytest.mark.timeout(30)
async def test_an_answer_that_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "DRAIN_S", 0.3)
    monkeypatch.setattr(rest_load, "DRAIN_S", 0.3)
    async with silent(greeting=False) as port:
        with pytest.raises(RuntimeError, match="no answer"):
            await rest_load.run(port, [[rest_load.request("/", b"{}", {})] * 3])
    async with silent(greeting=True) as port:
        with pytest.raises(TimeoutError):
            await load.run([Script(f"ws://127.0.0.1:{port}", [b""], [b""])], 1, 0.1)


@pytest.mark.timeout(30)
def test_a_yardstick_that_does_not_start() -> None:
    with pytest.raises(RuntimeError, match="did not start"), child.running("tests.bench.frames"):
        pass
