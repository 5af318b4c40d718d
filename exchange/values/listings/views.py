"""What a market shows to everybody."""

from exchange.values.base import View
from exchange.values.enums import (
    Mode,
)
from exchange.values.ids import OrderId
from exchange.values.listings.specs import MarketFilters, MarketSpec


class MarketView(View, frozen=True):
    """A listing as it stands; `mode` is the one that rules (the lower of the venue's and the market's own)."""

    spec: MarketSpec
    filters: MarketFilters
    mode: Mode
    mode_reason: str
    listed_us: int
    last_price_ticks: int = 0


class DepthView(View, frozen=True):
    """Levels nearest the touch, both sides ascending by price: `(price_ticks, lots)`."""

    market: str
    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]
    update_id: int
    time_us: int


class TradeView(View, frozen=True):
    market: str
    trade_id: int
    price_ticks: int
    lots: int
    quote_atoms: int
    time_us: int
    buyer_order_id: OrderId
    seller_order_id: OrderId
    buyer_is_maker: bool


class CandleView(View, frozen=True):
    """One kline. Prices are None where nothing traded. `end_us` is exclusive."""

    market: str
    interval: str
    start_us: int
    end_us: int
    open_ticks: int | None
    high_ticks: int | None
    low_ticks: int | None
    close_ticks: int | None
    lots: int
    quote_atoms: int
    trades: int
    closed: bool


class TickerView(View, frozen=True):
    market: str
    first_ticks: int
    last_ticks: int
    high_ticks: int
    low_ticks: int
    lots: int
    quote_atoms: int
    trades: int
    time_us: int


class DepthDelta(View, frozen=True):
    """Levels that changed, with their new total lots (0: gone), ascending by price.

    Ids are contiguous per market: `first_id` is the previous delta's `last_id` + 1.
    """

    market: str
    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]
    first_id: int
    last_id: int
    time_us: int


class BookTicker(View, frozen=True):
    """The touch; a side without orders has None."""

    market: str
    bid_ticks: int | None
    bid_lots: int | None
    ask_ticks: int | None
    ask_lots: int | None
    update_id: int
    time_us: int
