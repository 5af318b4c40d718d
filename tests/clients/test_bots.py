"""The bots' decisions: what they quote and send, and how they bear trouble."""

import asyncio
import random
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

import pytest

from exchange_bots import trouble
from exchange_bots.flow import FULL_POSITION_VALUE, Flow
from exchange_bots.instrument import Instrument
from exchange_bots.market_maker import MakerSettings, MarketMaker, Quote
from exchange_bots.trouble import Stopped, run, until_it_works
from exchange_client import ExchangeError, NewOrder, NotConnected, OrderBook
from exchange_client.models import Depth, Filters, Market, PriceFilter, QuantityFilter

MARKET = Market(
    symbol="SOL_USDC",
    base_symbol="SOL",
    quote_symbol="USDC",
    market_type="SPOT",
    filters=Filters(
        price=PriceFilter(min_price=Decimal("0.01"), tick_size=Decimal("0.01")),
        quantity=QuantityFilter(min_quantity=Decimal("0.05"), step_size=Decimal("0.01"), max_quantity=Decimal("100")),
    ),
    order_book_state="Open",
    created_at=datetime(2026, 1, 1),  # noqa: DTZ001 - UTC without a zone, as on the wire
    visible=True,
)
INSTRUMENT = Instrument(MARKET)
MAINTENANCE = ExchangeError("MAINTENANCE", "back soon", 503)
NOBODY = cast(Any, None)
"""In place of connections that a decision doesn't need."""


def maker(settings: MakerSettings | None = None) -> MarketMaker:
    return MarketMaker(INSTRUMENT, NOBODY, NOBODY, random.Random(1), Decimal(150), settings)


def prices(quotes: dict[Quote, int], side: str) -> list[int]:
    return [ticks for quoted, ticks in quotes if quoted == side]


def test_an_instrument_counts_in_whole_steps() -> None:
    assert INSTRUMENT.ticks(Decimal("150.019")) == 15_001
    assert INSTRUMENT.price(15_001) == Decimal("150.01")
    assert INSTRUMENT.quantity(7) == Decimal("0.07")
    assert INSTRUMENT.lots_worth(Decimal(3_000), 15_000) == 2_000
    assert INSTRUMENT.lots_worth(Decimal("0.01"), 15_000) == INSTRUMENT.min_lots == 5
    assert INSTRUMENT.lots_worth(Decimal(10**9), 15_000) == 10_000


def test_quotes_stand_on_both_sides_and_never_cross() -> None:
    quotes = maker().quotes(0)
    bids, asks = prices(quotes, "Bid"), prices(quotes, "Ask")
    assert len(bids) == len(asks) == MakerSettings().levels
    assert max(bids) < 15_000 < min(asks)
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert all(lots >= INSTRUMENT.min_lots for lots in quotes.values())


def test_too_many_bought_moves_quotes_down_and_too_many_sold_up() -> None:
    quoting = maker()
    level_lots = 2_000
    flat = max(prices(quoting.quotes(0), "Bid"))
    long = max(prices(quoting.quotes(40 * level_lots), "Bid"))
    short = max(prices(quoting.quotes(-40 * level_lots), "Bid"))
    assert long < flat < short
    assert max(prices(quoting.quotes(10**9), "Bid")) == long


def test_a_price_near_zero_still_gives_valid_quotes() -> None:
    quoting = MarketMaker(INSTRUMENT, NOBODY, NOBODY, random.Random(1), Decimal("0.02"))
    quotes = quoting.quotes(0)
    assert all(ticks > 0 for _, ticks in quotes)
    assert max(prices(quotes, "Bid"), default=0) < min(prices(quotes, "Ask"))


class FixedBook:
    """A book that stands still."""

    def __init__(self, synced: bool = True, empty: bool = False) -> None:
        self.synced = synced
        self.book = OrderBook("SOL_USDC")
        bids, asks = [(Decimal("149.9"), Decimal(5))], [(Decimal("150.1"), Decimal(5))]
        self.book.load(Depth(bids=bids, asks=[] if empty else asks, last_update_id="1", timestamp=1))


def flow(seed: int = 1, book: FixedBook | None = None) -> Flow:
    return Flow(INSTRUMENT, cast(Any, book or FixedBook()), NOBODY, random.Random(seed), orders_per_s=2.0)


def some_orders(bot: Flow, count: int = 300) -> list[NewOrder]:
    return [order for _ in range(count) if (order := bot.next_order()) is not None]


def test_flow_is_the_same_for_the_same_seed() -> None:
    def shapes(seed: int) -> list[tuple[object, ...]]:
        return [(order.side, order.order_type, order.price, order.quantity) for order in some_orders(flow(seed))]

    assert shapes(1) == shapes(1) != shapes(2)


def test_flow_goes_both_ways_with_all_kinds_of_orders() -> None:
    orders = some_orders(flow())
    assert {order.side for order in orders} == {"Bid", "Ask"}
    assert {(order.order_type, order.time_in_force) for order in orders} == {
        ("Market", None),
        ("Limit", "GTC"),
        ("Limit", "IOC"),
    }


def test_resting_flow_never_crosses_the_book() -> None:
    for order in some_orders(flow()):
        if order.time_in_force == "GTC":
            assert order.price is not None
            assert order.price <= Decimal("149.9") if order.side == "Bid" else order.price >= Decimal("150.1")


def test_flow_leads_back_when_it_has_bought_or_sold_too_much() -> None:
    bot = flow()
    bot._bought_value = Decimal(FULL_POSITION_VALUE)
    assert {order.side for order in some_orders(bot)} == {"Ask"}
    bot._bought_value = Decimal(-FULL_POSITION_VALUE)
    assert {order.side for order in some_orders(bot)} == {"Bid"}


@pytest.mark.parametrize("book", [FixedBook(synced=False), FixedBook(empty=True)])
def test_flow_waits_for_a_whole_book(book: FixedBook) -> None:
    assert some_orders(flow(book=book)) == []


def test_flow_keeps_its_rate() -> None:
    bot = flow()
    pauses = [bot.pause_s() for _ in range(2000)]
    assert 0.45 < sum(pauses) / len(pauses) < 0.55


class Stubborn:
    """A bot whose first steps meet `errors`."""

    name = "stubborn"

    def __init__(self, stop: asyncio.Event, errors: list[Exception]) -> None:
        self.stop = stop
        self.errors = errors
        self.good_steps = 0
        self.left = 0

    async def step(self) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.good_steps += 1
        if self.good_steps == 2:
            self.stop.set()

    def pause_s(self) -> float:
        return 0.001

    async def leave(self) -> None:
        self.left += 1
        raise NotConnected("too late")


async def test_a_bot_waits_trouble_out_and_leaves_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trouble, "FIRST_DELAY_S", 0.001)
    stop = asyncio.Event()
    bot = Stubborn(stop, [MAINTENANCE, NotConnected("gone"), MAINTENANCE])
    await asyncio.wait_for(run(bot, stop), 5)
    assert (bot.errors, bot.good_steps, bot.left) == ([], 2, 1)


async def test_a_mistake_of_the_bot_itself_is_not_waited_out() -> None:
    stop = asyncio.Event()
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(run(Stubborn(stop, [ZeroDivisionError()]), stop), 5)


async def test_stopping_while_the_exchange_is_away_takes_no_time() -> None:
    stop = asyncio.Event()

    async def fail() -> None:
        stop.set()
        raise MAINTENANCE

    with pytest.raises(Stopped):
        await asyncio.wait_for(until_it_works("start", fail, stop), 0.4)
