"""The blocks of docs/clients.md run as they stand, and what the page says of reconnects is so."""

import asyncio
import re
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from exchange_client import ExchangeClient, Keypair, limit
from tests.clients.until import until, until_told
from tests.server import Server

pytestmark = pytest.mark.clients

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "clients.md").read_text()
BLOCKS: dict[str, str] = dict(re.findall(r"```python ([\w.]+)\n(.*?)```", PAGE, re.DOTALL))
SYMBOL = "SOL/USDC"
WITHIN_S = 30.0


def localised(server: Server, block: str) -> str:
    text = BLOCKS[block].replace("http://127.0.0.1:8000", server.http_url)
    text = text.replace("ws://127.0.0.1:8001", server.ws_url)
    return text.replace("data/demo-accounts.json", str(server.data / "demo-accounts.json"))


def test_every_block_is_run_here_or_by_freqtrade() -> None:
    assert set(re.findall(r"```(\w.*)\n", PAGE)) == {"json freqtrade", *(f"python {name}" for name in BLOCKS)}
    assert {"ccxt", "ccxt.pro", "sdk"} <= set(BLOCKS)


@pytest.fixture
async def fresh(fresh_server: Callable[..., Server]) -> Server:
    return await asyncio.to_thread(fresh_server)


async def quote(client: ExchangeClient, bid: int) -> None:
    """One level on each side."""
    await client.cancel_all("SOL_USDC")
    await client.place(limit("SOL_USDC", "Bid", Decimal(bid), Decimal(1)))
    await client.place(limit("SOL_USDC", "Ask", Decimal(160), Decimal(1)))


async def test_the_blocks_run_as_they_stand(fresh: Server) -> None:
    async with ExchangeClient(fresh.http_url, Keypair(fresh.accounts["bob"].api_secret)) as bob:
        for name in BLOCKS:
            running = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", localised(fresh, name)),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            talk = asyncio.create_task(running.communicate())
            bid = 139
            while not talk.done():  # the book has to move for a stream to say something
                bid = 140 if bid == 139 else 139
                await quote(bob, bid)
                await asyncio.wait([talk], timeout=0.2)
            out, err = await asyncio.wait_for(talk, WITHIN_S)
            assert running.returncode == 0, f"{name}: {err.decode()}"
            assert out


async def test_a_book_of_ccxt_pro_goes_on_true_after_a_kill_of_the_exchange(fresh: Server) -> None:
    """With what the page says to do. Without it the book keeps a level that is gone."""
    page: dict[str, Any] = {"__name__": "page"}
    exec(localised(fresh, "ccxt.pro"), page)
    exchange = page["connect"]()
    seen: list[Any] = []

    async def follow() -> None:
        async for book in page["books"](exchange, SYMBOL):
            seen.append([list(row) for row in book["bids"]])

    async with ExchangeClient(fresh.http_url, Keypair(fresh.accounts["bob"].api_secret)) as bob:
        watching = asyncio.create_task(follow())
        try:

            async def shows(bid: float) -> bool:
                await quote(bob, int(bid))
                return bool(seen) and [bid, 1.0] in seen[-1]

            await until_told(lambda: shows(140.0), WITHIN_S)
            await asyncio.to_thread(fresh.kill)
            await asyncio.to_thread(fresh.start)
            # The client has not noticed yet, or not come back: this change is never told to it.
            await quote(bob, 139)
            await until_told(lambda: shows(138.0), WITHIN_S)
            rest = await exchange.fetch_order_book(SYMBOL)
            await until(lambda: seen[-1] == rest["bids"], WITHIN_S)
        finally:
            watching.cancel()
            await exchange.close()
