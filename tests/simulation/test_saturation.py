"""More orders than history can keep up with: intake settles at its speed, and history stays of use."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from exchange.runtime.core.watchdog import Bounds
from exchange_client import ExchangeClient, ExchangeError, Keypair, limit
from exchange_client.models import Order
from tests.bench import exchange as bench
from tests.bench import load
from tests.gateway.raw_client import RawClient
from tests.server import Server
from tests.simulation import family

CONNECTIONS = 32
WINDOW = 64
#: What may come in before the first look that narrows the intake.
OVERSHOOT_RECORDS = 10_000
PATIENCE_S = 60.0
#: Nobody's limits but those of the bounds.
SETTINGS = {
    "EXCHANGE_LIMITS__REQUESTS_PER_MINUTE": "60000000",
    "EXCHANGE_LIMITS__PUBLIC_REQUESTS_PER_MINUTE": "60000000",
    "EXCHANGE_LIMITS__HISTORY_REQUESTS_PER_MINUTE": "60000000",
    "EXCHANGE_LIMITS__IN_FLIGHT_PER_ACCOUNT": "4096",
}


class Flood:
    """One connection that keeps `WINDOW` messages in flight: an order that rests, its cancel, one that may trade."""

    def __init__(self, number: int, keypair: Keypair) -> None:
        self._frames = bench.frames(bench.cycle(number, 32))
        self._opening = bench.opening(keypair)
        self.answers = 0

    async def run(self, port: int) -> None:
        client = await RawClient.connect(port, limit=2**22)
        try:
            for frame in self._opening:
                client.writer.write(frame)
                await _answers(client.reader)
            ahead: list[bytes] = []
            waiting = 0
            while True:
                count = WINDOW - waiting
                if len(ahead) < count:
                    ahead += load.numbered(self._frames)
                client.writer.write(b"".join(ahead[:count]))
                del ahead[:count]
                waiting = WINDOW
                answered = await _answers(client.reader)
                waiting -= answered
                self.answers += answered
        finally:
            client.writer.close()


async def _answers(reader: asyncio.StreamReader) -> int:
    """Wait for a frame of the server's, skip what has come in with it, and count them."""
    count = 0
    while True:
        head = await reader.readexactly(2)
        size = head[1]
        if size == 126:
            size = int.from_bytes(await reader.readexactly(2), "big")
        await reader.readexactly(size)
        count += 1
        if not reader._buffer:  # type: ignore[attr-defined]  # what else would have to be waited for
            return count


@asynccontextmanager
async def flooded(server: Server, keypairs: list[Keypair]) -> AsyncIterator[list[Flood]]:
    floods = [Flood(number, keypair) for number, keypair in enumerate(keypairs)]
    tasks = [asyncio.create_task(flood.run(server.ws_port)) for flood in floods]
    try:
        yield floods
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def placed_when_taken(client: ExchangeClient) -> Order:
    """An order that rests, taken as soon as history isn't too far behind for new ones."""
    begun_s = time.monotonic()
    while True:
        try:
            return await client.place(limit("SOL_USDC", "Bid", Decimal(140), Decimal(1)))
        except ExchangeError as refusal:
            if refusal.code != "MAINTENANCE" or time.monotonic() - begun_s > PATIENCE_S:
                raise
            await asyncio.sleep(0.05)


async def gauge(ops: httpx.AsyncClient, name: str) -> float:
    text = (await ops.get("/metrics")).text
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"exchange_{name} "))


@pytest.mark.parametrize(
    ("seconds", "bounds"),
    [
        (3.0, Bounds(slow_at_records=50, full_at_records=3_000)),
        pytest.param(120.0, Bounds(), marks=[pytest.mark.torture, pytest.mark.timeout(600)]),
    ],
)
async def test_history_keeps_up_and_cancels_come_through(tmp_path: Path, seconds: float, bounds: Bounds) -> None:
    given = {"slow_at_records": bounds.slow_at_records, "full_at_records": bounds.full_at_records}
    server = Server(tmp_path / "data", SETTINGS | {"EXCHANGE_BOUNDS": json.dumps(given)})
    server.start()
    try:
        keypairs = await asyncio.to_thread(bench.open_accounts, server, CONNECTIONS)
        bob = ExchangeClient(server.http_url, Keypair(server.accounts["bob"].api_secret))
        http = httpx.AsyncClient(base_url=server.http_url, timeout=30)
        ops = httpx.AsyncClient(base_url=server.ops_url, timeout=30)
        async with bob, http, ops:
            placed = await placed_when_taken(bob)
            lags, cancels_s, histories_s, slowed = [], [], [], 0.0
            async with flooded(server, keypairs) as floods:
                end_s = time.monotonic() + seconds
                while time.monotonic() < end_s:
                    lags.append(await gauge(ops, "follower_lag_records"))
                    slowed = max(slowed, await gauge(ops, "intake_slowed"))
                    begun_s = time.monotonic()
                    await bob.cancel("SOL_USDC", order_id=placed.id)
                    cancels_s.append(time.monotonic() - begun_s)
                    shown = await bob.order_history("SOL_USDC", limit=1)
                    assert [order.id for order in shown] == [placed.id], "history says what its account was told"
                    placed = await placed_when_taken(bob)
                    histories_s.append(time.monotonic() - begun_s)
                    await asyncio.sleep(0.2)
                if seconds > PATIENCE_S:
                    family.kill(server, "all")
            if seconds > PATIENCE_S:
                assert family.gone(server)
                begun_s = time.monotonic()
                await asyncio.to_thread(server.start)
                print(f"started after {time.monotonic() - begun_s:.1f} s")
                await placed_when_taken(bob)
            answers = sum(flood.answers for flood in floods)
            print(
                f"{answers / seconds:,.0f} answers/s, lag at most {max(lags):,.0f}, cancels {max(cancels_s):.3f} s,"
                f" cancel, history and order {max(histories_s):.1f} s"
            )
            begun_s = time.monotonic()
            while await gauge(ops, "follower_lag_records"):
                assert time.monotonic() - begun_s < PATIENCE_S
                await asyncio.sleep(0.1)
            print(f"caught up after {time.monotonic() - begun_s:.1f} s")
            # Slowed so shortly, perhaps, that no look met it.
            enough = slowed or max(lags) > bounds.slow_at_records
            assert enough, "the flood was not enough for this test to say anything"
            assert max(lags) < bounds.full_at_records + OVERSHOOT_RECORDS
            await asyncio.sleep(0.3)
            assert (await http.get("/api/v1/status")).json() == {"status": "Ok", "message": None}
    finally:
        family.kill(server, "all")
        assert family.gone(server)
