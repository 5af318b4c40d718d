"""The WebSocket server as an independent client library, and raw sockets, see it."""

import asyncio
import contextlib
import gc
import json
import logging
import socket
import weakref
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
import structlog.testing
import uvicorn
import uvloop
import websockets
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from exchange.gateway.addresses import TrustedProxies
from exchange.gateway.admission import GatewayLimits
from exchange.gateway.session.limits import WsLimits
from exchange.gateway.session.session import Session
from exchange.gateway.transport import ws_protocol, ws_server
from exchange.gateway.transport.http_server import HttpServer
from exchange.gateway.transport.ws_connection import Connection
from exchange.gateway.transport.ws_pace import RESTS
from exchange.gateway.transport.ws_server import WsServer
from tests.gateway.live_venue import LiveVenue, Trader
from tests.gateway.raw_client import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, UPGRADE, RawClient, frame, upgrade

TIMEOUT_S = 5.0
ORDER = {"symbol": "SOL_USDC", "side": "Bid", "orderType": "Limit", "price": "99.5", "quantity": "1.5", "clientId": 7}


class Running:
    """A venue behind a WebSocket server on a free port."""

    def __init__(self, proxies: Sequence[str] = (), requests: GatewayLimits | None = None, **limits: Any) -> None:
        self.venue = LiveVenue()
        self.server = WsServer(self.venue.services(WsLimits(**limits), requests, proxies=TrustedProxies(proxies)))
        self.port = 0

    async def __aenter__(self) -> "Running":
        bound = socket.socket()
        bound.bind(("127.0.0.1", 0))
        self.port = bound.getsockname()[1]
        await self.server.listen(bound)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.wait_for(self.server.close(), TIMEOUT_S)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def login(self, trader: Trader) -> str:
        """The text of a login frame."""
        key, signature, timestamp, window = trader.signature("sessionLogin", self.venue.exchange.now_us() // 1000)
        params = {"apiKey": key, "signature": signature, "timestamp": timestamp, "window": window}
        return json.dumps({"id": 0, "method": "session.login", "params": params})


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with Running() as one:
        yield one


async def ask(client: websockets.ClientConnection, text: str) -> Any:
    await client.send(text)
    return json.loads(await asyncio.wait_for(client.recv(), TIMEOUT_S))


async def call(client: websockets.ClientConnection, method: str, params: Any, request_id: int = 1) -> Any:
    return await ask(client, json.dumps({"id": request_id, "method": method, "params": params}))


def metric(running: Running, name: str, **labels: str) -> float:
    registry = CollectorRegistry()
    registry.register(running.server)
    value = registry.get_sample_value(name, labels)
    assert value is not None
    return value


async def eventually(holds: Callable[[], bool]) -> None:
    for _ in range(500):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came about")


# --- trading ---------------------------------------------------------------------------------------


async def test_an_order_is_placed_found_and_cancelled(running: Running) -> None:
    async with websockets.connect(running.url) as client:
        assert (await ask(client, running.login(running.venue.trader())))["status"] == 200
        placed = await call(client, "order.place", ORDER, 2)
        assert (placed["id"], placed["status"], placed["result"]["status"]) == (2, 200, "New")
        found = await call(client, "order.query", {"symbol": "SOL_USDC", "clientId": 7}, 3)
        assert found == {"id": 3, "status": 200, "result": placed["result"]}
        gone = await call(client, "order.cancel", {"symbol": "SOL_USDC", "orderId": placed["result"]["id"]}, 4)
        assert gone["result"] == placed["result"] | {"status": "Cancelled"}


async def test_replies_to_many_requests_in_one_packet_all_arrive(running: Running) -> None:
    """Also when a ping is the last thing in the packet."""
    client = await RawClient.connect(running.port)
    client.send(frame(TEXT, running.login(running.venue.trader()).encode()))
    await client.receive()
    orders = [{"id": number, "method": "order.place", "params": ORDER | {"clientId": number}} for number in range(32)]
    client.send(*(frame(TEXT, json.dumps(order).encode()) for order in orders), frame(PING, b"last"))
    received = [await client.receive() for _ in range(33)]
    assert [one.payload for one in received if one.opcode == PONG] == [b"last"]
    assert [json.loads(one.payload)["id"] for one in received if one.opcode == TEXT] == list(range(32))
    await client.close()


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_both_ports_have_the_same_session(
    new_loop: Callable[[], asyncio.AbstractEventLoop], caplog: pytest.LogCaptureFixture
) -> None:
    """uvicorn hands connections that ask for an upgrade over, at / and at /ws; HTTP goes on beside them."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(_serve_on_http())
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@contextlib.asynccontextmanager
async def on_http(running: Running) -> AsyncIterator[int]:
    """The server of `running` behind an HTTP port as well, which is returned."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    bound = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        ws=running.server.upgraded,  # type: ignore[arg-type]
        http=HttpServer(GatewayLimits()).protocol,  # type: ignore[arg-type]
        lifespan="off",
        log_config=None,
    )
    http = uvicorn.Server(config)
    serving = asyncio.create_task(http.serve(sockets=[bound]))
    try:
        yield bound.getsockname()[1]
    finally:
        http.should_exit = True
        await serving


