"""What each mode looks like over REST, from FULL down to OFFLINE."""

import pytest

from exchange.values.enums import Mode
from exchange.values.modes.commands import SetMode
from tests import venue as core
from tests.gateway.http_venue import SYMBOL, HttpVenue, http_venue
from tests.runtime.running import done

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORDER = {"symbol": SYMBOL, "side": "Bid", "orderType": "Limit", "price": "90", "quantity": "1"}
MARKET = {"symbol": SYMBOL, "side": "Bid", "orderType": "Market", "quantity": "1"}


async def place(venue: HttpVenue, order: dict[str, str]) -> int:
    return (await venue.ask(venue.ann, "POST", "/api/v1/order", order)).status


async def state(venue: HttpVenue) -> str:
    return str((await venue.get("/api/v1/market", symbol=SYMBOL)).json["orderBookState"])


async def test_from_open_to_closed(venue: HttpVenue) -> None:
    exchange = venue.life.venue
    offer = {**ORDER, "side": "Ask", "price": "100", "quantity": "5"}
    assert (await venue.ask(venue.bob, "POST", "/api/v1/order", offer)).status == 200
    assert await state(venue) == "Open"
    assert (await venue.get("/api/v1/status")).json == {"status": "Ok", "message": None}
    assert await place(venue, MARKET) == 200

    await done(exchange, SetMode(core.ADMIN, Mode.LIMIT_ONLY, "test"))
    assert await state(venue) == "LimitOnly"
    assert (await venue.get("/api/v1/status")).json == {"status": "Ok", "message": "LIMIT_ONLY: test"}
    assert await place(venue, MARKET) == 400
    assert await place(venue, {**ORDER, "price": "100"}) == 200

    await done(exchange, SetMode(core.ADMIN, Mode.POST_ONLY, "test"))
    assert await state(venue) == "PostOnly"
    assert (await venue.get("/api/v1/status")).json == {"status": "Ok", "message": "POST_ONLY: test"}
    assert await place(venue, {**ORDER, "price": "100"}) == 400
    assert await place(venue, ORDER) == 200

    await done(exchange, SetMode(core.ADMIN, Mode.CANCEL_ONLY, "test"))
    assert await state(venue) == "CancelOnly"
    assert await place(venue, ORDER) == 400
    cancelled = await venue.ask(venue.ann, "DELETE", "/api/v1/orders", {"symbol": SYMBOL})
    assert len(cancelled.json) == 1
    assert (await venue.get("/api/v1/status")).json == {"status": "Maintenance", "message": "CANCEL_ONLY: test"}

    book = (await venue.get("/api/v1/depth", symbol=SYMBOL)).json
    await done(exchange, SetMode(core.ADMIN, Mode.OFFLINE, "Planned maintenance"))
    assert await state(venue) == "Closed"
    assert (await venue.get("/api/v1/status")).json == {
        "status": "Maintenance",
        "message": "OFFLINE: Planned maintenance",
    }
    assert await place(venue, ORDER) == 503
    refused = await venue.ask(venue.ann, "DELETE", "/api/v1/orders", {"symbol": SYMBOL})
    assert refused.refusal[:2] == (503, "MAINTENANCE")
    assert (await venue.ask(venue.ann, "GET", "/api/v1/capital")).status == 200
    shut = (await venue.get("/api/v1/depth", symbol=SYMBOL)).json
    assert (shut["bids"], shut["asks"]) == (book["bids"], book["asks"]) == ([], [["100", "3"]])


async def test_one_market_shut_is_no_maintenance_of_the_venue(tmp_path_factory: pytest.TempPathFactory) -> None:
    async with http_venue(tmp_path_factory.mktemp("one") / "data") as venue:
        await done(venue.life.venue, SetMode(core.ADMIN, Mode.OFFLINE, "test", SYMBOL))
        refused = await venue.ask(venue.ann, "POST", "/api/v1/order", ORDER)
        assert refused.refusal[:2] == (400, "TRADING_PAUSED")
        assert (await venue.get("/api/v1/status")).json["status"] == "Ok"
