"""The `data` of the streams of a market: an update of the exchange, in the wire contract's letters.

The fields have names here; the tables beside them say which letter each becomes. Times `E` and
`T` are µs; a kline's `t` and `T` are text. Prices and quantities are the shortest exact decimal.
"""

import msgspec

from exchange.gateway.wire.numbers import amount_text, price_text, quantity_text
from exchange.gateway.wire.times import stream_kline_text
from exchange.values.listings.specs import MarketSpec
from exchange.values.listings.views import BookTicker, CandleView, DepthDelta, TickerView, TradeView

_encode = msgspec.json.Encoder().encode

_COMMON = {"event": "e", "event_us": "E", "symbol": "s", "engine_us": "T"}


class _BookTicker(
    msgspec.Struct,
    gc=False,
    rename=_COMMON | {"ask": "a", "ask_quantity": "A", "bid": "b", "bid_quantity": "B", "update_id": "u"},
):
    event: str
    event_us: int
    symbol: str
    ask: str | None
    ask_quantity: str | None
    bid: str | None
    bid_quantity: str | None
    update_id: int
    engine_us: int


def book_ticker(update: BookTicker, spec: MarketSpec) -> bytes:
    """A side without orders has nulls."""
    return _encode(
        _BookTicker(
            event="bookTicker",
            event_us=update.time_us,
            symbol=update.market,
            ask=_price(spec, update.ask_ticks),
            ask_quantity=_quantity(spec, update.ask_lots),
            bid=_price(spec, update.bid_ticks),
            bid_quantity=_quantity(spec, update.bid_lots),
            update_id=update.update_id,
            engine_us=update.time_us,
        )
    )


class _Depth(msgspec.Struct, rename=_COMMON | {"asks": "a", "bids": "b", "first_id": "U", "last_id": "u"}):
    event: str
    event_us: int
    symbol: str
    asks: list[tuple[str, str]]
    bids: list[tuple[str, str]]
    first_id: int
    last_id: int
    engine_us: int


def depth(update: DepthDelta, spec: MarketSpec) -> bytes:
    """Both sides ascending by price; a level that is gone has quantity "0"."""
    return _encode(
        _Depth(
            event="depth",
            event_us=update.time_us,
            symbol=update.market,
            asks=_levels(spec, update.asks),
            bids=_levels(spec, update.bids),
            first_id=update.first_id,
            last_id=update.last_id,
            engine_us=update.time_us,
        )
    )


class _Trade(
    msgspec.Struct,
    gc=False,
    rename=_COMMON
    | {
        "price": "p",
        "quantity": "q",
        "buyer_order_id": "b",
        "seller_order_id": "a",
        "trade_id": "t",
        "buyer_is_maker": "m",
    },
):
    event: str
    event_us: int
    symbol: str
    price: str
    quantity: str
    buyer_order_id: str
    seller_order_id: str
    trade_id: int
    engine_us: int
    buyer_is_maker: bool


def trade(update: TradeView, spec: MarketSpec) -> bytes:
    return _encode(
        _Trade(
            event="trade",
            event_us=update.time_us,
            symbol=update.market,
            price=price_text(update.price_ticks, spec),
            quantity=quantity_text(update.lots, spec),
            buyer_order_id=str(update.buyer_order_id),
            seller_order_id=str(update.seller_order_id),
            trade_id=update.trade_id,
            engine_us=update.time_us,
            buyer_is_maker=update.buyer_is_maker,
        )
    )


class _Kline(
    msgspec.Struct,
    gc=False,
    rename={
        "event": "e",
        "event_us": "E",
        "symbol": "s",
        "start": "t",
        "end": "T",
        "open": "o",
        "close": "c",
        "high": "h",
        "low": "l",
        "volume": "v",
        "trades": "n",
        "closed": "X",
    },
):
    event: str
    event_us: int
    symbol: str
    start: str
    end: str
    open: str | None
    close: str | None
    high: str | None
    low: str | None
    volume: str
    trades: int
    closed: bool


def kline(update: CandleView, spec: MarketSpec, now_us: int) -> bytes:
    """Prices are null where nothing traded. `now_us` is when the frame is made."""
    return _encode(
        _Kline(
            event="kline",
            event_us=now_us,
            symbol=update.market,
            start=stream_kline_text(update.start_us),
            end=stream_kline_text(update.end_us),
            open=_price(spec, update.open_ticks),
            close=_price(spec, update.close_ticks),
            high=_price(spec, update.high_ticks),
            low=_price(spec, update.low_ticks),
            volume=quantity_text(update.lots, spec),
            trades=update.trades,
            closed=update.closed,
        )
    )


class _Ticker(
    msgspec.Struct,
    gc=False,
    rename={
        "event": "e",
        "event_us": "E",
        "symbol": "s",
        "first": "o",
        "last": "c",
        "high": "h",
        "low": "l",
        "volume": "v",
        "quote_volume": "V",
        "trades": "n",
    },
):
    event: str
    event_us: int
    symbol: str
    first: str
    last: str
    high: str
    low: str
    volume: str
    quote_volume: str
    trades: int


def ticker(update: TickerView, spec: MarketSpec) -> bytes:
    return _encode(
        _Ticker(
            event="ticker",
            event_us=update.time_us,
            symbol=update.market,
            first=price_text(update.first_ticks, spec),
            last=price_text(update.last_ticks, spec),
            high=price_text(update.high_ticks, spec),
            low=price_text(update.low_ticks, spec),
            volume=quantity_text(update.lots, spec),
            quote_volume=amount_text(update.quote_atoms, spec.quote_decimals),
            trades=update.trades,
        )
    )


def _price(spec: MarketSpec, ticks: int | None) -> str | None:
    return None if ticks is None else price_text(ticks, spec)


def _quantity(spec: MarketSpec, lots: int | None) -> str | None:
    return None if lots is None else quantity_text(lots, spec)


def _levels(spec: MarketSpec, levels: tuple[tuple[int, int], ...]) -> list[tuple[str, str]]:
    return [(price_text(ticks, spec), quantity_text(lots, spec)) for ticks, lots in levels]
