"""Floods by strangers against the HTTP port of a running exchange: its memory stays, and others go on trading.

All is on the loopback, bounded in bytes, connections and time; the short forms here, the long ones by `make torture`.
"""

import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from exchange_client.signing import Keypair
from tests.server import Server
from tests.simulation.test_hostile import ORDER, signed

PING = b"GET /api/v1/ping HTTP/1.1\r\nHost: x\r\n\r\n"
DOCUMENT = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
#: What floods may cost the core in memory, while they last and after.
MOST_GROWTH_BYTES = 48 * 2**20
#: The same where all places are taken, each by a connection that leaves something half done.
MOST_HELD_BYTES = 128 * 2**20
#: What 2,500 more sockets may leave behind, of which each takes about 6 kB.
MOST_KEPT_BYTES = 5 * 2**20
#: The allocator is asked for what is free every few seconds.
GIVEN_BACK_WITHIN_S = 15.0
ANSWERS_WITHIN_S = 5.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("floods") / "data")
    running.start()
    yield running
    assert running.stop() == 0, running.log_tail()


@pytest.fixture
def unlimited(fresh_server: Callable[..., Server]) -> Server:
    """One that takes any number of requests: what it is sent is parsed and answered, not put off."""
    return fresh_server(settings={"EXCHANGE_LIMITS__PUBLIC_REQUESTS_PER_MINUTE": "60000000"})


def resident_bytes(server: Server) -> int:
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return 1_024 * int(status.partition("VmRSS:")[2].split()[0])


def trades(server: Server) -> None:
    """An order is answered in good time."""
    alice = Keypair(server.accounts["alice"].api_secret)
    placed = httpx.post(
        f"{server.http_url}/api/v1/order", headers=signed(alice, ORDER), json=ORDER, timeout=ANSWERS_WITHIN_S
    )
    assert placed.status_code == 200, placed.text