async def _serve_on_http() -> None:
    running = Running()
    async with on_http(running) as port:
        for path in ("", "/", "/ws", "/ws?x=1"):
            async with websockets.connect(f"ws://127.0.0.1:{port}{path}") as client:
                assert (await ask(client, running.login(running.venue.trader())))["status"] == 200
                long = ORDER | {"clientId": 1, "unknown": "x" * 40_000}
                assert (await call(client, "order.place", long))["status"] == 200
        trading = socket.create_server(("127.0.0.1", 0))
        await running.server.listen(trading)
        for each in (port, trading.getsockname()[1]):
            await _frames_behind_the_upgrade_are_answered(each)
        with pytest.raises(websockets.InvalidStatus):
            await websockets.connect(f"ws://127.0.0.1:{port}/elsewhere")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(upgrade(b"/ws?" + b"x" * 10_000))
        answer = await asyncio.wait_for(reader.read(), TIMEOUT_S)
        assert answer.startswith(b"HTTP/1.1 414 ")
        assert answer.count(b"HTTP/1.1 ") == 1
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /anything HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await asyncio.wait_for(reader.read(), TIMEOUT_S)).endswith(b"ok")
        writer.close()
        client = await websockets.connect(f"ws://127.0.0.1:{port}/ws")
        await running.server.close()
        with pytest.raises(websockets.ConnectionClosed):
            await asyncio.wait_for(client.recv(), TIMEOUT_S)
        assert client.close_code == 1001


async def _frames_behind_the_upgrade_are_answered(port: int) -> None:
    """In the same segment; what is no frame closes the connection."""
    for sent, opcode in (
        (frame(TEXT, b'{"method":"SUBSCRIBE","params":["status"]}'), TEXT),
        (frame(PING, b"?") * 100 + frame(TEXT, b"{" + b" " * 10_000), PONG),
        (b"GET / HTTP/1.1\r\n\r\n", CLOSE),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(upgrade(b"/ws") + sent)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), TIMEOUT_S)
        assert head.startswith(b"HTTP/1.1 101 ")
        client = RawClient(reader, writer)
        assert (await client.receive()).opcode == opcode
        if opcode == PONG:
            for _ in range(99):
                assert (await client.receive()).opcode == PONG
            assert json.loads((await client.receive()).payload)["error"]["code"] == 4002
        await client.close()


async def test_a_connection_that_breaks_takes_an_armed_sessions_orders_with_it(running: Running) -> None:
    client = await RawClient.connect(running.port)
    client.send(frame(TEXT, running.login(running.venue.trader()).encode()))
    await client.receive()
    client.send(frame(TEXT, b'{"id":1,"method":"session.cancelOnDisconnect","params":{"armed":true}}'))
    await client.receive()
    client.send(frame(TEXT, json.dumps({"id": 2, "method": "order.place", "params": ORDER}).encode()))
    assert json.loads((await client.receive()).payload)["status"] == 200
    assert running.venue.core.state.orders
    client.writer.transport.abort()
    await eventually(lambda: not running.venue.core.state.orders)


# --- frames that aren't as they should be -------------------------------------------------------------


async def closes_with(client: RawClient, code: int) -> None:
    received = await client.receive_close()
    assert received.close_code == code, received
    client.send(frame(CLOSE, code.to_bytes(2, "big")))
    await client.ended()
    await client.close()


