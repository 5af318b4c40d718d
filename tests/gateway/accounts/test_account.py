"""An account's settings and limits over REST, and what each key may see."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from tests.gateway.http_venue import SYMBOL, HttpVenue
from tests.runtime.running import writer_held

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_account_and_its_settings(traded: HttpVenue) -> None:
    shown = (await traded.ask(traded.reader, "GET", "/api/v1/account")).json
    assert (shown["spotMakerFee"], shown["spotTakerFee"]) == ("8", "10")
    assert (shown["leverageLimit"], shown["autoLend"], shown["limitOrders"]) == ("10", False, 1)
    body = {"autoLend": True, "leverageLimit": "3.5"}
    changed = await traded.ask(traded.ann, "PATCH", "/api/v1/account", body)
    assert (changed.status, changed.text) == (200, "")
    shown = (await traded.ask(traded.ann, "GET", "/api/v1/account")).json
    assert (shown["leverageLimit"], shown["autoLend"], shown["autoRepayBorrows"]) == ("3.5", True, False)
    for wrong in ({"leverageLimit": "x"}, {"leverageLimit": "-1"}, {"autoLend": "perhaps"}):
        assert (await traded.ask(traded.ann, "PATCH", "/api/v1/account", wrong)).status == 400
    assert (await traded.ask(traded.reader, "PATCH", "/api/v1/account", body)).refusal[:2] == (403, "FORBIDDEN")


async def test_two_clients_that_change_different_settings_at_once_lose_neither(traded: HttpVenue) -> None:
    ann = traded.ann
    await traded.ask(ann, "PATCH", "/api/v1/account", {"autoRepayBorrows": False, "cancelAtClose": True})
    changes = ({"autoRepayBorrows": True}, {"leverageLimit": "7"}, {"cancelAtClose": False})
    with writer_held(traded.life):  # all three are asked before any has its answer
        asked = [asyncio.create_task(traded.ask(ann, "PATCH", "/api/v1/account", change)) for change in changes]
        await asyncio.sleep(0.1)
    assert [(await answer).status for answer in asked] == [200, 200, 200]
    shown = (await traded.ask(ann, "GET", "/api/v1/account")).json
    assert (shown["autoRepayBorrows"], shown["leverageLimit"], shown["cancelAtClose"]) == (True, "7", False)


async def test_the_limit_on_orders_is_the_limit(traded: HttpVenue) -> None:
    query = {"symbol": SYMBOL, "side": "Bid", "price": "100"}
    limit = (await traded.ask(traded.ann, "GET", "/api/v1/account/limits/order", query=query)).json
    assert (limit["symbol"], limit["side"], limit["price"]) == (SYMBOL, "Bid", "100")
    order = {"symbol": SYMBOL, "side": "Bid", "orderType": "Limit", "price": "100"}
    more = str(Decimal(limit["maxOrderQuantity"]) + Decimal("0.01"))
    refused = await traded.ask(traded.ann, "POST", "/api/v1/order", {**order, "quantity": more})
    assert refused.refusal[:2] == (400, "INSUFFICIENT_FUNDS")
    whole = {**order, "quantity": limit["maxOrderQuantity"]}
    placed = await traded.ask(traded.ann, "POST", "/api/v1/order", whole)
    assert placed.status == 200
    where = {"symbol": SYMBOL, "orderId": placed.json["id"]}
    assert (await traded.ask(traded.ann, "DELETE", "/api/v1/order", where)).status == 200


async def test_other_limits(traded: HttpVenue) -> None:
    async def limit(kind: str, **query: Any) -> Any:
        return (await traded.ask(traded.ann, "GET", f"/api/v1/account/limits/{kind}", query=query)).json

    assert await limit("borrow", symbol="USDC") == {"symbol": "USDC", "maxBorrowQuantity": "0"}
    assert (await limit("withdrawal", symbol="USDC"))["maxWithdrawalQuantity"] == "0"
    assert (await limit("withdrawal", symbol="DOGE"))["code"] == "INVALID_ASSET"
    assert (await limit("order", symbol=SYMBOL, side="Bid", price="1.001"))["message"] == "Price decimal too long"
    assert (await limit("order", symbol=SYMBOL, side="Up"))["code"] == "INVALID_CLIENT_REQUEST"