class Flood(threading.Thread):
    """`megabytes` of requests on one socket as fast as it takes them, for at most `within_s`."""

    def __init__(self, server: Server, request: bytes, megabytes: float, within_s: float, *, reads: bool) -> None:
        super().__init__(daemon=True)
        self._block = request * (65_536 // len(request) + 1)
        self._bytes = megabytes * 1e6
        self._within_s = within_s
        self._reads = reads
        self._socket = socket.create_connection(("127.0.0.1", server.http_port))
        self.sent = 0
        self.start()

    def run(self) -> None:
        self._socket.setblocking(False)
        deadline, left = time.monotonic() + self._within_s, memoryview(self._block)
        try:
            while self.sent < self._bytes and time.monotonic() < deadline:
                readable, writable, _ = select.select([self._socket] if self._reads else [], [self._socket], [], 0.1)
                if readable and not self._socket.recv(2**20):
                    break
                if writable:
                    size = self._socket.send(left)
                    self.sent += size
                    left = left[size:] or memoryview(self._block)
        except ConnectionError:
            pass
        finally:
            self._socket.close()


def most_during(server: Server, floods: list[Flood]) -> int:
    most = resident_bytes(server)
    while any(flood.is_alive() for flood in floods):
        most = max(most, resident_bytes(server))
        time.sleep(0.05)
    return most


def flooded(server: Server, request: bytes, megabytes: float, within_s: float, connections: int) -> None:
    """Half the connections read what they are answered."""
    before = resident_bytes(server)
    floods = [Flood(server, request, megabytes, within_s, reads=number % 2 == 0) for number in range(connections)]
    time.sleep(0.2)
    trades(server)
    assert most_during(server, floods) - before < MOST_GROWTH_BYTES
    assert sum(flood.sent for flood in floods) > 1e6
    assert resident_bytes(server) - before < MOST_GROWTH_BYTES
    trades(server)


@pytest.mark.parametrize(
    "request_",
    [DOCUMENT, PING[:-2] + b"content-length: 60000\r\n\r\n" + b"x" * 60_000],
    ids=["documents", "bodies"],
)
def test_requests_sent_ahead_cost_no_memory(server: Server, request_: bytes) -> None:
    flooded(server, request_, megabytes=5, within_s=2, connections=4)


def test_pings_sent_ahead_cost_no_memory(unlimited: Server) -> None:
    flooded(unlimited, PING, megabytes=5, within_s=4, connections=4)


@pytest.mark.torture
@pytest.mark.timeout(600)
@pytest.mark.parametrize("request_", [PING, DOCUMENT], ids=["pings", "documents"])
def test_sixty_megabytes_sent_ahead_cost_no_memory(unlimited: Server, request_: bytes) -> None:
    flooded(unlimited, request_, megabytes=60, within_s=120, connections=4)


def silent_sockets(port: int, address: str, count: int) -> list[socket.socket]:
    opened = []
    for _ in range(count):
        one = socket.socket()
        one.bind((address, 0))
        one.connect(("127.0.0.1", port))
        opened.append(one)
    return opened


def locked_out(server: Server, addresses: int, each: int) -> None:
    held = [
        one for number in range(addresses) for one in silent_sockets(server.http_port, f"127.0.0.{2 + number}", each)
    ]
    try:
        for _ in range(3):
            trades(server)
    finally:
        for one in held:
            one.close()


@pytest.mark.parametrize(("addresses", "each"), [(2, 1_000), (11, 200)])
def test_silent_sockets_lock_nobody_out(server: Server, addresses: int, each: int) -> None:
    """Of few addresses, and of so many that all places are taken."""
    locked_out(server, addresses, each)


@pytest.mark.torture
def test_silent_sockets_of_many_addresses_lock_nobody_out(server: Server) -> None:
    """More than there are places, from addresses that each keep within their share."""
    locked_out(server, addresses=30, each=150)


def test_sockets_that_come_and_go_leave_no_memory_behind(server: Server) -> None:
    """On the trading port, where they ask for no upgrade. Waves are held, so that garbage would grow old."""
    grown = []
    for _ in range(2):
        for _ in range(25):
            held = silent_sockets(server.ws_port, "127.0.0.2", 100)
            trades(server)
            for one in held:
                one.close()
        grown.append(resident_bytes(server))
    assert grown[1] - grown[0] < MOST_KEPT_BYTES


def begun(server: Server, addresses: int, each: int, data: bytes) -> list[socket.socket]:
    """Connections that have each sent as much of `data` as is taken, and read nothing."""
    opened = [
        one for number in range(addresses) for one in silent_sockets(server.http_port, f"127.0.0.{2 + number}", each)
    ]
    for one in opened:
        one.setblocking(False)
        with suppress(BlockingIOError, ConnectionError):
            one.send(data)
    return opened


@pytest.mark.parametrize(
    ("data", "addresses", "each"),
    [
        pytest.param(b"POST /api/v1/order HTTP/1.1\r\ncontent-length: 65000\r\n\r\n" + b"x" * 60_000, 8, 100),
        pytest.param(DOCUMENT * 50, 8, 100),
        pytest.param(b"GET /x HTTP/1.1\r\n" + b"x: y\r\n" * 90, 8, 190),
    ],
    ids=["half a body", "answers unread", "half a head"],
)
def test_what_many_connections_leave_half_done_is_bounded_in_sum(
    server: Server, data: bytes, addresses: int, each: int
) -> None:
    before = resident_bytes(server)
    opened = begun(server, addresses, each, data)
    try:
        trades(server)
        assert resident_bytes(server) - before < MOST_HELD_BYTES
    finally:
        for one in opened:
            one.close()
    trades(server)
    deadline = time.monotonic() + GIVEN_BACK_WITHIN_S
    while resident_bytes(server) - before > MOST_GROWTH_BYTES:
        assert time.monotonic() < deadline
        time.sleep(0.1)
