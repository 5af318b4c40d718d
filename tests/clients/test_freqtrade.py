"""freqtrade, unmodified and live, through its own ccxt: it trades, outlives a SIGKILL of the exchange, and goes on.

It lives in an environment of its own (`make freqtrade`), and is set up as docs/clients.md says.
"""

import asyncio
import json
import os
import re
import sqlite3
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from exchange_client import ExchangeClient, Keypair
from tests.clients.until import until_told
from tests.server import Server

ROOT = Path(__file__).parents[2]
FREQTRADE = ROOT / "build" / "freqtrade" / ".venv" / "bin" / "freqtrade"
PAGE = (ROOT / "docs" / "clients.md").read_text()
#: A candle has to end before it trades, and one more after each trade; it waits up to 17 s between two tries.
TRADES_WITHIN_S = 150.0

pytestmark = [
    pytest.mark.clients,
    pytest.mark.torture,
    pytest.mark.skipif(not FREQTRADE.exists(), reason="freqtrade isn't installed: make freqtrade"),
]


def config(server: Server) -> dict[str, Any]:
    """The page's configuration, with this server's ports and an account of it."""
    block = re.search(r"```json freqtrade\n(.*?)```", PAGE, re.DOTALL)
    assert block is not None
    text = block[1].replace("http://127.0.0.1:8000", server.http_url).replace("ws://127.0.0.1:8001", server.ws_url)
    alice = server.accounts["alice"]
    settings: dict[str, Any] = json.loads(
        text.replace("<apiKey>", alice.api_key).replace("<apiSecret>", alice.api_secret)
    )
    return settings


@contextmanager
def running(server: Server, folder: Path) -> Iterator[Path]:
    """freqtrade with our strategy; the path of its database. It must still run at the end."""
    (folder / "user").mkdir()
    (folder / "config.json").write_text(json.dumps(config(server)))
    options = {
        "--config": folder / "config.json",
        "--userdir": folder / "user",
        "--strategy-path": Path(__file__).parent / "freqtrade",
        "--strategy": "InAndOut",
        "--db-url": f"sqlite:///{folder}/trades.sqlite",
    }
    command = [str(FREQTRADE), "trade", *(str(word) for option in options.items() for word in option)]
    with (folder / "freqtrade.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, env={**os.environ, "NO_COLOR": "1"}
        )
    try:
        yield folder / "trades.sqlite"
        assert process.poll() is None
    except BaseException:
        print((folder / "freqtrade.log").read_text()[-6000:])
        raise
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def ask(database: Path, query: str) -> list[Any]:
    """Rows of freqtrade's own records; none while it has not made them."""
    if not database.exists():
        return []
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)) as connection:
        try:
            return connection.execute(query).fetchall()
        except sqlite3.OperationalError:
            return []


def closed(database: Path) -> int:
    return len(ask(database, "SELECT id FROM trades WHERE is_open = 0"))


async def until_closed(database: Path, count: int) -> None:
    async def enough() -> bool:
        return closed(database) >= count

    await until_told(enough, 2 * TRADES_WITHIN_S)


async def until_holding(database: Path) -> None:
    """Until it has bought, knows it, and waits to sell: no request of its own is on the way."""
    orders = "SELECT 1 FROM trades JOIN orders ON ft_trade_id = trades.id WHERE trades.is_open = 1"

    async def holding() -> bool:
        bought = ask(database, f"{orders} AND ft_order_side = 'buy' AND ft_is_open = 0")
        return bool(bought) and not ask(database, f"{orders} AND ft_order_side = 'sell'")

    await until_told(holding, TRADES_WITHIN_S)


@pytest.mark.timeout(900)
async def test_it_trades_and_goes_on_after_a_kill_of_the_exchange(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", bots=True)
    await asyncio.to_thread(server.start)
    try:
        with running(server, tmp_path) as database:
            await until_holding(database)
            before = closed(database)
            await asyncio.to_thread(server.kill)
            await asyncio.sleep(3)
            await asyncio.to_thread(server.start)
            # What it held is sold, and it has bought and sold anew.
            await until_closed(database, before + 2)
            await until_holding(database)
        await agrees(server, database)
    finally:
        server.kill()


async def agrees(server: Server, database: Path) -> None:
    """freqtrade's orders and the exchange's fills are the same: amounts, prices and fees."""
    filled: dict[str, Decimal] = defaultdict(Decimal)
    paid: dict[str, Decimal] = defaultdict(Decimal)
    async with ExchangeClient(server.http_url, Keypair(server.accounts["alice"].api_secret)) as alice:
        assert await alice.open_orders() == []
        async for fill in alice.every_fill():
            filled[fill.order_id] += fill.quantity
            paid[fill.order_id] += fill.quantity * fill.price
    rows = ask(database, "SELECT order_id, status, filled, average FROM orders")
    assert len(rows) >= 5
    assert {order_id for order_id, *_ in rows} == set(filled)
    for order_id, status, amount, average in rows:
        assert (status, Decimal(str(amount))) == ("closed", filled[order_id])
        assert float(average) == pytest.approx(float(paid[order_id] / filled[order_id]), rel=1e-6)
