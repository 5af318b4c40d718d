"""Assets, listings and market data as clients read them over REST."""

from enum import StrEnum, unique
from typing import Final, Literal

from exchange.gateway.wire.base import Wire
from exchange.gateway.wire.numbers import amount_text, level_texts, price_text, quantity_text
from exchange.gateway.wire.times import iso_text, kline_text, milliseconds
from exchange.values.enums import MarketKind, Mode
from exchange.values.listings.specs import AssetSpec, MarketFilters, MarketSpec
from exchange.values.listings.views import CandleView, DepthView, MarketView, TickerView, TradeView
from exchange.values.numbers import PPM

#: A kline's, over REST and on streams.
Interval = Literal[
    "1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1month"
]
_PPM_DECIMALS: Final = len(str(PPM)) - 1


@unique
class OrderBookState(StrEnum):
    """A market's mode, in the protocol's word."""

    OPEN = "Open"
    CLOSED = "Closed"
    CANCEL_ONLY = "CancelOnly"
    LIMIT_ONLY = "LimitOnly"
    POST_ONLY = "PostOnly"


BOOK_STATES: Final[dict[Mode, OrderBookState]] = {
    Mode.OFFLINE: OrderBookState.CLOSED,
    Mode.CANCEL_ONLY: OrderBookState.CANCEL_ONLY,
    Mode.POST_ONLY: OrderBookState.POST_ONLY,
    Mode.LIMIT_ONLY: OrderBookState.LIMIT_ONLY,
    Mode.FULL: OrderBookState.OPEN,
}


class MarketAsset(Wire, frozen=True):
    """`tokens` is empty: no chain is connected."""

    symbol: str
    display_name: str
    coingecko_id: None
    tokens: tuple[str, ...] = ()


class PriceFilter(Wire, frozen=True):
    """Multipliers bound a limit price against the last active one; impact multipliers how far a market order walks."""

    min_price: str
    max_price: str | None
    tick_size: str
    max_multiplier: str
    min_multiplier: str
    max_impact_multiplier: str
    min_impact_multiplier: str
    mean_mark_price_band: None = None
    mean_premium_band: None = None
    borrow_entry_fee_max_multiplier: None = None
    borrow_entry_fee_min_multiplier: None = None


class QuantityFilter(Wire, frozen=True):
    min_quantity: str
    max_quantity: str | None
    step_size: str


class NotionalFilter(Wire, frozen=True):
    """This venue's own: price times quantity, or `quoteQuantity`, must lie in these bounds. Null: there is none.

    A market order of so much `quantity` has no value before it trades, and is not held to them.
    """

    min_notional: str | None
    max_notional: str | None


class OrderBookFilters(Wire, frozen=True):
    price: PriceFilter
    quantity: QuantityFilter
    notional: NotionalFilter


class Market(Wire, frozen=True):
    symbol: str
    base_symbol: str
    quote_symbol: str
    market_type: MarketKind
    filters: OrderBookFilters
    order_book_state: OrderBookState
    created_at: str
    imf_function: None = None
    mmf_function: None = None
    funding_interval: None = None
    funding_rate_upper_bound: None = None
    funding_rate_lower_bound: None = None
    open_interest_limit: None = None
    position_limit_weight: None = None
    visible: bool = True


class Ticker(Wire, frozen=True):
    """`priceChangePercent` is a fraction, whatever its name says; `trades` is text."""

    symbol: str
    first_price: str
    last_price: str
    price_change: str
    price_change_percent: str
    high: str
    low: str
    volume: str
    quote_volume: str
    trades: str


class Depth(Wire, frozen=True):
    """Rows are `[price, quantity]`, both sides ascending by price: the best bid is the last. `timestamp` in µs."""

    asks: list[tuple[str, str]]
    bids: list[tuple[str, str]]
    last_update_id: str
    timestamp: int


class Kline(Wire, frozen=True):
    """Prices are null where nothing traded."""

    start: str
    end: str
    open: str | None
    high: str | None
    low: str | None
    close: str | None
    volume: str
    quote_volume: str
    trades: str


class Trade(Wire, frozen=True):
    """`id` is sequential per market; `timestamp` in ms."""

    id: int
    price: str
    quantity: str
    quote_quantity: str
    timestamp: int
    is_buyer_maker: bool


