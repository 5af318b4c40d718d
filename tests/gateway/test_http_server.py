"""The HTTP port against clients that are slow, greedy or talk nonsense, over real sockets."""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from exchange.gateway.admission import GatewayLimits
from exchange.gateway.http_server import HttpServer

LIMITS = GatewayLimits(connections=5, connections_per_address=3, head_bytes=1_000, request_timeout_s=1)
REQUEST = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nbody"


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Says how long the body was."""
    message, size = await receive(), 0
    while message["type"] == "http.request":
        size += len(message["body"])
        if not message["more_body"]:
            break
        message = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"%02d" % size})


class Port:
    """The server, and raw connections to it."""

    def __init__(self, server: HttpServer, port: int) -> None:
        self.server = server
        self._port = port
        self._writers: list[asyncio.StreamWriter] = []

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers.append(writer)
        return reader, writer

    async def ask(self, data: bytes) -> bytes:
        """All that comes back for `data` until the server closes, or a second has passed without more."""
        reader, writer = await self.connect()
        writer.write(data)
        return await rest(reader)

    async def open_connections(self) -> int:
        await asyncio.sleep(0.05)
        return self.server.addresses.total()

    def close(self) -> None:
        for writer in self._writers:
            writer.close()


async def rest(reader: asyncio.StreamReader, quiet_s: float = 2.0) -> bytes:
    data = b""
    try:
        while chunk := await asyncio.wait_for(reader.read(65_536), quiet_s):
            data += chunk
    except (TimeoutError, ConnectionError):
        pass
    return data


@asynccontextmanager
async def serving() -> AsyncIterator[Port]:
    server = HttpServer(LIMITS)
    config = uvicorn.Config(
        application,
        port=0,
        http=server.protocol,  # type: ignore[arg-type]  # any callable that makes a protocol will do
        lifespan="off",
        log_config=None,
        timeout_keep_alive=1,
        timeout_graceful_shutdown=1,
    )
    running = uvicorn.Server(config)
    task = asyncio.create_task(running.serve())
    for _ in range(500):
        if running.started:
            break
        await asyncio.sleep(0.01)
    port = Port(server, running.servers[0].sockets[0].getsockname()[1])
    yield port
    port.close()
    running.should_exit = True
    await task


@pytest.fixture
async def port() -> AsyncIterator[Port]:
    async with serving() as running:
        yield running


async def test_requests_are_answered_also_when_they_come_in_one_packet(port: Port) -> None:
    answer = await port.ask(REQUEST * 3)
    assert answer.count(b"200 OK") == 3
    assert answer.count(b"04") == 3


async def test_a_connection_too_many_is_told_so_and_the_place_of_one_that_left_is_free(port: Port) -> None:
    held = [await port.connect() for _ in range(3)]
    assert await port.open_connections() == 3
    refused = await port.ask(REQUEST)
    assert b" 429 " in refused.split(b"\r\n")[0]
    assert b'"TOO_MANY_REQUESTS"' in refused
    held[0][1].close()
    assert await port.open_connections() == 2
    assert b"200 OK" in await port.ask(REQUEST)


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"POST / HT",
        b"POST / HTTP/1.1\r\nhost: x\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nbo",
    ],
    ids=["nothing", "half a line", "half a head", "half a body"],
)
async def test_a_request_that_does_not_come_is_not_waited_for(port: Port, begun: bytes) -> None:
    reader, writer = await port.connect()
    writer.write(begun)
    started = asyncio.get_running_loop().time()
    answer = await rest(reader)
    assert b" 408 " in answer
    assert b'"TIMEOUT"' in answer
    assert 0.9 < asyncio.get_running_loop().time() - started < 2
    assert await port.open_connections() == 0


async def drip(port: Port, pieces: Iterable[bytes], pause_s: float) -> bytes:
    """What comes back while `pieces` go out one by one, until the server has had enough."""
    reader, writer = await port.connect()
    answer = asyncio.create_task(rest(reader))
    for piece in pieces:
        if answer.done():
            break
        writer.write(piece)
        await asyncio.sleep(pause_s)
    return await answer


async def test_drop_by_drop_is_too_slow_too(port: Port) -> None:
    drops = (bytes([byte]) for byte in b"POST / HTTP/1.1\r\nhost: x\r\n")
    assert b" 408 " in await drip(port, drops, 0.1)


async def test_each_request_of_a_connection_has_its_own_time(port: Port) -> None:
    reader, writer = await port.connect()
    for _ in range(4):
        writer.write(REQUEST[:20])
        await asyncio.sleep(0.4)
        writer.write(REQUEST[20:])
        assert b"200 OK" in await reader.readuntil(b"04")


async def test_a_head_has_a_size(port: Port) -> None:
    lines = (b"x-%d: %b\r\n" % (number, b"y" * 50) for number in range(200))
    answer = await drip(port, itertools.chain([b"GET / HTTP/1.1\r\n"], lines), 0.005)
    assert b" 431 " in answer.split(b"\r\n")[0]
    assert await port.open_connections() == 0


@pytest.mark.parametrize(
    "noise", [b"\x16\x03\x01\x02\x00", b"hello\r\n\r\n", b"GET /\xff\xff HTTP/1.1\r\n\r\n", b"\x00" * 99]
)
async def test_nonsense_is_refused_and_not_logged(port: Port, noise: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "asyncio"):
        answer = await port.ask(noise)
    assert b" 400 " in answer.split(b"\r\n")[0]
    assert b'"INVALID_CLIENT_REQUEST"' in answer
    assert not caplog.records
    assert b"200 OK" in await port.ask(REQUEST)


async def test_half_closed_and_broken_connections_leave_nothing(port: Port) -> None:
    _, half = await port.connect()
    half.write(REQUEST[:30])
    half.write_eof()
    _, broken = await port.connect()
    broken.write(REQUEST[:30])
    await asyncio.sleep(0.05)
    broken.transport.abort()
    await asyncio.sleep(1.2)
    assert await port.open_connections() == 0
    assert not port.server.addresses
