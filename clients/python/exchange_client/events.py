"""What the streams send, typed. All times in µs since 1970 unless said otherwise."""

from decimal import Decimal

import msgspec

from exchange_client.models import Level, Side


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all stream events."""


class DepthUpdate(
    Event,
    frozen=True,
    kw_only=True,
    rename={"time_us": "E", "symbol": "s", "asks": "a", "bids": "b", "first_id": "U", "last_id": "u"},
):
    """Levels that changed, with their new total quantity (0: gone), and the ids of the changes it covers."""

    time_us: int
    symbol: str
    asks: list[Level]
    bids: list[Level]
    first_id: int
    last_id: int


class BookTicker(
    Event,
    frozen=True,
    kw_only=True,
    rename={
        "time_us": "E",
        "symbol": "s",
        "ask_price": "a",
        "ask_quantity": "A",
        "bid_price": "b",
        "bid_quantity": "B",
        "update_id": "u",
    },
):
    """The best prices; None where a side is empty."""

    time_us: int
    symbol: str
    update_id: int
    ask_price: Decimal | None = None
    ask_quantity: Decimal | None = None
    bid_price: Decimal | None = None
    bid_quantity: Decimal | None = None


class TradeEvent(
    Event,
    frozen=True,
    kw_only=True,
    rename={
        "time_us": "E",
        "symbol": "s",
        "price": "p",
        "quantity": "q",
        "buyer_order_id": "b",
        "seller_order_id": "a",
        "trade_id": "t",
        "buyer_is_maker": "m",
    },
):
    time_us: int
    symbol: str
    price: Decimal
    quantity: Decimal
    buyer_order_id: str
    seller_order_id: str
    trade_id: int
    buyer_is_maker: bool


class TickerEvent(
    Event,
    frozen=True,
    kw_only=True,
    rename={
        "time_us": "E",
        "symbol": "s",
        "first_price": "o",
        "last_price": "c",
        "high": "h",
        "low": "l",
        "volume": "v",
        "quote_volume": "V",
        "trades": "n",
    },
):
    """The last 24 hours."""

    time_us: int
    symbol: str
    first_price: Decimal
    last_price: Decimal
    high: Decimal
    low: Decimal
    volume: Decimal
    quote_volume: Decimal
    trades: int


class KlineEvent(
    Event,
    frozen=True,
    kw_only=True,
    rename={
        "time_us": "E",
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
    """A kline as it grows, and once more when it is `closed`. `start` and `end` are text, UTC."""

    time_us: int
    symbol: str
    start: str
    end: str
    volume: Decimal
    trades: int
    closed: bool
    open: Decimal | None = None
    close: Decimal | None = None
    high: Decimal | None = None
    low: Decimal | None = None


class OrderEvent(
    Event,
    frozen=True,
    kw_only=True,
    rename={
        "kind": "e",
        "time_us": "E",
        "symbol": "s",
        "side": "S",
        "order_id": "i",
        "client_id": "c",
        "order_type": "o",
        "time_in_force": "f",
        "quantity": "q",
        "quote_quantity": "Q",
        "price": "p",
        "status": "X",
        "executed_quantity": "z",
        "executed_quote_quantity": "Z",
        "trade_id": "t",
        "fill_quantity": "l",
        "fill_price": "L",
        "is_maker": "m",
        "fee": "n",
        "fee_symbol": "N",
        "expiry_reason": "R",
    },
):
    """Something happened to one of the account's orders; the state is the one after it.

    `kind`: orderAccepted, orderFill, orderCancelled or orderExpired. The fields from `trade_id` to
    `fee_symbol` belong to fills. `order_type` is LIMIT or MARKET.
    """

    kind: str
    time_us: int
    symbol: str
    side: Side
    order_id: str
    order_type: str
    time_in_force: str
    status: str
    executed_quantity: Decimal
    executed_quote_quantity: Decimal
    client_id: int | None = None
    quantity: Decimal | None = None
    quote_quantity: Decimal | None = None
    price: Decimal | None = None
    trade_id: int | None = None
    fill_quantity: Decimal | None = None
    fill_price: Decimal | None = None
    is_maker: bool | None = None
    fee: Decimal | None = None
    fee_symbol: str | None = None
    expiry_reason: str | None = None


class BalanceEvent(
    Event,
    frozen=True,
    kw_only=True,
    rename={"time_us": "E", "asset": "a", "available": "A", "locked": "L", "staked": "S"},
):
    """What the account now holds of one asset."""

    time_us: int
    asset: str
    available: Decimal
    locked: Decimal
    staked: Decimal


class MarketStatus(msgspec.Struct, frozen=True, rename="camel"):
    """`order_book_state`: Open, LimitOnly, PostOnly, CancelOnly or Closed."""

    order_book_state: str
    reason: str


class StatusEvent(Event, frozen=True, kw_only=True, rename={"time_us": "E", "order_book_state": "orderBookState"}):
    """The venue's state, and that of each market by symbol, with their reasons."""

    time_us: int
    venue: str
    order_book_state: str
    reason: str
    markets: dict[str, MarketStatus]