@pytest.mark.parametrize(
    ("code", "sent"),
    [
        pytest.param(1002, frame(TEXT, b"{}", masked=False), id="unmasked"),
        pytest.param(1002, frame(3, b"{}"), id="unknown opcode"),
        pytest.param(1002, frame(TEXT, b"{}", reserved=4), id="first reserved bit"),
        pytest.param(1002, frame(TEXT, b"{}", reserved=2), id="second reserved bit"),
        pytest.param(1002, frame(TEXT, b"{}", reserved=1), id="third reserved bit"),
        pytest.param(1002, frame(PING, b"", reserved=4), id="reserved bit on a ping"),
        pytest.param(1002, frame(PING, b"x" * 126), id="long ping"),
        pytest.param(1002, frame(PING, b"x", fin=False), id="fragmented ping"),
        pytest.param(1002, frame(CONTINUATION, b"{}"), id="continues nothing"),
        pytest.param(1002, frame(TEXT, b"{", fin=False) + frame(TEXT, b"}"), id="a message inside a message"),
        pytest.param(1003, frame(BINARY, b"{}"), id="binary"),
        pytest.param(1007, frame(TEXT, b'{"x":"\xff"}'), id="not UTF-8"),
        pytest.param(
            1007, frame(TEXT, b'{"x":"\xc3', fin=False) + frame(CONTINUATION, b'"}'), id="not UTF-8 in fragments"
        ),
        pytest.param(1009, frame(TEXT, b"x" * 5_001), id="too large"),
        pytest.param(
            1009, frame(TEXT, b"x" * 3_000, fin=False) + frame(CONTINUATION, b"x" * 3_000), id="too large in fragments"
        ),
        pytest.param(1002, frame(CLOSE, b"x"), id="half a close code"),
        pytest.param(1002, frame(CLOSE, (0).to_bytes(2, "big")), id="close code 0"),
        pytest.param(1002, frame(CLOSE, (1005).to_bytes(2, "big")), id="close code 1005"),
        pytest.param(1002, frame(CLOSE, (1006).to_bytes(2, "big")), id="close code 1006"),
        pytest.param(1002, frame(CLOSE, (5000).to_bytes(2, "big")), id="close code 5000"),
        pytest.param(1007, frame(CLOSE, b"\x03\xe8\xff"), id="close reason not UTF-8"),
    ],
)
async def test_a_broken_frame_closes_the_connection_with_its_code(code: int, sent: bytes) -> None:
    async with Running(message_bytes=5_000) as running:
        client = await RawClient.connect(running.port)
        client.send(sent)
        await closes_with(client, code)


@pytest.mark.parametrize(("payload", "code"), [(b"", 1000), (b"\x03\xe8bye", 1000), (b"\x0f\xa0", 4000)])
async def test_a_close_is_answered(running: Running, payload: bytes, code: int) -> None:
    client = await RawClient.connect(running.port)
    client.send(frame(CLOSE, payload))
    assert (await client.receive_close()).close_code == code
    await client.ended()
    await client.close()


async def test_answers_go_out_before_the_close(running: Running) -> None:
    client = await RawClient.connect(running.port)
    client.send(frame(TEXT, b'{"id":5,"method":"order.place","params":{}}'), frame(CLOSE))
    assert json.loads((await client.receive()).payload)["id"] == 5
    assert (await client.receive()).opcode == CLOSE
    await client.close()


async def test_fragments_and_pings_between_them_make_one_message(running: Running) -> None:
    client = await RawClient.connect(running.port)
    parts = (b'{"id":"', "é".encode()[:1], "é".encode()[1:], b"", b'","method":"order.pl', b'ace","params":{}}')
    for number, part in enumerate(parts):
        opcode = CONTINUATION if number else TEXT
        client.send(frame(opcode, part, fin=number == len(parts) - 1), frame(PING, b"%d" % number))
    received = [await client.receive() for _ in range(len(parts) + 1)]
    assert [json.loads(one.payload)["id"] for one in received if one.opcode == TEXT] == ["é"]
    assert sum(one.opcode == PONG for one in received) == len(parts)
    await client.close()


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.integers(1, 40), st.integers(1, 60))
def test_a_message_reads_the_same_however_it_is_cut(text: bytes, fragment_bytes: int, packet_bytes: int) -> None:
    """Into fragments, and into packets that end anywhere."""
    message = json.dumps({"id": text.hex(), "method": "order.place", "params": {}}).encode()
    parts = [message[at : at + fragment_bytes] for at in range(0, len(message), fragment_bytes)]
    sent = b"".join(
        frame(CONTINUATION if number else TEXT, part, fin=number == len(parts) - 1) for number, part in enumerate(parts)
    )

    async def run() -> None:
        async with Running() as running:
            client = await RawClient.connect(running.port)
            for at in range(0, len(sent), packet_bytes):
                client.send(sent[at : at + packet_bytes])
                await asyncio.sleep(0)
            assert json.loads((await client.receive()).payload)["id"] == text.hex()
            await client.close()

    asyncio.run(run())


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=400) | st.builds(frame, st.integers(0, 15), st.binary(max_size=200)), max_size=6))
def test_no_bytes_do_harm(packets: list[bytes]) -> None:
    """Whatever one client sends, the connection answers properly or ends, and another client is served."""

    async def run() -> None:
        async with Running(close_timeout_s=0.05) as running:
            client = await RawClient.connect(running.port)
            for packet in packets:
                client.send(packet)
                await asyncio.sleep(0)
            with contextlib.suppress(OSError):
                client.writer.write_eof()
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    received = await client.receive()
                    assert received.opcode in (TEXT, PONG, CLOSE)
            await client.close()
            async with websockets.connect(running.url) as other:
                assert (await ask(other, running.login(running.venue.trader())))["status"] == 200

    asyncio.run(run())


