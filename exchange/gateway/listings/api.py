"""Assets, listings and market data: for everybody."""

from typing import Annotated, Final, Literal

import msgspec

from exchange.gateway.listings import examples, wire
from exchange.gateway.rest.operations import Also, Answer, Routes
from exchange.gateway.rest.parameters import Limit, Offset
from exchange.gateway.wire.base import Payload
from exchange.gateway.wire.errors import INVALID_SYMBOL, invalid
from exchange.runtime.port import Exchange
from exchange.values.refusals import Refusal

routes = Routes("Market data")
_DAYS: Final = {"1d": 1, "1w": 7}

MarketType = Literal["SPOT", "PERP", "IPERP", "DATED", "PREDICTION", "RFQ"]
UnixSeconds = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799)]


class MarketsQuery(Payload, frozen=True):
    market_type: tuple[MarketType, ...] = ()


class SymbolQuery(Payload, frozen=True):
    symbol: str


class TickerQuery(Payload, frozen=True):
    symbol: str
    interval: Literal["1d", "1w"] = "1d"


class TickersQuery(Payload, frozen=True):
    interval: Literal["1d", "1w"] = "1d"


class DepthQuery(Payload, frozen=True):
    symbol: str
    limit: Literal[5, 10, 20, 50, 100, 500, 1000] = 1000


class KlinesQuery(Payload, frozen=True):
    """Times in seconds."""

    symbol: str
    interval: wire.Interval
    start_time: UnixSeconds
    end_time: UnixSeconds | None = None
    price_type: Literal["Last", "Index", "Mark"] = "Last"


class TradesQuery(Payload, frozen=True):
    symbol: str
    limit: Limit = 100


class TradesHistoryQuery(Payload, frozen=True):
    symbol: str
    limit: Limit = 100
    offset: Offset = 0


@routes.public("GET", "/api/v1/assets", example=[examples.ASSET])
async def assets(exchange: Exchange) -> list[wire.MarketAsset]:
    """The assets that are listed."""
    return [wire.asset_to_wire(asset) for asset in exchange.assets()]


@routes.public("GET", "/api/v1/markets", example=[examples.MARKET])
async def markets(exchange: Exchange, params: MarketsQuery) -> list[wire.Market]:
    """The markets, their filters and their state."""
    return [
        wire.market_to_wire(market)
        for market in exchange.markets()
        if not params.market_type or market.spec.kind in params.market_type
    ]


@routes.public("GET", "/api/v1/market", example=examples.MARKET)
async def market(exchange: Exchange, params: SymbolQuery) -> wire.Market | Refusal:
    """One market."""
    found = exchange.market(params.symbol)
    return INVALID_SYMBOL if found is None else wire.market_to_wire(found)


@routes.public("GET", "/api/v1/ticker", example=examples.TICKER, hot=True, also=(Also(204, "Nothing traded"),))
async def ticker(exchange: Exchange, params: TickerQuery) -> wire.Ticker | Answer | Refusal:
    """A market's last day or week."""
    market = exchange.market(params.symbol)
    if market is None:
        return INVALID_SYMBOL
    view = await exchange.ticker(params.symbol, _DAYS[params.interval])
    if view is None:
        return Answer(status=204)
    return view if isinstance(view, Refusal) else wire.ticker_to_wire(view, market.spec)


@routes.public("GET", "/api/v1/tickers", example=[examples.TICKER])
async def tickers(exchange: Exchange, params: TickersQuery) -> list[wire.Ticker] | Refusal:
    """The last day or week of every market in which something traded."""
    found = []
    for market in exchange.markets():
        view = await exchange.ticker(market.spec.symbol, _DAYS[params.interval])
        if isinstance(view, Refusal):
            return view
        if view is not None:
            found.append(wire.ticker_to_wire(view, market.spec))
    return found


@routes.public("GET", "/api/v1/depth", example=examples.DEPTH, hot=True)
async def depth(exchange: Exchange, params: DepthQuery) -> wire.Depth | Refusal:
    """The book's levels nearest the touch, both sides ascending by price: the best bid is the last.

    `lastUpdateId` is of the same count as the ids of the depth stream. A market that is Closed still shows its book,
    which stands still and is the book it reopens with: this venue's own, where the protocol's has 404. Whether one may
    trade is said by `orderBookState`, never by whether there is a book.
    """
    market = exchange.market(params.symbol)
    if market is None:
        return INVALID_SYMBOL
    view = await exchange.depth(params.symbol, params.limit)
    return wire.depth_to_wire(view, market.spec)


@routes.public("GET", "/api/v1/klines", example=[examples.KLINE], history=True)
async def klines(exchange: Exchange, params: KlinesQuery, address: str) -> list[wire.Kline] | Refusal:
    """Candles, oldest first, at most 1,000; one in which nothing traded has null prices.

    `startTime` and `endTime` are in seconds and both inclusive: a candle that begins at `endTime` is there, or who asks
    for everything up to now would miss the newest one during its first second. The first candle there can be is the one
    in which the market was listed.
    """
    market = exchange.market(params.symbol)
    if market is None:
        return INVALID_SYMBOL
    if params.price_type != "Last":
        return []
    if params.end_time is not None and params.start_time > params.end_time:
        return invalid("`startTime` is after `endTime`")
    end_us = exchange.now_us() if params.end_time is None else (params.end_time + 1) * 1_000_000
    start_us = params.start_time * 1_000_000
    candles = await exchange.candles(address, params.symbol, params.interval, start_us, end_us)
    if isinstance(candles, Refusal):
        return candles
    return [wire.kline_to_wire(candle, market.spec) for candle in candles]


@routes.public("GET", "/api/v1/trades", example=[examples.TRADE])
async def trades(exchange: Exchange, params: TradesQuery, address: str) -> list[wire.Trade] | Refusal:
    """The last trades, newest first."""
    return await _trades(exchange, address, params.symbol, params.limit, 0)


@routes.public("GET", "/api/v1/trades/history", example=[examples.TRADE], history=True)
async def trades_history(exchange: Exchange, params: TradesHistoryQuery, address: str) -> list[wire.Trade] | Refusal:
    """Past trades, newest first."""
    return await _trades(exchange, address, params.symbol, params.limit, params.offset)


async def _trades(exchange: Exchange, address: str, symbol: str, limit: int, offset: int) -> list[wire.Trade] | Refusal:
    market = exchange.market(symbol)
    if market is None:
        return INVALID_SYMBOL
    found = await exchange.trades(address, symbol, limit, offset)
    if isinstance(found, Refusal):
        return found
    return [wire.trade_to_wire(trade, market.spec) for trade in found]
