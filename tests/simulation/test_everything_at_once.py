"""Floods, slow readers, garbage, deep history and dying processes, all at once, while honest accounts trade.

The hostile come from addresses of their own, and from an account of their own. Honest orders go on being acknowledged,
the memory stays bounded, and in the end nothing that anybody was told is untrue.
"""

import asyncio
import json
import os
import random
import resource
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, WebSocketException

from exchange_client.signing import Keypair, signing_text
from tests.server import Server
from tests.simulation import family, traffic
from tests.simulation.test_processes import Run, running

pytestmark = [pytest.mark.torture, pytest.mark.timeout(900)]

ROUNDS = 9
#: Between two faults.
CALM_S = 8.0
#: What the core may have resident at any moment.
MOST_BYTES = 640 * 2**20
PIPELINED_BYTES = 5 * 2**20
SLOW_READERS = 150
HALF_OPEN = 200
DEEP_PAGES = 20
#: One fault a round: a process and what happens to it.
FAULTS = [(module, fault) for module in (family.CORE, family.WRITER, family.FOLLOWER) for fault in ("kill", "hold")]
SETTINGS = {name: value for name, value in traffic.SETTINGS.items() if "PUBLIC" not in name}

_GONE = (OSError, httpx.HTTPError, WebSocketException, InvalidHandshake, TimeoutError, EOFError)


