"""Floods of WebSocket frames by strangers against a running exchange with default limits: others go on trading.

All is on the loopback, bounded in bytes, connections and time; the short form here, the long ones by `make torture`.
"""

import json
import select
import socket
import threading
import time
from collections.abc import Callable

import pytest
from websockets.sync.client import ClientConnection, connect

from exchange_client.signing import Keypair
from tests.gateway.raw_client import CONTINUATION, PING, PONG, TEXT, frame, upgrade
from tests.server import Server
from tests.simulation.test_floods import MOST_HELD_BYTES, resident_bytes, trades
from tests.simulation.test_hostile import ORDER
from tests.simulation.traffic import login

#: Where nothing bounds what one turn of the event loop does, the same floods take five to fifty seconds.
ANSWERED_WITHIN_S = 2.0


def text(*values: object) -> bytes:
    return b"".join(frame(TEXT, json.dumps(value, separators=(",", ":")).encode()) for value in values)


def asks(method: str, *params: str) -> dict[str, object]:
    return {"method": method, "params": params}


SEVERAL = ("depth.SOL_USDC", "status", "ticker.SOL_USDC")
BAD_LOGIN = {"apiKey": "A" * 43 + "=", "timestamp": 1, "window": 5_000, "signature": "A" * 86 + "=="}
#: By name: what each connection begins with, and what it then sends again and again.
FLOODS = {
    "the same name": (b"", text(asks("SUBSCRIBE", *["status"] * 1_700))),
    "the same name, too long": (b"", text(asks("SUBSCRIBE", *["status"] * 6_000))),
    "unknown names": (b"", text(asks("SUBSCRIBE", *[f"depth.X{number}" for number in range(1_000)]))),
    "subscribing and unsubscribing": (b"", text(asks("SUBSCRIBE", *SEVERAL), asks("UNSUBSCRIBE", *SEVERAL)) * 100),
    "orders without a session": (b"", text({"id": 1, "method": "order.place", "params": ORDER}) * 100),
    "bad logins": (b"", text({"id": 1, "method": "session.login", "params": BAD_LOGIN}) * 100),
    "no JSON": (b"", frame(TEXT, b"{") * 2_000),
    "long messages": (b"", frame(TEXT, b'{"id":1,"method":"' + b"z" * 60_000 + b'"}')),
    "pings": (b"", frame(PING, b"p" * 125) * 500),
    "pongs": (b"", frame(PONG) * 5_000),
    "empty fragments": (frame(TEXT, b"", fin=False), frame(CONTINUATION, b"", fin=False) * 5_000),
    "fragments with pings": (frame(TEXT, b"a", fin=False), frame(PING, b"p") * 2_000),
}


class Flood(threading.Thread):
    """Connections of one address that send `again` as fast as they are read, for so long, and read nothing."""

    def __init__(self, server: Server, address: str, begin: bytes, again: bytes, connections: int, seconds: float):
        super().__init__(daemon=True)
        self._block = again * (65_536 // len(again) + 1)
        self._seconds = seconds
        self._sockets = [self._upgraded(server, address, begin) for _ in range(connections)]
        self.sent = 0

    @staticmethod
    def _upgraded(server: Server, address: str, begin: bytes) -> socket.socket:
        one = socket.create_connection(("127.0.0.1", server.ws_port), 5, source_address=(address, 0))
        one.sendall(upgrade())
        assert one.recv(4_096).startswith(b"HTTP/1.1 101 ")
        one.sendall(begin)
        one.setblocking(False)
        return one

    def run(self) -> None:
        left = dict.fromkeys(self._sockets, memoryview(self._block))
        deadline = time.monotonic() + self._seconds
        while left and time.monotonic() < deadline:
            _, writable, _ = select.select([], list(left), [], 0.1)
            for one in writable:
                try:
                    size = one.send(left[one])
                except OSError:
                    del left[one]
                else:
                    self.sent += size
                    left[one] = left[one][size:] or memoryview(self._block)
            time.sleep(0.001)
        for one in self._sockets:
            one.close()


def ask(session: ClientConnection, method: str, params: object) -> None:
    """An answer within the time, and one that isn't a refusal."""
    session.send(json.dumps({"id": 1, "method": method, "params": params}))
    answer = json.loads(session.recv(timeout=ANSWERED_WITHIN_S))
    assert answer["status"] == 200, answer


def flooded(server: Server, floods: list[Flood]) -> None:
    """A session trades all the while, and so does REST; somebody new gets in."""
    before = resident_bytes(server)
    alice = Keypair(server.accounts["alice"].api_secret)
    with connect(server.ws_url) as session:
        ask(session, "session.login", login(alice))
        for flood in floods:
            flood.start()
        time.sleep(0.1)
        while any(flood.is_alive() for flood in floods):
            ask(session, "order.place", ORDER)
            trades(server)
            assert resident_bytes(server) - before < MOST_HELD_BYTES
            with connect(server.ws_url, open_timeout=ANSWERED_WITHIN_S) as other:
                ask(other, "session.login", login(alice))
            ask(session, "order.cancelAll", {"symbol": ORDER["symbol"]})
            time.sleep(0.1)
    assert sum(flood.sent for flood in floods) > 1e6


def test_frames_of_strangers_hold_up_nobody(fresh_server: Callable[..., Server]) -> None:
    server = fresh_server()
    floods = [
        Flood(server, f"127.0.7.{number}", *flood, connections=20, seconds=4)
        for number, flood in enumerate(FLOODS.values(), 1)
    ]
    flooded(server, floods)


@pytest.mark.torture
@pytest.mark.timeout(300)
@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
@pytest.mark.parametrize("connections", [1, 480])
def test_frames_of_one_address_hold_up_nobody(
    fresh_server: Callable[..., Server], flood: tuple[bytes, bytes], connections: int
) -> None:
    server = fresh_server()
    flooded(server, [Flood(server, "127.0.7.1", *flood, connections=connections, seconds=5)])