# --- clients that don't read, don't answer, or are too many --------------------------------------------

SMALL: dict[str, Any] = {"soft_backlog_bytes": 65_536, "hard_backlog_bytes": 262_144}
#: What the kernel itself may hold between the two ends.
KERNEL_BYTES = 8 * 2**20


def backlog_bytes(connection: Connection) -> int:
    return connection._transport.underlying_transport.get_write_buffer_size()


async def fill(connection: Connection) -> None:
    """Send until the client's and the kernel's buffers are full, and ours begin to be."""
    for _ in range(KERNEL_BYTES // 10_000):
        connection.send(b"%010d" % 0 * 1_000)
        await asyncio.sleep(0)
        if backlog_bytes(connection):
            return
    raise AssertionError("the kernel took it all")


async def test_a_client_that_never_reads_its_answers_is_not_read_from() -> None:
    async with Running(**SMALL) as running:
        client = await RawClient.connect(running.port)
        [connection] = running.server.connections
        request = frame(TEXT, b'{"id":"%b","method":"no.such","params":{}}' % (b"x" * 4_000))
        sent = 0
        while connection._transport.underlying_transport.is_reading():
            assert sent * 4_000 < KERNEL_BYTES
            client.send(request * 10)
            sent += 10
            await asyncio.sleep(0.001)
        client.send(request * 100)
        await asyncio.sleep(0.1)
        assert 0 < backlog_bytes(connection) < 2 * 65_536
        # It is served again once it reads, and nothing is lost.
        for _ in range(sent + 100):
            assert (await client.receive()).opcode == TEXT
        await client.close()


async def test_a_client_that_leaves_too_much_unread_is_dropped() -> None:
    async with Running(**SMALL, close_timeout_s=0.1) as running:
        client = await RawClient.connect(running.port)
        [connection] = running.server.connections
        for _ in range(KERNEL_BYTES // 10_000):
            connection.send(b"x" * 10_000)
            await asyncio.sleep(0)
            assert backlog_bytes(connection) < 262_144 + 65_536
        await asyncio.sleep(0.2)
        assert not running.server.connections
        client.writer.transport.abort()


async def test_who_lags_gets_everything_in_order_once_it_reads() -> None:
    async with Running(soft_backlog_bytes=20_000, close_timeout_s=60) as running:
        client = await RawClient.connect(running.port, limit=1_000)
        [connection] = running.server.connections
        await fill(connection)
        for number in range(3_000):
            connection.send(b"%05d" % number * 100)
            if not number % 100:
                await asyncio.sleep(0)
        assert connection._held, "they wait as they are, not in the transport"
        assert backlog_bytes(connection) < 80_000
        while len(received := (await client.receive()).payload) == 10_000:
            pass
        assert received == b"%05d" % 0 * 100
        for number in range(1, 2_000):
            assert (await client.receive()).payload == b"%05d" % number * 100
        connection.close(1001, "")
        for number in range(2_000, 3_000):
            assert (await client.receive()).payload == b"%05d" % number * 100
        assert (await client.receive()).close_code == 1001
        client.send(frame(CLOSE, b"\x03\xe9"))
        await eventually(lambda: not running.server.connections)
        await client.close()


FEW: dict[str, Any] = {"soft_backlog_bytes": 16_384, "kernel_backlog_bytes": 16_384, "backlog_bytes_total": 400_000}


async def test_unread_bytes_are_bounded_in_sum_and_who_leaves_most_goes_first() -> None:
    """Who reads is left alone, whatever others do."""
    async with Running(**FEW, close_timeout_s=0.1) as running:
        slow = [await RawClient.connect(running.port, limit=1_000) for _ in range(6)]
        *light, heavy = list(running.server.connections)
        reading = await RawClient.connect(running.port)
        [read] = running.server.connections.keys() - {*light, heavy}
        dropped: list[Connection] = []
        for number in range(KERNEL_BYTES // 10_000):
            for connection in (*light, heavy, heavy, read):
                connection.send(b"%05d" % number * 1_000)
            for _ in range(3):
                await asyncio.sleep(0)
            assert running.server._backlog.bytes <= 400_000 + 8 * 5_000
            assert (await reading.receive()).payload == b"%05d" % number * 1_000
            dropped += [one for one in (*light, heavy) if one._closing and one not in dropped]
            if len(dropped) > 3:
                break
        assert dropped[0] is heavy
        assert metric(running, "exchange_ws_cut_total", why="unread") == len(dropped)
        assert 0 < metric(running, "exchange_ws_backlog_bytes") <= 400_000 + 8 * 5_000
        assert len(dropped) > 3
        await eventually(lambda: not running.server.connections.keys() & set(dropped))
        assert await served(reading)
        for client in (*slow, reading):
            await client.close()
        await eventually(lambda: not running.server._backlog.bytes)


FEW_REQUESTS = GatewayLimits(public_requests_per_minute=20)
SMALL_FRAMES = [frame(PING, b"?"), frame(PONG), frame(CONTINUATION, b"", fin=False)]
NO_SESSION = b'{"id":1,"method":"order.place","params":{"symbol":"SOL_USDC"}}'
ANY_FRAMES = [
    *SMALL_FRAMES,
    frame(TEXT, b"{"),
    frame(TEXT, NO_SESSION),
    frame(TEXT, b'{"method":"SUBSCRIBE","params":["status","no.such"]}'),
]


@pytest.mark.parametrize("sent", ANY_FRAMES)
async def test_who_goes_on_after_it_was_refused_is_not_read_for_a_while_and_then_closed(
    sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ws_protocol, "REST_S", 0.05)
    monkeypatch.setattr(Session, "is_exhausted", lambda _: False)  # as if its address had some left again
    async with Running(requests=FEW_REQUESTS, control_frames_per_minute=10) as running:
        client, honest = await RawClient.connect(running.port), await earning(running)
        [connection, _] = running.server.connections
        start = frame(TEXT, b"", fin=False) if sent == frame(CONTINUATION, b"", fin=False) else b""
        client.send(start + sent * 40)
        await eventually(lambda: connection._pace.rests == 1)
        assert not connection._transport.underlying_transport.is_reading()
        assert await served(honest), "who sends nothing is read as ever"
        for _ in range(RESTS):
            client.send(sent * 400)
        assert (await client.receive_close()).close_code == 1008
        assert metric(running, "exchange_ws_cut_total", why="refused") == 1
        await client.close()
        await honest.close()


async def test_nothing_is_read_while_the_address_may_send_no_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ws_protocol, "REST_S", 0.01)
    async with Running(requests=FEW_REQUESTS) as running:
        client = await RawClient.connect(running.port)
        [connection] = running.server.connections
        client.send(frame(TEXT, b"{") * 1_000)
        await eventually(lambda: connection._pace.rests == 1)
        await asyncio.sleep(0.2)
        assert connection._pace.rests == 1, "it would have been refused, and so rested, again"
        client.writer.transport.abort()


async def test_a_session_that_asks_too_much_rests_and_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ws_protocol, "REST_S", 0.02)
    async with Running(requests=GatewayLimits(requests_per_minute=3), session_refused_in_a_row=4) as running:
        client = await RawClient.connect(running.port)
        [connection] = running.server.connections
        client.send(frame(TEXT, running.login(running.venue.trader()).encode()))
        placed = [
            frame(TEXT, json.dumps({"id": n, "method": "order.place", "params": ORDER}).encode()) for n in range(400)
        ]
        client.send(*placed)
        statuses = [json.loads((await client.receive()).payload)["status"] for _ in range(401)]
        assert statuses[0] == 200
        assert statuses.count(429) == 397
        assert connection._pace.rests > RESTS
        await client.close()


async def test_a_message_may_be_longer_once_somebody_has_logged_in(running: Running) -> None:
    stranger, trader = [await RawClient.connect(running.port) for _ in range(2)]
    trader.send(frame(TEXT, running.login(running.venue.trader()).encode()))
    assert json.loads((await trader.receive()).payload)["status"] == 200
    for client in (stranger, trader):
        client.send(frame(TEXT, b"{" + b" " * 17_000))
    assert (await stranger.receive_close()).close_code == 1009
    assert json.loads((await trader.receive()).payload)["error"]["code"] == 4002
    await stranger.close()
    await trader.close()


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_flood_takes_no_more_than_its_share_of_a_turn(
    new_loop: Callable[[], asyncio.AbstractEventLoop], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything a hundred connections send is answered, in many turns between which others have theirs."""
    monkeypatch.setattr(ws_server, "STRANGERS_TURN_S", 0.0005)

    async def flood() -> None:
        async with Running(requests=GatewayLimits(public_requests_per_minute=1_000_000)) as running:
            clients = [await RawClient.connect(running.port) for _ in range(50)]
            for client in clients:
                client.send(frame(TEXT, b'{"method":"SUBSCRIBE","params":["no such"]}') * 100)
            turns = 0
            answered = asyncio.gather(*[client.receive() for client in clients])
            while not answered.done():
                await asyncio.sleep(0)
                turns += 1
            assert turns > 4
            for client in clients:
                for _ in range(99):
                    assert (await client.receive()).opcode == TEXT
                await client.close()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(flood())


@pytest.mark.parametrize("fragments", [False, True])
async def test_messages_that_never_end_are_bounded_in_sum(fragments: bool) -> None:
    async with Running(backlog_bytes_total=300_000, close_timeout_s=0.1) as running:
        kept = await earning(running)
        parts = [frame(TEXT, b"x" * 20_000, fin=False), *[frame(CONTINUATION, b"x" * 20_000, fin=False)] * 2]
        unended = b"".join(parts) if fragments else frame(TEXT, b"x" * 60_000)[:-1]
        clients = [await RawClient.connect(running.port) for _ in range(20)]
        for client in clients:
            client.send(unended)
        await eventually(lambda: len(running.server.connections) < 15)
        assert running.server._backlog.bytes <= 300_000
        assert await served(kept)
        for client in (*clients, kept):
            await client.close()
        await eventually(lambda: not running.server._backlog.bytes)


async def test_a_connection_that_is_gone_leaves_nothing_behind() -> None:
    """Not even until the garbage collector looks, which it rarely does."""
    async with Running() as running:
        running.venue.trader()
        gc.collect()
        gc.disable()
        try:
            client = await earning(running)
            client.send(frame(TEXT, running.login(running.venue.trader()).encode()))
            assert json.loads((await client.receive()).payload)["status"] == 200
            [connection] = [weakref.ref(one) for one in running.server.connections]
            await client.close()
            await eventually(lambda: connection() is None)
        finally:
            gc.enable()


def test_sockets_leave_nothing_behind_on_either_port_whatever_they_had_sent() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_sockets_leave_nothing())


def sockets() -> list[asyncio.BaseProtocol]:
    """Those of the gateway's that are in memory."""
    every = [each for each in gc.get_objects() if isinstance(each, asyncio.BaseProtocol)]
    return [each for each in every if type(each).__module__.startswith("exchange.gateway.")]


async def _sockets_leave_nothing() -> None:
    async with Running() as running, on_http(running) as port:
        gc.collect()
        gc.disable()
        try:
            get = b"GET / HTTP/1.1\r\nHost: x\r\n"
            body = b"POST / HTTP/1.1\r\nHost: x\r\ncontent-length: 9\r\n\r\n"
            for sent in (
                b"",
                get,
                get + b"\r\n",
                body,
                body + b"half",
                body + b"the whole",
                upgrade(b"/ws"),
                b"\0" * 9,
            ):
                for number in (port, running.port):
                    _, writer = await asyncio.open_connection("127.0.0.1", number)
                    writer.write(sent)
                    await asyncio.sleep(0.01)
                    writer.transport.abort()
            for _ in range(100):
                if not sockets():
                    break
                await asyncio.sleep(0.02)
            assert not sockets()
        finally:
            gc.enable()


async def test_a_slow_reader_gets_the_newest_frame_of_a_conflated_stream() -> None:
    async with Running(soft_backlog_bytes=1_000) as running:
        client = await RawClient.connect(running.port)
        [connection] = running.server.connections
        await fill(connection)
        for number in range(1_000):
            connection.send_latest("bookTicker.SOL_USDC", b"%d" % number)
            connection.send_latest("ticker.SOL_USDC", b"%d" % -number)
        before = connection.weigh_again()
        connection.send_latest("status", b"-999" * 1_000)
        assert connection.weigh_again() == before + 4_000, "what waits to be the newest is held too"
        connection.send_latest("status", b"999")
        while len(received := (await client.receive()).payload) == 10_000:
            pass
        assert {received, (await client.receive()).payload, (await client.receive()).payload} == {b"999", b"-999"}
        connection.send_latest("bookTicker.SOL_USDC", b"at once")
        assert (await client.receive()).payload == b"at once"
        await client.close()


async def test_a_long_fan_out_is_written_in_slices_and_reaches_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ws_server, "FLUSHES_PER_TURN", 2)
    async with Running() as running:
        clients = [await RawClient.connect(running.port) for _ in range(5)]
        connections = list(running.server.connections)
        written: list[int] = []
        flush = Connection.flush

        def noted(connection: Connection) -> None:
            written.append(connections.index(connection))
            flush(connection)

        monkeypatch.setattr(Connection, "flush", noted)
        for connection in connections:
            connection.send(b"first")
        await asyncio.sleep(0)
        assert written == [0, 1]  # others have their turn here
        for connection in connections:
            connection.send(b"second")
        for client in clients:
            assert [(await client.receive()).payload for _ in range(2)] == [b"first", b"second"]
        assert written == [0, 1, 2, 3, 4, 0, 1]  # what gathered left in one write
        for client in clients:
            await client.close()


async def test_the_slices_of_a_very_long_fan_out_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or what gathers until a connection's turn comes would have no bound."""
    monkeypatch.setattr(ws_server, "FLUSHES_PER_TURN", 1)
    monkeypatch.setattr(ws_server, "TURNS_PER_ROUND", 2)
    async with Running() as running:
        clients = [await RawClient.connect(running.port) for _ in range(8)]
        for connection in running.server.connections:
            connection.send(b"hello")
        await asyncio.sleep(0)
        assert len(running.server._to_flush) == 4
        for client in clients:
            assert (await client.receive()).payload == b"hello"
            await client.close()


async def test_a_socket_whose_other_end_is_gone_is_dropped() -> None:
    async with Running(ping_interval_s=0.1, pong_timeout_s=0.5) as running:
        silent = await RawClient.connect(running.port)
        async with websockets.connect(running.url, ping_interval=None) as alive:
            await silent.ended()
            await asyncio.sleep(0.5)
            assert len(running.server.connections) == 1
            await (await alive.ping())
        await silent.close()


SUBSCRIBE = frame(TEXT, b'{"method":"SUBSCRIBE","params":["status"]}')


async def earning(running: Running, forwarded_for: str = "") -> RawClient:
    """A connection that has earned its place."""
    client = await RawClient.connect(running.port, forwarded_for=forwarded_for)
    client.send(SUBSCRIBE)
    assert b'"status"' in (await client.receive()).payload
    return client


async def refused(running: Running, forwarded_for: str = "") -> int:
    """The status that an upgrade is refused with."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    writer.write(upgrade(forwarded_for=forwarded_for))
    answer = await asyncio.wait_for(reader.read(), TIMEOUT_S)
    writer.close()
    return int(answer.split()[1])


async def served(client: RawClient) -> bool:
    client.send(frame(PING, b"there?"))
    return (await client.receive()).payload == b"there?"


@pytest.mark.parametrize(("limit", "status"), [("connections", 503), ("connections_per_address", 429)])
async def test_a_full_server_lets_go_of_who_has_shown_nothing_the_longest_first(limit: str, status: int) -> None:
    """Neither login nor subscription: sockets that only take places keep nobody out."""
    limits: dict[str, Any] = {limit: 3}
    async with Running(**limits) as running:
        kept = [await earning(running)]
        silent = [await RawClient.connect(running.port) for _ in range(2)]
        silent[0].send(
            frame(PING, b"x"), frame(TEXT, b"nonsense"), frame(TEXT, b'{"method":"UNSUBSCRIBE","params":[]}')
        )
        kept.append(await earning(running))
        await silent[0].ended()
        assert await served(silent[1])
        assert metric(running, "exchange_ws_cut_total", why="silent") == 1
        login = await RawClient.connect(running.port)
        await silent[1].ended()
        login.send(frame(TEXT, running.login(running.venue.trader()).encode()))
        assert json.loads((await login.receive()).payload)["status"] == 200
        kept.append(login)
        assert await refused(running) == status
        assert [await served(client) for client in kept] == [True] * 3
        await kept.pop().close()
        await eventually(lambda: len(running.server.connections) == 2)
        kept.append(await earning(running))
        for client in (*kept, *silent):
            await client.close()


async def test_an_address_that_takes_many_places_loses_them_first() -> None:
    async with Running(proxies=["127.0.0.1"], connections=4) as running:
        few = await RawClient.connect(running.port, forwarded_for="192.0.2.1")
        many = [await RawClient.connect(running.port, forwarded_for="192.0.2.2") for _ in range(3)]
        late = await earning(running, "192.0.2.3")
        await many[0].ended()
        assert await served(few)
        for client in (few, late, *many):
            await client.close()


async def test_behind_a_trusted_proxy_each_client_has_its_own_share() -> None:
    async with Running(proxies=["127.0.0.1"], connections_per_address=1, handshakes_per_address=1) as running:
        clients = [await earning(running, f"192.0.2.{host}") for host in range(4)]
        assert await refused(running, "192.0.2.3") == 429
        assert await refused(running, "192.0.2.9, 192.0.2.3") == 429, "the last hop is what the proxy has seen"
        for client in clients:
            await client.close()
    async with Running(connections_per_address=1) as running:
        client = await earning(running, "192.0.2.1")
        assert await refused(running, "192.0.2.2") == 429, "who isn't trusted names nobody"
        await client.close()


@pytest.mark.parametrize("limit", ["handshakes", "handshakes_per_address"])
async def test_sockets_that_never_ask_for_an_upgrade_keep_nobody_out(limit: str) -> None:
    limits: dict[str, Any] = {limit: 3, "handshake_timeout_s": 60}
    async with Running(**limits) as running:
        idle = [await asyncio.open_connection("127.0.0.1", running.port) for _ in range(3)]
        idle[0][1].write(b"GET / HTTP/1.1\r\n")
        for number in range(3):
            late = await RawClient.connect(running.port)
            assert await asyncio.wait_for(gone(idle[0][0]), TIMEOUT_S)
            assert number or not idle[1][0].at_eof()
            await late.close()
        for _, writer in idle:
            writer.close()


async def gone(reader: asyncio.StreamReader) -> bool:
    """Return once the server has closed the socket."""
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""
    return True


async def test_a_socket_has_a_time_to_ask_for_its_upgrade() -> None:
    async with Running(handshake_timeout_s=0.2) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        assert await asyncio.wait_for(gone(reader), TIMEOUT_S)
        writer.close()


async def test_who_shared_an_address_gives_its_subscriptions_back() -> None:
    async with Running(subscriptions_per_address=2) as running:
        first, second = await earning(running), await earning(running)
        third = await RawClient.connect(running.port)
        third.send(SUBSCRIBE)
        assert json.loads((await third.receive()).payload)["error"]["code"] == 4030
        await first.close()
        await eventually(lambda: len(running.server.connections) == 2)
        third.send(SUBSCRIBE)
        assert b'"stream":"status"' in (await third.receive()).payload
        await second.close()
        await third.close()


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        UPGRADE.replace(b"Version: 13", b"Version: 8") % b"/",
        UPGRADE.replace(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", b"") % b"/",
        b"GET / HTTP/1.1\r\n" + b"X-Pad: " + b"x" * 40_000 + b"\r\n\r\n",
    ],
)
async def test_what_is_no_upgrade_is_refused(running: Running, request_bytes: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    writer.write(request_bytes)
    try:
        answer = await asyncio.wait_for(reader.read(), TIMEOUT_S)
    except ConnectionError:
        answer = b""
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer
    assert not running.server.connections
    writer.close()


async def test_a_browser_that_asks_to_keep_the_connection_alive_is_upgraded(running: Running) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    writer.write(UPGRADE.replace(b"Connection: Upgrade", b"Connection: keep-alive, Upgrade") % b"/ws")
    assert (await asyncio.wait_for(reader.readline(), TIMEOUT_S)).startswith(b"HTTP/1.1 101 ")
    writer.close()


async def test_everybody_is_told_when_the_exchange_stops() -> None:
    running = Running(close_timeout_s=0.3)
    await running.__aenter__()
    clients = [await websockets.connect(running.url) for _ in range(3)]
    silent = await RawClient.connect(running.port)
    await asyncio.wait_for(running.server.close(), TIMEOUT_S)
    for client in clients:
        await client.wait_closed()
        assert client.close_code == 1001
    assert (await silent.receive_close()).close_code == 1001
    await silent.ended()
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", running.port)
    await silent.close()


async def test_permessage_deflate_is_not_offered(running: Running) -> None:
    async with websockets.connect(running.url, compression="deflate") as client:
        assert client.response is not None
        assert "Sec-WebSocket-Extensions" not in client.response.headers


async def test_a_bug_of_ours_ends_one_session_and_no_other(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Session, message: bytes) -> None:
        raise RuntimeError("a bug")

    async with websockets.connect(running.url) as other, websockets.connect(running.url) as client:
        with monkeypatch.context() as patched:
            patched.setattr(Session, "receive", broken)
            with structlog.testing.capture_logs() as logged:
                await client.send("{}")
                await client.wait_closed()
            assert client.close_code == 1011
            assert [entry["event"] for entry in logged] == ["session_failed"]
        assert (await ask(other, running.login(running.venue.trader())))["status"] == 200