class Hostile:
    """Everything strangers do to one server, again and again until cancelled."""

    def __init__(self, server: Server, choose: random.Random) -> None:
        self.server = server
        self.choose = choose
        self.key = Keypair(server.accounts["bot-flow-1"].api_secret)

    def doings(self) -> list[Callable[[], Awaitable[None]]]:
        return [
            self.pipeline,
            self.read_slowly,
            self.garbage,
            self.documents,
            self.half_open,
            self.deep_pages,
            self.replay,
        ]

    async def connected(self, port: int, address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))

    async def pipeline(self) -> None:
        """Requests back to back on one connection, whose answers nobody reads."""
        _, writer = await self.connected(self.server.http_port, "127.0.0.2")
        try:
            request = b"GET /api/v1/ping HTTP/1.1\r\nHost: x\r\n\r\n" * 500
            async with asyncio.timeout(10):
                for _ in range(PIPELINED_BYTES // len(request)):
                    writer.write(request)
                    await writer.drain()
        finally:
            writer.transport.abort()

    async def read_slowly(self) -> None:
        """Many subscribers to everything, none of which reads."""
        subscribe = json.dumps(
            {"method": "SUBSCRIBE", "params": ["depth.SOL_USDC", "depth.ETH_USDC", "trade.SOL_USDC"]}
        )
        held = []
        try:
            for _ in range(SLOW_READERS):
                opened = socket.socket()
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                opened.bind(("127.0.0.3", 0))
                opened.connect(("127.0.0.1", self.server.ws_port))
                held.append(await connect(self.server.ws_url, sock=opened, compression=None, max_queue=1))
                await held[-1].send(subscribe)
            await asyncio.sleep(CALM_S)
        finally:
            for one in held:
                one.transport.abort()

    async def garbage(self) -> None:
        """Bytes that are no request, on both ports."""
        for port in (self.server.http_port, self.server.ws_port):
            _, writer = await self.connected(port, "127.0.0.4")
            writer.write(self.choose.randbytes(self.choose.randrange(1, 70_000)))
            await asyncio.sleep(0.05)
            writer.transport.abort()
        async with connect(self.server.ws_url, compression=None) as session:
            for message in (
                "{",
                "[" * 60_000,
                b"\x00" * 100,
                '{"id":1,"method":"order.place","params":{"price":"1e999"}}',
            ):
                await session.send(message)

    async def documents(self) -> None:
        """The largest answers there are, and pages that are none."""
        async with self.client("127.0.0.5") as client:
            for path in (
                "/openapi.json",
                "/docs",
                "/metrics",
                "/none",
                "/api/v1/markets",
                "/api/v1/depth?symbol=SOL_USDC",
            ):
                await asyncio.gather(*(client.get(path) for _ in range(10)))

    async def half_open(self) -> None:
        """Connections that never say what they want."""
        held = []
        try:
            for number in range(HALF_OPEN):
                port = (self.server.http_port, self.server.ws_port)[number % 2]
                held.append((await self.connected(port, "127.0.0.2"))[1])
                held[-1].write(b"GET /api/v1/depth HTTP/1.1\r\nHost: x\r\n"[: number % 30])
            await asyncio.sleep(2)
        finally:
            for writer in held:
                writer.transport.abort()

    async def deep_pages(self) -> None:
        """An account that asks for the far end of its history, many times at once."""
        async with self.client("127.0.0.6") as client:
            asked = {"limit": "1000", "offset": "50000"}
            paths = ("orders", "fills", "ledger")
            instructions = ("orderHistoryQueryAll", "fillHistoryQueryAll", "ledgerHistoryQueryAll")
            await asyncio.gather(
                *(
                    client.get(f"/wapi/v1/history/{path}", params=asked, headers=self.signed(instruction, asked))
                    for path, instruction in zip(paths, instructions, strict=True)
                    for _ in range(DEEP_PAGES)
                )
            )

    async def replay(self) -> None:
        """One signed order, sent many times, and one whose signature is another's."""
        order = {"symbol": "SOL_USDC", "side": "Bid", "orderType": "Limit", "price": "100", "quantity": "0.01"}
        async with self.client("127.0.0.6") as client:
            headers = self.signed("orderExecute", order)
            again = [client.post("/api/v1/order", json=order, headers=headers) for _ in range(20)]
            other = [client.post("/api/v1/order", json=order | {"price": "101"}, headers=headers) for _ in range(20)]
            answers = await asyncio.gather(*again, *other)
            assert sum(answer.status_code == 200 for answer in answers) <= 1, "a signature was taken twice"

    def signed(self, instruction: str, fields: dict[str, str]) -> dict[str, str]:
        at_ms = self.key.timestamp_ms()
        return {
            "X-API-Key": self.key.public_key,
            "X-Timestamp": str(at_ms),
            "X-Window": "5000",
            "X-Signature": self.key.sign(signing_text(instruction, [fields], at_ms, 5000)),
        }

    def client(self, address: str) -> httpx.AsyncClient:
        transport = httpx.AsyncHTTPTransport(local_address=address, limits=httpx.Limits(max_connections=60))
        return httpx.AsyncClient(base_url=self.server.http_url, transport=transport, timeout=10)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        async def again(doing: Callable[[], Awaitable[None]]) -> None:
            while True:
                with suppress(*_GONE):
                    await doing()
                await asyncio.sleep(0.1)

        tasks = [asyncio.create_task(again(doing)) for doing in self.doings()]
        try:
            yield
        finally:
            pending = set(tasks)
            while pending:  # a cancellation can be lost in a client's own timeout
                for task in pending:
                    task.cancel()
                _, pending = await asyncio.wait(pending, timeout=1)
            for task in tasks:
                if not task.cancelled():
                    task.result()


def resident_bytes(server: Server) -> int:
    assert server.process is not None
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


async def calm(server: Server) -> None:
    """A while without a new fault, in which the memory is looked at."""
    for _ in range(int(CALM_S / 0.5)):
        assert (now := resident_bytes(server)) < MOST_BYTES, f"{now / 2**20:.0f} MiB resident"
        await asyncio.sleep(0.5)


async def test_all_of_it_for_two_minutes(tmp_path: Path) -> None:
    async with running(Server(tmp_path / "data", SETTINGS)) as run:
        server = run.server
        async with Hostile(server, run.choose).at_work():
            for number in range(ROUNDS):
                module, fault = FAULTS[number % len(FAULTS)]
                async with run.flow():
                    await traffic.until_acknowledged(run.seen)
                    await calm(server)
                    await suffer(run, module, fault)
        await run.acknowledges()
        await run.whole()


async def suffer(run: Run, module: str, fault: str) -> None:
    """What happens to one process, and a start where the exchange has ended by it."""
    server = run.server
    assert server.process is not None
    pid = family.members(server)[module]
    if fault == "hold":
        with family.held(pid):
            await asyncio.sleep(2.0)
        await asyncio.sleep(1.0)
    else:
        os.kill(pid, signal.SIGKILL)
        if module == family.FOLLOWER:
            await family.appears(server, module, instead_of=pid)
        else:
            await asyncio.to_thread(server.process.wait, family.GONE_WITHIN_S)
    if server.process.poll() is not None:
        assert family.gone(server), server.log_tail()
        await asyncio.to_thread(server.start)
