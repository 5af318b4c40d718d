"""The HTTP port against clients that are slow, greedy or talk nonsense, over real sockets."""

import asyncio
import itertools
import logging
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from exchange.gateway.addresses import TrustedProxies
from exchange.gateway.admission import GatewayLimits
from exchange.gateway.rest.dispatch import OVER_LIMIT
from exchange.gateway.transport.http_server import READ_BYTES, REFUSED_IN_A_ROW, HttpServer

LIMITS = GatewayLimits(
    connections=5,
    connections_per_address=3,
    head_bytes=1_000,
    url_bytes=300,
    headers=20,
    body_bytes=1_000,
    request_timeout_s=1,
    arriving_bytes=40_000,
    unread_bytes=12_000_000,
    answer_timeout_s=1,
)
REQUEST = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nbody"


#: What `GET /large` answers.
LARGE = b"x" * 8_000_000


class Application:
    """Says how long the body was, or on `/client` whose request it is. `GET /held` is answered once it is let go."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.let_go = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.append(scope["path"])
        if scope["path"] == "/too-many":
            scope[OVER_LIMIT] = True
        body = await self._body(scope, receive)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})

    async def _body(self, scope: Any, receive: Any) -> bytes:
        if scope["path"] == "/held":
            await self.let_go.wait()
        elif scope["path"] == "/client":
            return bytes(scope["client"][0], "ascii")
        elif scope["path"] == "/large":
            return LARGE
        elif scope["path"] == "/headers":
            return b"%d" % len(scope["headers"])
        return b"%02d" % await size_of(receive)


async def size_of(receive: Any) -> int:
    message, size = await receive(), 0
    while message["type"] == "http.request":
        size += len(message["body"])
        if not message["more_body"]:
            break
        message = await receive()
    return size


class Port:
    """The server, and raw connections to it."""

    def __init__(self, server: HttpServer, application: Application, port: int) -> None:
        self.server = server
        self.application = application
        self._port = port
        self._writers: list[asyncio.StreamWriter] = []

    async def connect(self, address: str = "127.0.0.1") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, local_addr=(address, 0))
        self._writers.append(writer)
        return reader, writer

    async def ask(self, data: bytes) -> bytes:
        """All that comes back for `data` until the server closes, or a second has passed without more."""
        reader, writer = await self.connect()
        writer.write(data)
        return await rest(reader)

    async def open_connections(self) -> int:
        await asyncio.sleep(0.05)
        return self.server.slots.by_address.total()

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
async def serving(proxies: Iterable[str] = ()) -> AsyncIterator[Port]:
    server, application = HttpServer(LIMITS, TrustedProxies(proxies)), Application()
    config = uvicorn.Config(
        application,
        port=0,
        http=server.protocol,  # type: ignore[arg-type]  # any callable that makes a protocol will do
        lifespan="off",
        log_config=None,
        proxy_headers=False,
        date_header=False,  # a time could look like a body
        timeout_keep_alive=1,
        timeout_graceful_shutdown=1,
    )
    running = uvicorn.Server(config)
    task = asyncio.create_task(running.serve())
    for _ in range(500):
        if running.started:
            break
        await asyncio.sleep(0.01)
    port = Port(server, application, running.servers[0].sockets[0].getsockname()[1])
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


GET = b"GET /%b HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.mark.parametrize(
    "first", [GET % b"held", b"POST /held HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"]
)
async def test_what_is_sent_ahead_waits_unparsed_and_is_answered_in_its_turn(port: Port, first: bytes) -> None:
    reader, writer = await port.connect()
    writer.write(first + GET % b"" * 5_000)
    await asyncio.sleep(0.2)
    ((connection, _),) = port.server.arriving.holders()
    assert port.application.asked == ["/held"]
    assert len(connection.pipeline) <= 2  # as many as fit into one slice of a body in chunks
    assert port.server.arriving.bytes <= READ_BYTES
    port.application.let_go.set()
    answers = 0
    while answers < 5_001:
        answers += (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n00"), 5)).count(b"200 OK")
    assert port.server.arriving.bytes == 0


async def test_what_was_sent_ahead_goes_with_its_connection(port: Port) -> None:
    _, writer = await port.connect()
    writer.write(GET % b"held" + GET % b"" * 5_000)
    await asyncio.sleep(0.1)
    assert port.server.arriving.bytes > 0
    writer.transport.abort()
    port.application.let_go.set()
    await asyncio.sleep(0.1)
    assert port.server.arriving.bytes == 0
    assert len(port.application.asked) < 5_000


async def test_who_goes_on_asking_too_much_is_read_less_often(port: Port) -> None:
    _, writer = await port.connect()
    writer.write(GET % b"too-many" * 100 + GET % b"")
    await asyncio.sleep(0.3)
    assert len(port.application.asked) == REFUSED_IN_A_ROW
    await asyncio.sleep(1)
    assert len(port.application.asked) == REFUSED_IN_A_ROW + 1
    patient = await port.connect()
    for path in (b"too-many", b"too-many", b"too-many", b"too-many", b"", b"too-many", b"too-many"):
        patient[1].write(GET % path)
        assert b"200 OK" in await asyncio.wait_for(patient[0].readuntil(b"\r\n\r\n00"), 0.9)
    writer.close()


async def test_a_request_with_nonsense_behind_it_is_answered_before_the_nonsense(port: Port) -> None:
    answer = await port.ask(REQUEST + b"\x00\x00 nonsense\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b" 400 " in answer.partition(b"\r\n\r\n04")[2].split(b"\r\n")[0]
    assert port.application.asked == ["/"]


@pytest.mark.parametrize("split", [0, 1, 2, 3])
async def test_requests_may_be_cut_anywhere(port: Port, split: int) -> None:
    reader, writer = await port.connect()
    request = GET % b""
    for piece in (request[: len(request) - split], request[len(request) - split :] + request * 2):
        writer.write(piece)
        await asyncio.sleep(0.02)
    assert (await rest(reader, 0.5)).count(b"200 OK") == 3


async def test_fields_behind_a_body_in_chunks_are_no_headers(port: Port) -> None:
    chunked = b"POST /headers HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n"
    answer = await port.ask(chunked + b"x-api-key: a\r\n" * 100 + b"\r\n")
    assert answer.endswith(b"\r\n\r\n1")


@pytest.mark.parametrize(
    ("line", "taken", "too_many"),
    [(b"x:y\r\n", 1_500, 1_800), (b"1;%b\r\nx\r\n" % (b"y" * 50), 130, 200), (b"1\r\nx\r\n", 1_500, 1_800)],
    ids=["fields behind it", "extensions", "tiny chunks"],
)
async def test_what_a_body_in_chunks_has_beside_itself_is_bounded(
    port: Port, line: bytes, taken: int, too_many: int
) -> None:
    begun = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n" + (b"0\r\n" if line[0] == b"x"[0] else b"")
    ended = b"\r\n" if line[0] == b"x"[0] else b"0\r\n\r\n"
    assert b" 200 " in await port.ask(begun + line * taken + ended)
    assert b" 413 " in await port.ask(begun + line * too_many + ended)


async def test_a_body_in_chunks_may_be_as_long_as_any(port: Port) -> None:
    begun = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"
    assert b" 200 " in await port.ask(begun + (b"a\r\n" + b"x" * 10 + b"\r\n") * 100 + b"0\r\n\r\n")
    assert b" 413 " in await port.ask(begun + (b"400\r\n" + b"x" * 1_024 + b"\r\n") * 10 + b"0\r\n\r\n")


async def test_another_protocol_is_not_begun(port: Port) -> None:
    for asked in (b"CONNECT x:80 HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"):
        answer = await port.ask(asked + GET % b"")
        assert answer.count(b"HTTP/1.1 ") == 1
        assert b"connection: close" in answer or b" 400 " in answer


# --- places ----------------------------------------------------------------------------------------------


async def test_a_connection_too_many_takes_the_place_of_the_longest_silent(port: Port) -> None:
    silent = [await port.connect() for _ in range(2)]
    idle = await port.connect()
    for newer in (idle, await port.connect(), await port.connect(), idle):
        newer[1].write(REQUEST)
        assert b"200 OK" in await newer[0].readuntil(b"\r\n\r\n04")
    for reader, _ in silent:
        assert b"silent" in await rest(reader, 0.2)
    assert await port.open_connections() == 3


async def test_who_waits_for_an_answer_keeps_its_place_and_one_more_is_told_so(port: Port) -> None:
    waiting = [await port.connect() for _ in range(3)]
    for _, writer in waiting:
        writer.write(GET % b"held")
    await asyncio.sleep(0.05)
    refused = await port.ask(REQUEST)
    assert b" 429 " in refused.split(b"\r\n")[0]
    assert b'"TOO_MANY_REQUESTS"' in refused
    port.application.let_go.set()
    for reader, _ in waiting:
        assert b"200 OK" in await reader.readuntil(b"\r\n\r\n00")
    assert b"200 OK" in await port.ask(REQUEST)


async def test_when_all_places_are_taken_whoever_has_most_gives_one_up(port: Port) -> None:
    greedy = [await port.connect("127.0.0.2") for _ in range(3)]
    other = [await port.connect("127.0.0.3") for _ in range(2)]
    reader, writer = await port.connect()
    writer.write(REQUEST)
    assert b"200 OK" in await reader.readuntil(b"04")
    assert b"silent" in await rest(greedy[0][0], 0.2)
    assert port.server.slots.by_address == {"127.0.0.1": 1, "127.0.0.2": 2, "127.0.0.3": 2}
    assert not other[0][0].at_eof()


async def test_a_trusted_proxy_has_no_share_and_names_its_clients() -> None:
    async with serving(["127.0.0.9"]) as port:
        held = [await port.connect("127.0.0.9") for _ in range(5)]
        for address, named in (("127.0.0.9", b"198.51.100.7"), ("127.0.0.1", b"127.0.0.1")):
            reader, writer = await port.connect(address)
            writer.write(b"GET /client HTTP/1.1\r\nx-forwarded-for: 1.1.1.1, 198.51.100.7\r\n\r\n")
            assert named in await reader.readuntil(named)
        assert len(held) == 5


# --- bytes -----------------------------------------------------------------------------------------------


async def test_whoever_sends_most_and_completes_nothing_gives_way(port: Port) -> None:
    small, small_writer = await port.connect("127.0.0.2")
    small_writer.write(b"POST / HTTP/1.1\r\ncontent-length: 3000\r\n\r\n" + b"x" * 2_000)
    large = [await port.connect() for _ in range(2)]
    for _, writer in large:
        writer.write(b"POST / HTTP/1.1\r\ncontent-length: 900000\r\n\r\n")
    for _ in range(20):
        for _, writer in large:
            writer.write(b"x" * 1_500)
        await asyncio.sleep(0.005)
    assert port.server.arriving.bytes <= LIMITS.arriving_bytes
    assert port.server.slots.by_address == {"127.0.0.1": 1, "127.0.0.2": 1}
    small_writer.write(b"x" * 1_000)
    assert (await small.readuntil(b"3000")).startswith(b"HTTP/1.1 200 OK")


async def test_answers_left_unread_are_bounded_in_sum_and_in_time(port: Port) -> None:
    held = [await port.connect(f"127.0.0.{2 + number}") for number in range(4)]
    for reader, writer in held:
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        writer.write(GET % b"large" * 4)
    most = 0
    for _ in range(30):
        await asyncio.sleep(0.01)
        most = max(most, port.server.unread.bytes)
    assert 0 < most <= LIMITS.unread_bytes + len(LARGE)
    assert await port.open_connections() < 4
    assert b"200 OK" in await port.ask(REQUEST)
    await asyncio.sleep(1)
    assert port.server.unread.bytes == 0
    assert await port.open_connections() == 0


async def test_who_gives_way_with_an_answer_unread_keeps_nothing(port: Port) -> None:
    reader, writer = await port.connect()
    reader._transport.pause_reading()  # type: ignore[attr-defined]
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    writer.write(GET % b"large")
    await asyncio.sleep(0.1)
    ((victim, _),) = port.server.unread.holders()
    for _ in range(3):
        newer = await port.connect()
        newer[1].write(REQUEST)
        assert b"200 OK" in await newer[0].readuntil(b"\r\n\r\n04")
    assert port.server.unread.bytes == 0
    assert victim.transport.get_write_buffer_size() == 0


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
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nx: %b\r\n\r\n" % (b"y" * 1_000), b" 431 "),
        (b"GET / HTTP/1.1\r\n%b\r\n" % (b"x: y\r\n" * 21), b" 431 "),
        (b"GET /%b HTTP/1.1\r\n\r\n" % (b"x" * 301), b" 414 "),
        (b"\r\n" * 33 + GET % b"", b" 400 "),
    ],
    ids=["bytes", "headers", "url", "empty lines"],
)
async def test_a_head_has_its_size_also_in_one_write(port: Port, request_: bytes, status: bytes) -> None:
    for before in (b"", REQUEST):
        answer = await port.ask(before + request_)
        assert status in answer.rpartition(b"HTTP/1.1")[2].split(b"\r\n")[0]
    assert set(port.application.asked) <= {"/"}
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
    assert not port.server.slots.by_address
