"""Market data over REST: its shapes, its order, and what is refused."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
import pytest_asyncio

from tests.gateway.http_venue import SYMBOL, HttpVenue

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def quoted(venue: HttpVenue) -> AsyncIterator[HttpVenue]:
    """A book of four levels, and two trades at 100 and 101."""
    orders = [
        ("Bid", "98", "1"),
        ("Bid", "99", "2"),
        ("Ask", "102", "2"),
        ("Ask", "103", "1"),
        ("Ask", "100", "1"),
        ("Bid", "100", "1"),
        ("Bid", "101", "0.5"),
        ("Ask", "101", "0.5"),
    ]
    for side, price, quantity in orders:
        body = {"symbol": SYMBOL, "side": side, "orderType": "Limit", "price": price, "quantity": quantity}
        signer = venue.ann if side == "Bid" else venue.bob
        assert (await venue.ask(signer, "POST", "/api/v1/order", body)).status == 200
    yield venue


async def test_the_book_ascends_on_both_sides(quoted: HttpVenue) -> None:
    depth = (await quoted.get("/api/v1/depth", symbol=SYMBOL)).json
    assert depth["bids"] == [["98", "1"], ["99", "2"]]
    assert depth["asks"] == [["102", "2"], ["103", "1"]]
    assert isinstance(depth["lastUpdateId"], str)
    assert depth["timestamp"] > 10**15


async def test_a_limit_keeps_the_levels_nearest_the_touch(quoted: HttpVenue) -> None:
    for quantity in range(8):
        body = {"symbol": SYMBOL, "side": "Bid", "orderType": "Limit", "price": str(80 + quantity), "quantity": "1"}
        await quoted.ask(quoted.ann, "POST", "/api/v1/order", body)
    depth = (await quoted.get("/api/v1/depth", symbol=SYMBOL, limit=5)).json
    assert [row[0] for row in depth["bids"]] == ["85", "86", "87", "98", "99"]
    assert len((await quoted.get("/api/v1/depth", symbol=SYMBOL, limit=1000)).json["bids"]) == 10
    for wrong in (0, 6, 1001, "x", "5.0"):
        assert (await quoted.get("/api/v1/depth", symbol=SYMBOL, limit=wrong)).status == 400


async def test_listings(quoted: HttpVenue) -> None:
    [market] = (await quoted.get("/api/v1/markets")).json
    assert (await quoted.get("/api/v1/market", symbol=SYMBOL)).json == market
    assert (market["symbol"], market["baseSymbol"], market["quoteSymbol"]) == (SYMBOL, "SOL", "USDC")
    assert (market["marketType"], market["orderBookState"], market["visible"]) == ("SPOT", "Open", True)
    assert market["filters"]["price"]["tickSize"] == "0.01"
    assert (market["filters"]["price"]["minMultiplier"], market["filters"]["price"]["maxMultiplier"]) == (
        "0.75",
        "1.25",
    )
    assert market["filters"]["notional"] == {"minNotional": None, "maxNotional": None}
    assert market["filters"]["quantity"] == {"minQuantity": "0.01", "maxQuantity": None, "stepSize": "0.01"}
    assert (await quoted.http.get("/api/v1/markets?marketType=PERP&marketType=SPOT")).json() == [market]
    assert (await quoted.http.get("/api/v1/markets?marketType=SPOT&marketType=PERP")).json() == [market]
    assert (await quoted.get("/api/v1/markets", marketType="PERP")).json == []
    assert (await quoted.get("/api/v1/markets", marketType="SWAP")).status == 400
    assert [asset["symbol"] for asset in (await quoted.get("/api/v1/assets")).json] == ["SOL", "USDC"]


async def test_trades_newest_first(quoted: HttpVenue) -> None:
    trades = (await quoted.get("/api/v1/trades", symbol=SYMBOL)).json
    assert [(trade["id"], trade["price"], trade["quantity"], trade["quoteQuantity"]) for trade in trades] == [
        (2, "101", "0.5", "50.5"),
        (1, "100", "1", "100"),
    ]
    # First Bob's offer was taken, then Ann's bid.
    assert [trade["isBuyerMaker"] for trade in trades] == [True, False]
    assert trades[0]["timestamp"] < 10**14
    assert (await quoted.get("/api/v1/trades/history", symbol=SYMBOL, offset=1, limit=1)).json == trades[1:]


async def test_the_ticker_is_of_the_last_day(quoted: HttpVenue) -> None:
    ticker = (await quoted.get("/api/v1/ticker", symbol=SYMBOL)).json
    assert ticker == {
        "symbol": SYMBOL,
        "firstPrice": "100",
        "lastPrice": "101",
        "priceChange": "1",
        "priceChangePercent": "0.01",
        "high": "101",
        "low": "100",
        "volume": "1.5",
        "quoteVolume": "150.5",
        "trades": "2",
    }
    assert (await quoted.get("/api/v1/tickers", interval="1w")).json == [ticker]


async def test_candles_oldest_first_with_empty_ones_between(quoted: HttpVenue) -> None:
    now_s = quoted.clock.now_us() // 1_000_000
    query = {"symbol": SYMBOL, "interval": "1m", "startTime": now_s - 300, "endTime": now_s + 60}
    candles = (await quoted.get("/api/v1/klines", **query)).json
    assert candles[0]["open"] is None
    assert (candles[0]["volume"], candles[0]["trades"]) == ("0", "0")
    traded = [candle for candle in candles if candle["open"] is not None]
    assert sum(int(candle["trades"]) for candle in traded) == 2
    assert traded[0]["open"] == "100"
    assert traded[-1]["close"] == "101"
    # They begin where the market does, however long ago one asks from.
    listed = datetime.fromisoformat((await quoted.get("/api/v1/market", symbol=SYMBOL)).json["createdAt"])
    for interval in ("1m", "1month"):
        earliest = (await quoted.get("/api/v1/klines", symbol=SYMBOL, interval=interval, startTime=0)).json
        assert sum(int(candle["trades"]) for candle in earliest) == 2
        begins, ends = (datetime.fromisoformat(earliest[0][side]) for side in ("start", "end"))
        assert begins <= listed < ends
    assert (await quoted.get("/api/v1/klines", **{**query, "startTime": 0, "endTime": 10**9})).json == []
    minute_s = now_s - now_s % 60
    newest = (await quoted.get("/api/v1/klines", **{**query, "endTime": minute_s})).json[-1]
    assert newest == candles[-1], "asked in the first second of a minute, up to now: that minute's candle"
    starts = [candle["start"] for candle in candles]
    assert starts == sorted(starts)
    assert starts[0][10] == " "
    for wrong in ({"startTime": ""}, {"interval": "7m"}, {"startTime": now_s, "endTime": 5}, {"startTime": -1}):
        assert (await quoted.get("/api/v1/klines", **{**query, **wrong})).status == 400


@pytest.mark.parametrize("path", ["market", "depth", "ticker", "klines", "trades", "trades/history", "fundingRates"])
async def test_an_unknown_symbol(venue: HttpVenue, path: str) -> None:
    more: dict[str, Any] = {"interval": "1m", "startTime": 1} if path == "klines" else {}
    refused = await venue.get(f"/api/v1/{path}", symbol="NO_SUCH", **more)
    assert refused.refusal == (400, "INVALID_CLIENT_REQUEST", "Invalid market symbol")
    assert (await venue.get(f"/api/v1/{path}", **more)).status == 400


async def test_nothing_to_report_has_no_body_and_no_length(venue: HttpVenue) -> None:
    venue.clock.pass_s(8 * 86_400)
    empty = await venue.get("/api/v1/ticker", symbol=SYMBOL)
    assert (empty.status, empty.text) == (204, "")
    assert not {"content-length", "content-type"} & set(empty.headers)
    assert (await venue.get("/api/v1/tickers")).json == []


async def test_ping_and_time_are_text(venue: HttpVenue) -> None:
    ping, time = await venue.get("/api/v1/ping"), await venue.get("/api/v1/time")
    assert (ping.media_type, ping.text) == (time.media_type, "pong") == ("text/plain", "pong")
    assert int(time.text) == venue.clock.now_us() // 1_000


async def test_what_is_not_there_is_refused_in_the_same_words(venue: HttpVenue) -> None:
    assert (await venue.get("/api/v1/nothing")).refusal == (404, "RESOURCE_NOT_FOUND", "Not Found")
    assert (await venue.get("/api/v1/status/")).status == 404
    wrong = await venue.http.put("/api/v1/order")
    assert wrong.status_code == 405
    assert set(wrong.headers["allow"].split(", ")) == {"GET", "HEAD", "POST", "DELETE"}
    assert wrong.json()["code"] == "INVALID_CLIENT_REQUEST"


async def test_public_data_may_be_read_from_any_page(venue: HttpVenue) -> None:
    for path in ("/api/v1/time", "/api/v1/markets"):
        assert (await venue.get(path)).headers["access-control-allow-origin"] == "*"
    own = await venue.ask(venue.ann, "GET", "/api/v1/capital")
    assert "access-control-allow-origin" not in own.headers
