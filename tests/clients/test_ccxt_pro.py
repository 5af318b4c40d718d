"""ccxt.pro, unmodified, over WebSocket: its own caches and book synchronisation, against a running server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import ccxt.pro
import pytest

from tests.server import Account, Server

pytestmark = pytest.mark.clients

SYMBOL = "SOL/USDC"
PRICE = 150.0
#: Nothing here takes longer on a healthy server.
WITHIN_S = 15.0

T = TypeVar("T")


@asynccontextmanager
async def connected(server: Server, account: Account) -> AsyncIterator[Any]:
    client = ccxt.pro.backpack({"apiKey": account.api_key, "secret": account.api_secret, "enableRateLimit": False})
    ws = {"public": server.ws_url, "private": server.ws_url}
    client.urls["api"] = {"public": server.http_url, "private": server.http_url, "ws": ws}
    try:
        await client.load_markets()
        await client.cancel_all_orders(SYMBOL)
        yield client
        await client.cancel_all_orders(SYMBOL)
    finally:
        await client.close()


@pytest.fixture
async def maker(server: Server) -> AsyncIterator[Any]:
    async with connected(server, server.accounts["carol"]) as client:
        yield client


@pytest.fixture
async def taker(server: Server) -> AsyncIterator[Any]:
    async with connected(server, server.accounts["dave"]) as client:
        yield client


async def soon(awaitable: Awaitable[T]) -> T:
    return await asyncio.wait_for(awaitable, WITHIN_S)


@asynccontextmanager
async def keeps_moving(client: Any) -> AsyncIterator[None]:
    """The book changes all the time: ccxt waits for eleven changes before it shows one."""

    async def move() -> None:
        n = 0
        while True:
            n += 1
            order = await client.create_order(SYMBOL, "limit", "buy", 0.5, PRICE - 1 - n % 20 / 100)
            await client.cancel_order(order["id"], SYMBOL)

    moving = asyncio.create_task(move())
    try:
        yield
    finally:
        moving.cancel()
        with suppress(asyncio.CancelledError):
            await moving


@asynccontextmanager
async def keeps_trading(maker: Any, taker: Any) -> AsyncIterator[None]:
    """Trades of 0.1 at PRICE, all the time."""

    async def trade() -> None:
        while True:
            await maker.create_order(SYMBOL, "limit", "sell", 0.1, PRICE)
            await taker.create_order(SYMBOL, "limit", "buy", 0.1, PRICE, {"timeInForce": "IOC"})

    trading = asyncio.create_task(trade())
    try:
        yield
    finally:
        trading.cancel()
        with suppress(asyncio.CancelledError):
            await trading
        await maker.cancel_all_orders(SYMBOL)


async def test_order_book_follows_the_rest_book(maker: Any, taker: Any) -> None:
    await maker.create_order(SYMBOL, "limit", "sell", 2, PRICE + 1)
    async with keeps_moving(taker):
        for _ in range(20):
            book = await soon(maker.watch_order_book(SYMBOL))
    assert book["asks"][0] == [PRICE + 1, 2.0]
    await maker.create_order(SYMBOL, "limit", "buy", 3, PRICE - 2)
    rest = await maker.fetch_order_book(SYMBOL)
    # The book it gave out goes on by itself; nothing else moves the market now.
    for _ in range(100):
        if book["nonce"] == rest["nonce"]:
            break
        await asyncio.sleep(0.05)
    assert book["nonce"] == rest["nonce"]
    assert [PRICE - 2, 3.0] in rest["bids"]
    assert [list(row) for row in book["bids"]] == rest["bids"]
    assert [list(row) for row in book["asks"]] == rest["asks"]


async def test_trades(maker: Any, taker: Any) -> None:
    async with keeps_trading(maker, taker):
        trades = await soon(maker.watch_trades(SYMBOL))
    assert (trades[-1]["price"], trades[-1]["amount"], trades[-1]["side"]) == (PRICE, 0.1, "buy")


async def test_ticker_and_touch(maker: Any, taker: Any) -> None:
    async with keeps_trading(maker, taker):
        assert (await soon(maker.watch_ticker(SYMBOL)))["last"] == PRICE
    await maker.create_order(SYMBOL, "limit", "sell", 2, PRICE + 1)
    async with keeps_moving(taker):
        while True:
            touch = (await soon(maker.watch_bids_asks([SYMBOL])))[SYMBOL]
            if touch["bid"] is not None:
                break
    assert (touch["ask"], touch["askVolume"]) == (PRICE + 1, 2.0)
    assert PRICE - 2 < touch["bid"] < PRICE


async def test_candles(maker: Any, taker: Any) -> None:
    async with keeps_trading(maker, taker):
        candles = await soon(maker.watch_ohlcv(SYMBOL, "1m"))
    opened_ms, _open, _high, _low, close, volume = candles[-1]
    assert opened_ms % 60_000 == 0
    assert close == PRICE
    assert volume > 0


@pytest.mark.parametrize(("symbol", "client_id"), [(None, 4242), (SYMBOL, 4243)])
async def test_own_orders(maker: Any, symbol: str | None, client_id: int) -> None:
    watching = asyncio.create_task(maker.watch_orders(symbol))
    await asyncio.sleep(0.5)
    placed = await maker.create_order(SYMBOL, "limit", "buy", 1, PRICE - 3, {"clientOrderId": client_id})
    accepted = (await soon(watching))[-1]
    assert (accepted["id"], accepted["status"], accepted["clientOrderId"]) == (placed["id"], "open", str(client_id))
    assert (accepted["price"], accepted["amount"], accepted["side"]) == (PRICE - 3, 1.0, "buy")
    watching = asyncio.create_task(maker.watch_orders(symbol))
    await asyncio.sleep(0)
    await maker.cancel_order(placed["id"], SYMBOL)
    ended = (await soon(watching))[-1]
    assert (ended["id"], ended["status"]) == (placed["id"], "canceled")


async def test_own_fills(maker: Any, taker: Any) -> None:
    await maker.create_order(SYMBOL, "limit", "sell", 0.4, PRICE)
    seen: dict[str, Any] = {}

    async def watch() -> None:
        while seen.get("status") != "closed":
            seen.update((await taker.watch_orders(SYMBOL))[-1])

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0.5)
    bought = await taker.create_order(SYMBOL, "limit", "buy", 0.4, PRICE)
    await soon(watching)
    assert (seen["id"], seen["filled"]) == (bought["id"], 0.4)


async def test_own_balances(maker: Any) -> None:
    before = await maker.fetch_balance()
    watching = asyncio.create_task(maker.watch_balance())
    await asyncio.sleep(0.5)
    await maker.create_order(SYMBOL, "limit", "buy", 1, PRICE - 3)
    balance = await soon(watching)
    assert balance["USDC"]["used"] == pytest.approx(before["USDC"]["used"] + PRICE - 3)
    assert balance["USDC"]["free"] == pytest.approx(before["USDC"]["free"] - (PRICE - 3))


async def test_the_http_port_carries_the_same_streams(server: Server, taker: Any) -> None:
    account = server.accounts["carol"]
    async with connected(server, account) as client:
        ws = server.http_url.replace("http", "ws") + "/ws"
        client.urls["api"]["ws"] = {"public": ws, "private": ws}
        await client.create_order(SYMBOL, "limit", "sell", 2, PRICE + 1)
        async with keeps_moving(taker):
            book = await soon(client.watch_order_book(SYMBOL))
            assert book["asks"][0] == [PRICE + 1, 2.0]
