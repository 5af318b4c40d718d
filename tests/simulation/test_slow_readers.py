"""Readers that stop reading, against a running exchange: what they cost is bounded in sum and given back, and who reads
hears everything."""

import json
import socket
import threading
import time
from pathlib import Path
from typing import Final

import pytest

from exchange_client.signing import Keypair
from tests.gateway.raw_client import TEXT, UPGRADE, frame
from tests.server import Server
from tests.simulation.traffic import login, subscription

MIB: Final = 2**20
BACKLOG_BYTES: Final = 16 * MIB
SETTINGS: Final = {
    "EXCHANGE_LIMITS__REQUESTS_PER_MINUTE": "1000000",
    "EXCHANGE_LIMITS__PUBLIC_REQUESTS_PER_MINUTE": "1000000",
    "EXCHANGE_WS_LIMITS__CONNECTIONS_PER_ADDRESS": "10000",
    "EXCHANGE_WS_LIMITS__BACKLOG_BYTES_TOTAL": str(BACKLOG_BYTES),
    "EXCHANGE_WS_LIMITS__KERNEL_BACKLOG_BYTES": "32768",
    "EXCHANGE_WS_LIMITS__CLOSE_TIMEOUT_S": "0.5",
}
STREAMS: Final = ("account.orderUpdate", "account.orderUpdate.SOL_USDC")
#: Orders of one batch; each is shown when it rests and when it is cancelled, on each stream.
ORDERS: Final = 50
ANSWERS_WITHIN_S: Final = 10.0
CLOSES_WITHIN_S: Final = 0.5
#: What the exchange takes beyond what is unread: the records and orders of the test itself, and a connection's own.
MORE_BYTES: Final = 32 * MIB
CONNECTION_BYTES: Final = 32 * 1024
#: What it may keep when all are gone.
KEPT_BYTES: Final = 24 * MIB
GIVEN_BACK_WITHIN_S: Final = 30.0


def resident_bytes(server: Server) -> int:
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return 1_024 * int(status.partition("VmRSS:")[2].split()[0])


class Client:
    """A connection that reads when it is told to."""

    def __init__(self, server: Server, buffer_bytes: int | None = None) -> None:
        self.socket = socket.socket()
        self.socket.settimeout(ANSWERS_WITHIN_S)
        if buffer_bytes is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        self.socket.connect(("127.0.0.1", server.ws_port))
        self.socket.sendall(UPGRADE % b"/")
        self.file = self.socket.makefile("rb")
        while self.file.readline() != b"\r\n":
            pass

    def send(self, text: str) -> None:
        self.socket.sendall(frame(TEXT, text.encode()))

    def receive(self) -> tuple[int, bytes]:
        """The opcode and payload of the next frame."""
        head = self._read(2)
        size = head[1]
        if size == 126:
            size = int.from_bytes(self._read(2), "big")
        elif size == 127:
            size = int.from_bytes(self._read(8), "big")
        return head[0] & 0x0F, self._read(size)

    def _read(self, size: int) -> bytes:
        data = self.file.read(size)
        if len(data) < size:
            raise ConnectionError("closed")
        return data

    def call(self, method: str, params: object) -> object:
        self.send(json.dumps({"id": 1, "method": method, "params": params}))
        answer = json.loads(self.receive()[1])
        assert answer["status"] == 200, answer
        return answer["result"]

    def is_kept(self) -> bool:
        """Whether the connection is still there once what has come is read."""
        self.socket.setblocking(False)
        try:
            while self.socket.recv(MIB):
                pass
        except BlockingIOError:
            return True
        except ConnectionError:
            pass
        return False

    def close(self) -> None:
        self.file.close()
        self.socket.close()


class Reading(threading.Thread):
    """A client that reads all it is sent and counts it."""

    def __init__(self, server: Server, keypair: Keypair) -> None:
        super().__init__(daemon=True)
        self.client = Client(server)
        self.client.send(subscription(STREAMS, keypair))
        self.updates = 0
        self.start()

    def run(self) -> None:
        try:
            while self.client.receive()[0] == TEXT:
                self.updates += 1
        except (ConnectionError, OSError, ValueError):
            pass


@pytest.mark.parametrize("readers", [100, pytest.param(2_000, marks=pytest.mark.torture)])
def test_slow_readers_are_bounded_in_sum_and_leave_nothing_behind(tmp_path: Path, readers: int) -> None:
    server = Server(tmp_path / "data", SETTINGS)
    server.start()
    try:
        alice = Keypair(server.accounts["alice"].api_secret)
        trader = Client(server)
        trader.call("session.login", login(alice))
        update(trader)
        before = resident_bytes(server)
        reading = Reading(server, alice)
        slow = [Client(server, 4_096) for _ in range(readers)]
        for number, client in enumerate(slow):
            client.send(subscription(STREAMS, alice))
            if not number % 500:
                time.sleep(0.5)  # each is signed with a millisecond of its own, and none may be far ahead
        time.sleep(0.5)

        most = 0
        batches = 25
        for _ in range(batches):
            update(trader)
            most = max(most, resident_bytes(server))
        deadline = time.monotonic() + ANSWERS_WITHIN_S
        while reading.updates < batches * ORDERS * 4 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert reading.updates == batches * ORDERS * 4, "who reads was cut off"
        assert most - before <= BACKLOG_BYTES + MORE_BYTES + readers * CONNECTION_BYTES
        time.sleep(2 * CLOSES_WITHIN_S)
        kept = sum(client.is_kept() for client in slow)
        assert kept < readers / 4, "what they leave unread would be far more than the bound"
        for client in slow:
            client.close()
        deadline = time.monotonic() + GIVEN_BACK_WITHIN_S
        while resident_bytes(server) - before > KEPT_BYTES and time.monotonic() < deadline:
            time.sleep(0.2)
        assert resident_bytes(server) - before <= KEPT_BYTES
    finally:
        server.kill()


def update(trader: Client) -> None:
    """Show every subscriber a batch of orders come and go."""
    order = {"symbol": "SOL_USDC", "side": "Bid", "orderType": "Limit", "quantity": "0.01"}
    trader.call("order.batch", [order | {"price": f"149.{number:02}"} for number in range(ORDERS)])
    trader.call("order.cancelAll", {"symbol": "SOL_USDC"})
