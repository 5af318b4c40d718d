"""Hostile clients against a running exchange: a clear refusal, nothing recorded, nobody else disturbed.

The state is a function of the journal: where nothing is recorded but refusals, nothing has changed.
"""

import asyncio
import base64
import json
import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from exchange.journal.store import JournalReader
from exchange.values.orders.commands import PlaceOrder
from exchange.values.process.events import Refused
from exchange_client.signing import Keypair, signing_text
from tests.server import Server
from tests.simulation.traffic import login, subscription

ORDER = {"symbol": "SOL_USDC", "side": "Bid", "orderType": "Limit", "price": "149", "quantity": "1"}
ANSWERS_WITHIN_S = 5.0
#: What one hostile client may cost the core in memory.
MOST_GROWTH_BYTES = 64 * 2**20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("hostile") / "data")
    running.start()
    yield running
    assert running.stop() == 0, running.log_tail()


@pytest.fixture
def alice(server: Server) -> Keypair:
    return Keypair(server.accounts["alice"].api_secret)


@pytest.fixture
def unmoved(server: Server) -> Iterator[None]:
    """Nothing this test does changes anything: what it may add to the journal are refusals."""
    before, _ = journal_end(server.data)
    yield
    with JournalReader(server.data) as reader:
        added = [event for record in reader.records(before + 1) for event in record.events]
    assert [event for event in added if not isinstance(event, Refused)] == []


def journal_end(data: Path) -> tuple[int, bytes]:
    with JournalReader(data) as reader:
        return reader.last()


def signed(
    keypair: Keypair, order: dict[str, Any], *, at_ms: int | None = None, window_ms: int = 5_000
) -> dict[str, str]:
    timestamp_ms = keypair.timestamp_ms() if at_ms is None else at_ms
    return {
        "X-API-Key": keypair.public_key,
        "X-Timestamp": str(timestamp_ms),
        "X-Window": str(window_ms),
        "X-Signature": keypair.sign(signing_text("orderExecute", [order], timestamp_ms, window_ms)),
    }


def post(server: Server, headers: dict[str, str], body: bytes | None = None) -> httpx.Response:
    content = json.dumps(ORDER).encode() if body is None else body
    return httpx.post(f"{server.http_url}/api/v1/order", headers=headers, content=content, timeout=ANSWERS_WITHIN_S)


def refused(answer: httpx.Response) -> str:
    """The code and message of a refusal; anything else fails the test."""
    assert 400 <= answer.status_code < 500, answer.text
    body = answer.json()
    return f"{body['code']} {body['message']}"


# --- signatures ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("unmoved")
def test_forged_and_altered(server: Server, alice: Keypair) -> None:
    bob = Keypair(server.accounts["bob"].api_secret)
    forged = signed(bob, ORDER) | {"X-API-Key": alice.public_key}
    assert "INVALID" in refused(post(server, forged))
    altered = json.dumps(ORDER | {"quantity": "2"}).encode()
    assert "INVALID" in refused(post(server, signed(alice, ORDER), altered))
    for signature in ("", "x", base64.b64encode(bytes(64)).decode(), "A" * 10_000):
        assert post(server, signed(alice, ORDER) | {"X-Signature": signature}).status_code in (400, 401, 431)


@pytest.mark.usefixtures("unmoved")
def test_stale_and_from_the_future(server: Server, alice: Keypair) -> None:
    now_ms = time.time_ns() // 1_000_000
    assert "expired" in refused(post(server, signed(alice, ORDER, at_ms=now_ms - 6_000)))
    assert "timestamp" in refused(post(server, signed(alice, ORDER, at_ms=now_ms - 700_000))).lower()
    assert "timestamp" in refused(post(server, signed(alice, ORDER, at_ms=now_ms + 700_000))).lower()
    assert "INVALID" in refused(post(server, signed(alice, ORDER, window_ms=60_001)))


