"""The REST load generator: keep-alive connections with one request in flight each, signed before the clock starts."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import cast

from tests.bench.load import DRAIN_S, Measured


class RestConnection(asyncio.Protocol):
    """Sends its requests one after another, each once: a signature counts only once."""

    def __init__(self, requests: Sequence[bytes]) -> None:
        self.requests: Iterator[bytes] = iter(requests)
        self.received = b""
        self.needed = 0
        self.done = 0
        self.reply_bytes = 0
        self.waits: list[float] = []
        self.asked_at = time.perf_counter()
        self.finished = asyncio.Event()
        self.failure: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.finished.is_set():
            self.failure = f"closed by the server: {exc}"
            self.finished.set()

    def ask(self) -> None:
        request = next(self.requests, None)
        if request is None:
            self.finished.set()
            return
        self.asked_at = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.received += data
        if not self.needed:
            head = self.received.find(b"\r\n\r\n")
            if head < 0:
                return
            length_at = self.received.lower().index(b"content-length:", 0, head) + 15
            body_bytes = int(self.received[length_at : self.received.index(b"\r\n", length_at)])
            self.needed = head + 4 + body_bytes
            self.reply_bytes += body_bytes
        if len(self.received) < self.needed:
            return
        self.waits.append(time.perf_counter() - self.asked_at)
        if self.received[9:12] != b"200":
            self.failure = self.failure or self.received[:400].decode(errors="replace")
        self.done += 1
        self.received, self.needed = b"", 0
        self.ask()


def request(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """A whole HTTP/1.1 POST."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


async def _answered(connections: Sequence[RestConnection], count: int) -> int:
    """How many answers have come once they are `count`, or once no more can come; an overdue one has been lost."""
    while True:
        overdue = time.perf_counter() - DRAIN_S
        for connection in connections:
            if not connection.finished.is_set() and connection.asked_at < overdue:
                connection.failure = f"no answer within {DRAIN_S:g} s"
                connection.finished.set()
        done = sum(connection.done for connection in connections)
        if done >= count or all(connection.finished.is_set() for connection in connections):
            return done
        await asyncio.sleep(0.01)


async def run(port: int, requests: Sequence[Sequence[bytes]]) -> Measured:
    """One connection per list of requests; over when all are answered. The first tenth only warms up."""
    loop = asyncio.get_running_loop()
    connections: list[RestConnection] = []
    for own in requests:
        _, connection = await loop.create_connection(partial(RestConnection, own), "127.0.0.1", port)
        connections.append(connection)
    total = sum(len(own) for own in requests)
    for connection in connections:
        connection.ask()
    before = await _answered(connections, total // 10)
    begun, cpu = time.perf_counter(), time.process_time()
    done = await _answered(connections, total)
    elapsed_s = time.perf_counter() - begun
    failures = [c.failure for c in connections if c.failure]
    for connection in connections:
        connection.transport.close()
    if done < total or failures:
        raise RuntimeError(f"{done} of {total} requests answered, {len(failures)} connections refused: {failures[:1]}")
    waits = sorted(wait for c in connections for wait in c.waits)
    return Measured(
        per_second=(done - before) / elapsed_s,
        p50_us=1e6 * waits[len(waits) // 2],
        p99_us=1e6 * waits[len(waits) * 99 // 100],
        reply_bytes=sum(c.reply_bytes for c in connections) / done,
        refusals=[],
        cpu_share=(time.process_time() - cpu) / elapsed_s,
    )
