"""Listings and market data shown on the OpenAPI page."""

from typing import Final

from exchange.gateway.listings.wire import (
    Depth,
    Kline,
    Market,
    MarketAsset,
    NotionalFilter,
    OrderBookFilters,
    OrderBookState,
    PriceFilter,
    QuantityFilter,
    Ticker,
    Trade,
)
from exchange.values.enums import MarketKind

ASSET: Final = MarketAsset("SOL", "Solana", None)

MARKET: Final = Market(
    symbol="SOL_USDC",
    base_symbol="SOL",
    quote_symbol="USDC",
    market_type=MarketKind.SPOT,
    filters=OrderBookFilters(
        PriceFilter(
            min_price="0.01",
            max_price=None,
            tick_size="0.01",
            max_multiplier="1.25",
            min_multiplier="0.75",
            max_impact_multiplier="1.05",
            min_impact_multiplier="0.95",
        ),
        QuantityFilter(min_quantity="0.01", max_quantity=None, step_size="0.01"),
        NotionalFilter(min_notional="1", max_notional=None),
    ),
    order_book_state=OrderBookState.OPEN,
    created_at="2026-01-21T06:34:54.691",
)

TICKER: Final = Ticker(
    symbol="SOL_USDC",
    first_price="100",
    last_price="101.5",
    price_change="1.5",
    price_change_percent="0.015",
    high="102",
    low="99.5",
    volume="1200.5",
    quote_volume="121000.75",
    trades="245",
)

DEPTH: Final = Depth(
    asks=[("101", "1"), ("102", "2")],
    bids=[("98", "1"), ("99", "2")],
    last_update_id="1010",
    timestamp=1_755_000_000_000_000,
)

KLINE: Final = Kline(
    start="2026-07-19 13:09:00",
    end="2026-07-19 13:10:00",
    open="100",
    high="102",
    low="100",
    close="101.5",
    volume="10",
    quote_volume="1012.5",
    trades="4",
)

TRADE: Final = Trade(
    id=12_345,
    price="100",
    quantity="0.5",
    quote_quantity="50",
    timestamp=1_755_000_000_000,
    is_buyer_maker=True,
)
