"""What the exchange answers, typed. Amounts are `Decimal`; times say their unit.

Fields are named as on the wire (camel case there). A field the exchange adds later is ignored here.
"""

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

Side = Literal["Bid", "Ask"]
TimeInForce = Literal["GTC", "IOC", "FOK"]
SelfTradePrevention = Literal["RejectTaker", "RejectMaker", "RejectBoth"]
KlineInterval = Literal[
    "1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1month"
]
TickerInterval = Literal["1d", "1w"]
DepthLimit = Literal[5, 10, 20, 50, 100, 500, 1000]
SortDirection = Literal["Asc", "Desc"]
Level = tuple[Decimal, Decimal]


class Model(msgspec.Struct, frozen=True, rename="camel"):
    """Base of all answers."""


# --- venue and markets ---------------------------------------------------------------------------


class Status(Model, frozen=True, kw_only=True):
    """`status` is Ok or Maintenance."""

    status: str
    message: str | None = None


class Token(Model, frozen=True, kw_only=True):
    """An asset on one chain."""

    display_name: str
    blockchain: str
    deposit_enabled: bool
    withdraw_enabled: bool
    minimum_deposit: Decimal
    minimum_withdrawal: Decimal
    withdrawal_fee: Decimal


class Asset(Model, frozen=True, kw_only=True):
    symbol: str
    display_name: str
    tokens: tuple[Token, ...] = ()


class PriceFilter(Model, frozen=True, kw_only=True):
    """A price is a multiple of `tick_size`; the multipliers bound it against the last price."""

    min_price: Decimal
    tick_size: Decimal
    max_price: Decimal | None = None
    max_multiplier: Decimal | None = None
    min_multiplier: Decimal | None = None
    max_impact_multiplier: Decimal | None = None
    min_impact_multiplier: Decimal | None = None


class QuantityFilter(Model, frozen=True, kw_only=True):
    """A quantity is a multiple of `step_size`."""

    min_quantity: Decimal
    step_size: Decimal
    max_quantity: Decimal | None = None


class Filters(Model, frozen=True, kw_only=True):
    price: PriceFilter
    quantity: QuantityFilter


class Market(Model, frozen=True, kw_only=True):
    """`order_book_state`: Open, LimitOnly, PostOnly, CancelOnly or Closed."""

    symbol: str
    base_symbol: str
    quote_symbol: str
    market_type: str
    filters: Filters
    order_book_state: str
    created_at: datetime
    visible: bool


class Ticker(Model, frozen=True, kw_only=True):
    """`price_change_percent` is a fraction, or N/A."""

    symbol: str
    first_price: Decimal
    last_price: Decimal
    high: Decimal
    low: Decimal
    volume: Decimal
    quote_volume: Decimal
    trades: str
    price_change: Decimal
    price_change_percent: str


class Depth(Model, frozen=True, kw_only=True):
    """Levels `(price, quantity)`, both sides ascending by price; `timestamp` in µs."""

    asks: list[Level]
    bids: list[Level]
    last_update_id: str
    timestamp: int


class Kline(Model, frozen=True, kw_only=True):
    """Prices are None where nothing traded; `start` and `end` are UTC without a zone."""

    start: datetime
    end: datetime
    volume: Decimal
    quote_volume: Decimal
    trades: str
    open: Decimal | None = None
    high: Decimal | None = None
    low: Decimal | None = None
    close: Decimal | None = None


class Trade(Model, frozen=True, kw_only=True):
    """`timestamp` in ms."""

    id: int
    price: Decimal
    quantity: Decimal
    quote_quantity: Decimal
    timestamp: int
    is_buyer_maker: bool


# --- the account ------------------------------------------------------------------------------------


class Account(Model, frozen=True, kw_only=True):
    """Fees in basis points."""

    auto_borrow_settlements: bool
    auto_lend: bool
    auto_repay_borrows: bool
    leverage_limit: Decimal
    limit_orders: int
    spot_maker_fee: Decimal
    spot_taker_fee: Decimal


class Balance(Model, frozen=True, kw_only=True):
    """`locked` is what open orders hold."""

    available: Decimal
    locked: Decimal
    staked: Decimal


class MaxOrderQuantity(Model, frozen=True, kw_only=True):
    symbol: str
    side: str
    max_order_quantity: Decimal


class Fill(Model, frozen=True, kw_only=True):
    """One side of one trade; `timestamp` is UTC without a zone, `client_id` the text of a number."""

    order_id: str
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_symbol: str
    is_maker: bool
    timestamp: datetime
    trade_id: int | None = None
    client_id: str | None = None


class Posting(Model, frozen=True, kw_only=True):
    """One movement of a balance, what it came to, and what it came of; `timestamp` is UTC without a zone.

    Per asset and `bucket` (available, locked) the sum of all quantities is the balance.
    """

    seq: int
    index: int
    timestamp: datetime
    symbol: str
    bucket: str
    quantity: Decimal
    balance: Decimal
    kind: str
    command: str = ""
    actor: str = ""
    market: str | None = None
    order_id: str | None = None
    trade_id: int | None = None
    reference: str | None = None


# --- orders ------------------------------------------------------------------------------------------


class _OrderFields(Model, frozen=True, kw_only=True):
    id: str
    symbol: str
    side: Side
    order_type: str
    status: str
    time_in_force: TimeInForce
    self_trade_prevention: str
    client_id: int | None = None
    price: Decimal | None = None
    quantity: Decimal | None = None
    quote_quantity: Decimal | None = None
    executed_quantity: Decimal | None = None
    executed_quote_quantity: Decimal | None = None
    post_only: bool | None = None


class Order(_OrderFields, frozen=True, kw_only=True):
    """An order after what was asked. `status`: New, PartiallyFilled, Filled, Cancelled or Expired.

    `created_at` in ms. A limit order has `price` and `quantity`, a market order one of `quantity` and `quote_quantity`.
    """

    created_at: int

    @property
    def is_open(self) -> bool:
        return self.status in ("New", "PartiallyFilled")


class HistoricOrder(_OrderFields, frozen=True, kw_only=True):
    """A row of the order history; `created_at` is UTC without a zone. `ended_...`: what ended it, and who."""

    created_at: datetime
    expiry_reason: str | None = None
    cancel_reason: str | None = None
    ended_seq: int | None = None
    ended_command: str | None = None
    ended_by: str | None = None
