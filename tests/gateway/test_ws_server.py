"""The WebSocket server as an independent client library and raw sockets see it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import websockets

from exchange.gateway.ws_limits import WsLimits
from exchange.gateway.ws_server import WsServer
from tests.gateway.live_venue import LiveVenue, Trader


class Running:
    def __init__(self, limits: WsLimits | None = None) -> None:
        self.venue = LiveVenue()
        self.server = WsServer(self.venue.services(limits))
        self.port = 0

    async def __aenter__(self) -> "Running":
        self.port = await self.server.listen("127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.close()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with Running() as one:
        yield one


async def call(client: websockets.ClientConnection, method: str, params: Any, request_id: int = 1) -> Any:
    await client.send(json.dumps({"id": request_id, "method": method, "params": params}))
    return json.loads(await asyncio.wait_for(client.recv(), 5))


async def login(client: websockets.ClientConnection, running: Running, trader: Trader) -> Any:
    key, signature, timestamp, window = trader.signature("sessionLogin", running.venue.exchange.now_us() // 1000)
    params = {"apiKey": key, "signature": signature, "timestamp": timestamp, "window": window}
    return await call(client, "session.login", params)


ORDER = {"symbol": "SOL_USDC", "side": "Bid", "orderType": "Limit", "price": "99.5", "quantity": "1.5", "clientId": 7}


async def test_an_order_is_placed_queried_and_cancelled(running: Running) -> None:
    trader = running.venue.trader()
    async with websockets.connect(running.url) as client:
        assert (await login(client, running, trader))["status"] == 200
        placed = await call(client, "order.place", ORDER, 2)
        assert placed["id"] == 2
        assert placed["result"]["status"] == "New"
        found = await call(client, "order.query", {"symbol": "SOL_USDC", "clientId": 7}, 3)
        assert found["result"] == placed["result"]
        gone = await call(client, "order.cancel", {"symbol": "SOL_USDC", "orderId": placed["result"]["id"]}, 4)
        assert gone["result"]["status"] == "Cancelled"