def asset_to_wire(asset: AssetSpec) -> MarketAsset:
    return MarketAsset(asset.symbol, asset.display_name or asset.symbol, None)


def market_to_wire(market: MarketView) -> Market:
    return Market(
        symbol=market.spec.symbol,
        base_symbol=market.spec.base,
        quote_symbol=market.spec.quote,
        market_type=market.spec.kind,
        filters=_filters(market.spec, market.filters),
        order_book_state=BOOK_STATES[market.mode],
        created_at=iso_text(market.listed_us),
    )


def _filters(spec: MarketSpec, filters: MarketFilters) -> OrderBookFilters:
    price = PriceFilter(
        min_price=price_text(filters.min_price_ticks, spec),
        max_price=price_text(filters.max_price_ticks, spec) if filters.max_price_ticks else None,
        tick_size=price_text(1, spec),
        max_multiplier=amount_text(filters.max_multiplier_ppm, _PPM_DECIMALS),
        min_multiplier=amount_text(filters.min_multiplier_ppm, _PPM_DECIMALS),
        max_impact_multiplier=amount_text(filters.max_impact_ppm, _PPM_DECIMALS),
        min_impact_multiplier=amount_text(filters.min_impact_ppm, _PPM_DECIMALS),
    )
    quantity = QuantityFilter(
        min_quantity=quantity_text(filters.min_lots, spec),
        max_quantity=quantity_text(filters.max_lots, spec) if filters.max_lots else None,
        step_size=quantity_text(1, spec),
    )
    least, most = filters.min_notional_atoms, filters.max_notional_atoms
    notional = NotionalFilter(
        min_notional=amount_text(least, spec.quote_decimals) if least else None,
        max_notional=amount_text(most, spec.quote_decimals) if most else None,
    )
    return OrderBookFilters(price, quantity, notional)


def ticker_to_wire(ticker: TickerView, spec: MarketSpec) -> Ticker:
    change = ticker.last_ticks - ticker.first_ticks
    fraction_ppm = abs(change) * PPM // ticker.first_ticks
    return Ticker(
        symbol=ticker.market,
        first_price=price_text(ticker.first_ticks, spec),
        last_price=price_text(ticker.last_ticks, spec),
        price_change=price_text(change, spec),
        price_change_percent=amount_text(fraction_ppm if change >= 0 else -fraction_ppm, _PPM_DECIMALS),
        high=price_text(ticker.high_ticks, spec),
        low=price_text(ticker.low_ticks, spec),
        volume=quantity_text(ticker.lots, spec),
        quote_volume=amount_text(ticker.quote_atoms, spec.quote_decimals),
        trades=str(ticker.trades),
    )


def depth_to_wire(depth: DepthView, spec: MarketSpec) -> Depth:
    return Depth(
        asks=level_texts(depth.asks, spec),
        bids=level_texts(depth.bids, spec),
        last_update_id=str(depth.update_id),
        timestamp=depth.time_us,
    )


def kline_to_wire(candle: CandleView, spec: MarketSpec) -> Kline:
    return Kline(
        start=kline_text(candle.start_us),
        end=kline_text(candle.end_us),
        open=_price_or_none(candle.open_ticks, spec),
        high=_price_or_none(candle.high_ticks, spec),
        low=_price_or_none(candle.low_ticks, spec),
        close=_price_or_none(candle.close_ticks, spec),
        volume=quantity_text(candle.lots, spec),
        quote_volume=amount_text(candle.quote_atoms, spec.quote_decimals),
        trades=str(candle.trades),
    )


def _price_or_none(ticks: int | None, spec: MarketSpec) -> str | None:
    return None if ticks is None else price_text(ticks, spec)


def trade_to_wire(trade: TradeView, spec: MarketSpec) -> Trade:
    return Trade(
        id=trade.trade_id,
        price=price_text(trade.price_ticks, spec),
        quantity=quantity_text(trade.lots, spec),
        quote_quantity=amount_text(trade.quote_atoms, spec.quote_decimals),
        timestamp=milliseconds(trade.time_us),
        is_buyer_maker=trade.buyer_is_maker,
    )
