"""Floods by strangers against the HTTP port of a running exchange: its memory stays, and others go on trading.

All is on the loopback, bounded in bytes, connections and time; the short forms here, the long ones by `make torture`.
"""

import select
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from clients.python.signing import Keypair
from tests.server import Server
from tests.simulation.test_hostile import ORDER, signed

PING = b"GET /api/v1/ping HTTP/1.1\r\nHost: x\r\n\r\n"
#: What floods may cost the core in memory, while they last and after.
MOST_GROWTH_BYTES = 48 * 2**20
ANSWERS_WITHIN_S = 5.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("floods") / "data")
    running.start()
    yield running
    assert running.stop() == 0, running.log_tail()


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
    [
        PING,
        b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n",
        PING[:-2] + b"content-length: 60000\r\n\r\n" + b"x" * 60_000,
    ],
    ids=["pings", "documents", "bodies"],
)
def test_requests_sent_ahead_cost_no_memory(server: Server, request_: bytes) -> None:
    flooded(server, request_, megabytes=5, within_s=2, connections=4)


@pytest.mark.torture
@pytest.mark.timeout(600)
@pytest.mark.parametrize("reads", [True, False])
def test_sixty_megabytes_of_pings_cost_no_memory(server: Server, reads: bool) -> None:
    before = resident_bytes(server)
    floods = [Flood(server, PING, 20, 240, reads=reads) for _ in range(3)]
    assert most_during(server, floods) - before < MOST_GROWTH_BYTES
    time.sleep(1)
    assert resident_bytes(server) - before < MOST_GROWTH_BYTES
    trades(server)


def silent_sockets(server: Server, address: str, count: int) -> list[socket.socket]:
    opened = []
    for _ in range(count):
        one = socket.socket()
        one.bind((address, 0))
        one.connect(("127.0.0.1", server.http_port))
        opened.append(one)
    return opened


def locked_out(server: Server, addresses: int, each: int) -> None:
    held = [one for number in range(addresses) for one in silent_sockets(server, f"127.0.0.{2 + number}", each)]
    try:
        for _ in range(3):
            trades(server)
    finally:
        for one in held:
            one.close()


def test_silent_sockets_of_two_addresses_lock_nobody_out(server: Server) -> None:
    locked_out(server, addresses=2, each=1_000)


@pytest.mark.torture
def test_silent_sockets_of_many_addresses_lock_nobody_out(server: Server) -> None:
    """More than there are places, from addresses that each keep within their share."""
    locked_out(server, addresses=30, each=150)
