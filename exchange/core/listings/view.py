"""Markets and their books, as they are shown."""

from itertools import islice

from exchange.core.orders.book import BookSide
from exchange.core.state import Market, State
from exchange.values.listings.views import DepthView, MarketView


def market_view(state: State, market: Market) -> MarketView:
    return MarketView(
        market.spec,
        market.filters,
        state.ruling_mode(market),
        state.ruling_reason(market),
        market.listed_us,
        market.last_price_ticks,
    )


def depth_view(state: State, market: Market, limit: int) -> DepthView:
    """The `limit` levels of each side nearest the touch."""
    return DepthView(
        market.symbol,
        _levels(market.bids, limit)[::-1],
        _levels(market.asks, limit),
        market.update_id,
        state.time_us,
    )


def _levels(side: BookSide, limit: int) -> tuple[tuple[int, int], ...]:
    return tuple((level.price_ticks, level.lots) for level in islice(side.best_first(), limit))
