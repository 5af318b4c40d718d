"""The bots against a really running exchange, and the client's tutorial against what they make of it."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from exchange_client import ExchangeClient, Keypair
from exchange_client.models import Order, Trade
from tests.clients.until import until, until_told
from tests.server import Server

ROOT = Path(__file__).parents[2]
MARKETS = ("SOL_USDC", "BTC_USDC", "ETH_USDC")
OWN = ["--market=SOL_USDC=150", "--market=BTC_USDC=60000", "--market=ETH_USDC=3000"]
TUTORIAL = re.findall(r"```python\n(.*?)```", (ROOT / "clients/python/README.md").read_text(), re.DOTALL)
WITHIN_S = 40.0


@contextmanager
def bots(server: Server, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """The bots' process; unless it was killed, it must end in order when told to."""
    command = [sys.executable, "-m", "exchange_bots", "--http", server.http_url, "--ws", server.ws_url]
    command += ["--accounts", str(server.data / "demo-accounts.json"), *OWN, *options]
    with (server.data.parent / "bots.log").open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT)
    try:
        yield process
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            assert process.wait(15) == 0
    finally:
        process.kill()
        process.wait()


@pytest.fixture
async def server(fresh_server: Callable[..., Server]) -> Server:
    return await asyncio.to_thread(fresh_server)


@pytest.fixture
async def client(server: Server) -> AsyncIterator[ExchangeClient]:
    async with ExchangeClient(server.http_url) as opened:
        yield opened


async def moves(client: ExchangeClient, symbols: Sequence[str] = MARKETS) -> None:
    """Wait until every market is quoted on both sides and trades on."""
    for symbol in symbols:
        before = await client.trades(symbol, limit=1)

        async def moved(symbol: str = symbol, before: list[Trade] = before) -> bool:
            depth = await client.depth(symbol)
            quoted = len(depth.bids) >= 5 and len(depth.asks) >= 5
            return quoted and await client.trades(symbol, limit=1) != before

        await until_told(moved, WITHIN_S)


async def test_markets_move_and_go_on_after_restarts_and_nothing_stays_behind(
    server: Server, client: ExchangeClient
) -> None:
    with bots(server, "--rate", "3"):
        await moves(client)
        await asyncio.to_thread(server.restart)
        await moves(client)
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        await moves(client)
    for symbol in MARKETS:
        depth = await client.depth(symbol)
        assert (depth.bids, depth.asks) == ([], [])


async def test_makers_take_over_what_an_earlier_life_left(server: Server, client: ExchangeClient) -> None:
    with bots(server) as first:
        await moves(client)
        first.kill()
        first.wait()
        left = {order.id for order in await resting(server)}
        assert left
        with bots(server):
            await asyncio.sleep(3)
            now = await resting(server)
            assert len(now) <= 2 * 5 * len(MARKETS)
            assert len({(order.symbol, order.side, order.price) for order in now}) == len(now)


async def resting(server: Server) -> list[Order]:
    orders: list[Order] = []
    for name, account in server.accounts.items():
        if name.startswith("bot-maker"):
            async with ExchangeClient(server.http_url, Keypair(account.api_secret)) as maker:
                orders += await maker.open_orders()
    return orders


def admin(server: Server, *words: str, key: str = "admin") -> None:
    where = ("--data", str(server.data), "--url", server.http_url, "--key", str(server.data / "keys" / f"{key}.json"))
    subprocess.run([sys.executable, "-m", "exchange.cli", "admin", *where, *words], check=True, capture_output=True)


async def test_the_demo_s_bots_keep_to_the_markets_it_was_founded_with(tmp_path: Path) -> None:
    """One listed later stays empty; one of theirs that is shut holds up none of the others."""
    server = Server(tmp_path / "data", bots=True)
    await asyncio.to_thread(server.start)
    try:
        terms = ("--tick", "0.00001", "--step", "0.1", "--reference-price", "0.0025", "--reason", "asked for")
        for key in ("admin", "admin-2"):
            admin(server, "list-market", "SOL", "BTC", *terms, key=key)
        admin(server, "mode", "POST_ONLY", "--market", "SOL_BTC", "--reason", "listed")
        admin(server, "mode", "FULL", "--market", "SOL_BTC", "--reason", "listed")
        admin(server, "mode", "OFFLINE", "--market", "BTC_USDC", "--reason", "a check")
        await asyncio.to_thread(server.restart)
        async with ExchangeClient(server.http_url) as client:
            states = {market.symbol: market.order_book_state for market in await client.markets()}
            assert (states["SOL_BTC"], states["BTC_USDC"]) == ("Open", "Closed")
            await moves(client, ("SOL_USDC", "ETH_USDC"))
            assert await client.trades("SOL_BTC") == []
            depth = await client.depth("SOL_BTC")
            assert (depth.bids, depth.asks) == ([], [])
        assert server.stop() == 0
    finally:
        server.kill()


async def test_a_market_that_is_not_listed_is_left_out(server: Server, client: ExchangeClient) -> None:
    with bots(server, "--market=NONE_USDC=1", "--rate", "3"):
        await moves(client)


async def test_bots_end_with_the_process_that_started_them(server: Server) -> None:
    starter = (
        "import os, subprocess, sys; "
        "bots = [sys.executable, '-m', 'exchange_bots', '--parent', str(os.getpid()), *sys.argv[1:]]; "
        "print(subprocess.Popen(bots).pid, flush=True); "
        "sys.stdin.read()"
    )
    options = ["--http", server.http_url, "--ws", server.ws_url]
    options += ["--accounts", str(server.data / "demo-accounts.json"), *OWN]
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", starter, *options), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    parent.kill()
    await until(lambda: not alive(pid), WITHIN_S)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"


async def test_the_tutorial_runs_as_it_stands(server: Server, client: ExchangeClient) -> None:
    assert len(TUTORIAL) >= 6
    said = []
    with bots(server, "--rate", "3"):
        await moves(client)
        for snippet in TUTORIAL:
            code = snippet.replace("http://127.0.0.1:8000", server.http_url)
            code = code.replace("ws://127.0.0.1:8001", server.ws_url)
            code = code.replace("data/demo-accounts.json", str(server.data / "demo-accounts.json"))
            run = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", code), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            out, err = await asyncio.wait_for(run.communicate(), WITHIN_S)
            assert run.returncode == 0, err.decode()
            said.append(out.decode())
    text = "".join(said)
    for expected in ("SOL_USDC Open", "Cancelled", "cancelled: 4", "bid (", "orderAccepted", "refused:"):
        assert expected in text, json.dumps(said, indent=1)