def test_replayed_within_the_window_and_after_a_restart(server: Server, alice: Keypair) -> None:
    headers = signed(alice, ORDER, window_ms=60_000)
    assert post(server, headers).status_code == 200
    before = journal_end(server.data)
    assert "sign again" in refused(post(server, headers))
    assert journal_end(server.data) == before

    fresh = signed(alice, ORDER | {"quantity": "2"}, window_ms=60_000)
    server.restart()
    before = journal_end(server.data)
    body = json.dumps(ORDER | {"quantity": "2"}).encode()
    for answer in (post(server, headers), post(server, fresh, body)):
        assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "MAINTENANCE", "1")
    assert journal_end(server.data) == before


def test_signed_ahead_and_sent_again_to_the_process_after_a_kill(server: Server, alice: Keypair) -> None:
    """The timestamp is still good after the quick restart: nothing but the rule of the start keeps it out."""
    order = ORDER | {"price": "120"}
    body = json.dumps(order).encode()
    time.sleep(server.settling_s())
    ahead = signed(alice, order, at_ms=time.time_ns() // 1_000_000 + 900, window_ms=60_000)
    assert post(server, ahead, body).status_code == 200
    server.kill()
    server.start()
    before = journal_end(server.data)
    assert post(server, ahead, body).status_code == 503
    time.sleep(server.settling_s())
    assert post(server, ahead, body).status_code == 503
    assert journal_end(server.data) == before
    assert post(server, signed(alice, order), body).status_code == 200
    with JournalReader(server.data) as reader:
        placed = [
            record.command
            for record in reader.records(1)
            if isinstance(record.command, PlaceOrder) and record.command.price_ticks == 12_000
        ]
    assert len(placed) == 2, "that one, and the one signed anew"


# --- bad input ---------------------------------------------------------------------------------------------

BAD_FIELDS: list[dict[str, Any]] = [
    {"symbol": "DOGE_USDC"},
    {"symbol": 7},
    {"side": "Buy"},
    {"orderType": "Stop"},
    {"price": "NaN"},
    {"price": "Infinity"},
    {"price": "-149"},
    {"price": "0"},
    {"price": "1e3"},
    {"price": "9" * 400},
    {"price": "149.001"},
    {"price": None},
    {"price": []},
    {"quantity": "0"},
    {"quantity": "-1"},
    {"quantity": "0.0001"},
    {"quantity": "99999999999999999999"},
    {"quantity": {}},
    {"quantity": True},
    {"timeInForce": "GTD"},
    {"postOnly": "yes"},
    {"selfTradePrevention": "Allow"},
    {"clientId": -1},
    {"clientId": 2**32},
    {"clientId": 1.5},
    {"quoteQuantity": "10"},
]


@pytest.mark.usefixtures("unmoved")
@pytest.mark.parametrize("wrong", BAD_FIELDS, ids=str)
async def test_bad_fields_over_the_websocket(server: Server, alice: Keypair, wrong: dict[str, Any]) -> None:
    async with connect(server.ws_url) as trading:
        await call(trading, 1, "session.login", login(alice))
        answer = await call(trading, 2, "order.place", ORDER | wrong)
        assert 400 <= answer["status"] < 500, answer
        assert set(answer["error"]) == {"code", "message"}
        # The session goes on.
        assert (await call(trading, 3, "order.query", {"symbol": "SOL_USDC", "clientId": 1}))["status"] == 404


@pytest.mark.usefixtures("unmoved")
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"[]", b'"order"', b"{}", b"\xff\xfe", b"[" * 50_000, b'{"symbol":' + b'"x' * 40_000],
    ids=range(9),
)
def test_bodies_that_are_no_order(server: Server, alice: Keypair, body: bytes) -> None:
    assert post(server, signed(alice, ORDER), body).status_code in (400, 401, 413)


@pytest.mark.usefixtures("unmoved")
@pytest.mark.parametrize(
    "message",
    [
        "",
        "{",
        "null",
        "[]",
        "7",
        "{}",
        '{"id":1}',
        '{"id":1,"method":"order.fly","params":{}}',
        '{"id":1,"method":"order.place","params":[]}',
        '{"id":1,"method":"order.place"}',
        '{"method":"SUBSCRIBE","params":["account.orderUpdate"]}',
        '{"method":"SUBSCRIBE","params":"depth.SOL_USDC"}',
        "[" * 60_000,
        b"\x00\x01\x02",
    ],
    ids=range(14),
)
async def test_messages_that_are_no_request(server: Server, message: str | bytes) -> None:
    """Each is answered with an error or closes its own connection; the exchange goes on."""
    async with connect(server.ws_url) as socket_:
        await socket_.send(message)
        try:
            answered = json.loads(await asyncio.wait_for(socket_.recv(), ANSWERS_WITHIN_S))["error"]["message"]
        except ConnectionClosed as closed:
            answered = closed.rcvd and closed.rcvd.code in (1002, 1003, 1007, 1008, 1009)
        assert answered
    await serves(server)


@pytest.mark.usefixtures("unmoved")
async def test_oversized_message(server: Server) -> None:
    async with connect(server.ws_url) as socket_:
        await socket_.send("x" * 1_000_000)
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(socket_.recv(), ANSWERS_WITHIN_S)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
    await serves(server)


async def call(socket_: Any, request_id: int, method: str, params: Any) -> dict[str, Any]:
    await socket_.send(json.dumps({"id": request_id, "method": method, "params": params}))
    answer: dict[str, Any] = json.loads(await asyncio.wait_for(socket_.recv(), ANSWERS_WITHIN_S))
    assert answer["id"] == request_id, answer
    return answer


async def serves(server: Server) -> None:
    """Somebody else gets an answer in good time on both ports."""
    async with asyncio.timeout(ANSWERS_WITHIN_S):
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"{server.http_url}/api/v1/depth?symbol=SOL_USDC")).status_code == 200
        async with connect(server.ws_url) as socket_:
            assert (await call(socket_, 1, "order.query", {"symbol": "SOL_USDC", "clientId": 1}))["status"] in (
                401,
                403,
            )


# --- too much, and too slow -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("unmoved")
async def test_half_open_sockets(server: Server) -> None:
    """Connections that begin and never finish; some vanish without a word."""
    held = []
    for port in (server.http_port, server.ws_port):
        for index in range(150):
            opened = socket.create_connection(("127.0.0.1", port))
            if index % 3:
                opened.sendall(b"GET /api/v1/depth HTTP/1.1\r\nHost: x\r\n"[: 5 + index % 30])
            held.append(opened)
    await serves(server)
    for opened in held:
        # A reset instead of an end.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        opened.close()
    await serves(server)


async def test_a_flood_that_reads_no_answers(server: Server, alice: Keypair) -> None:
    before = resident_bytes(server)
    async with connect(server.ws_url, max_queue=1, close_timeout=0.5) as flood:
        await call(flood, 1, "session.login", login(alice))
        message = json.dumps({"id": 2, "method": "order.cancel", "params": {"symbol": "SOL_USDC", "clientId": 99}})
        try:
            async with asyncio.timeout(3):
                while True:
                    await flood.send(message)
        except (TimeoutError, ConnectionClosed):
            pass
        await serves(server)
        assert resident_bytes(server) - before < MOST_GROWTH_BYTES
        # Its unsent messages would hold up a polite end.
        flood.transport.abort()


async def test_a_reader_that_stops_reading(server: Server, alice: Keypair) -> None:
    """The book moves on; the slow reader's backlog stays bounded, and others aren't held up."""
    before = resident_bytes(server)
    async with connect(server.ws_url, max_queue=1, close_timeout=0.5) as slow, connect(server.ws_url) as trading:
        await slow.send(subscription(["depth.SOL_USDC", "bookTicker.SOL_USDC", "account.orderUpdate"], alice))
        await call(trading, 1, "session.login", login(Keypair(server.accounts["bob"].api_secret)))
        for number in range(500):
            order = ORDER | {"clientId": 1_000 + number, "price": str(148 - number % 10 / 100)}
            placed = await call(trading, 2 * number + 2, "order.place", order)
            key = {"symbol": "SOL_USDC", "clientId": 1_000 + number}
            if placed["status"] == 429:
                break
            await call(trading, 2 * number + 3, "order.cancel", key)
        await serves(server)
    assert resident_bytes(server) - before < MOST_GROWTH_BYTES


def resident_bytes(server: Server) -> int:
    assert server.process is not None
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()
