"""Public streams: a book rebuilt from deltas is the book, whichever stream and whenever one joins."""

import random
from collections.abc import Iterable, Iterator

import pytest

from exchange.core.listings.view import depth_view
from exchange.runtime.feeds.market_data import DEPTH_PACES_MS, MarketFeed
from exchange.runtime.port import Channel, Topic
from exchange.values.enums import Side
from exchange.values.events import AnyEvent
from exchange.values.ids import AccountId
from exchange.values.listings.views import BookTicker, CandleView, DepthDelta, DepthView, TickerView, TradeView
from exchange.values.orders.events import OrderDone, OrderRested, Traded
from exchange.values.updates import Update
from tests.venue import SOL_USDC, Venue

SYMBOL = SOL_USDC.symbol


class Market:
    """A feed over a small venue: `play` does a seeded turn of orders, trades and cancels in batches of several."""

    def __init__(self, seed: int = 1) -> None:
        self.venue = Venue().open()
        self.accounts = [self.venue.account({"USDC": 10**14, "SOL": 10**15}) for _ in range(3)]
        self.market = self.venue.state.markets[SYMBOL]
        self.feed = MarketFeed(self.market, lambda watcher, update: watcher(update))
        self.feed.candles = self.feed.new_candles()
        self.random = random.Random(seed)

    def watch(self, channel: Channel, interval: str = "") -> list[Update]:
        seen: list[Update] = []
        self.feed.watch(Topic(channel, SYMBOL, interval=interval), seen.append, self.venue.time_us)
        return seen

    def play(self, commands: int, batch: int = 5) -> Iterator[None]:
        """Yields after each batch has been flushed."""
        for number in range(commands):
            self._one()
            if number % batch == batch - 1:
                self.feed.flush(self.venue.time_us)
                yield

    def trade(self, price_ticks: int, lots: int = 1) -> None:
        maker, taker = self.accounts[:2]
        for account, side in ((maker, Side.ASK), (taker, Side.BID)):
            self._do(account, side, price_ticks, lots)
        self.feed.flush(self.venue.time_us)

    def _one(self) -> None:
        account = self.random.choice(self.accounts)
        orders = list(self.venue.state.accounts[account].orders)
        if orders and self.random.random() < 0.4:
            self._fold(self.venue.do(self.venue.cancel(account, self.random.choice(orders))))
        else:
            side = self.random.choice(list(Side))
            self._do(account, side, 10_000 + self.random.randrange(-8, 9), self.random.randrange(1, 6))

    def _do(self, account: AccountId, side: Side, price_ticks: int, lots: int) -> None:
        self._fold(self.venue.do(self.venue.limit(account, side, price_ticks, lots)))

    def _fold(self, events: Iterable[AnyEvent]) -> None:
        for event in events:
            if type(event) is OrderRested:
                self.feed.rested(event)
            elif type(event) is Traded:
                self.feed.traded(event, self.venue.time_us)
            elif type(event) is OrderDone and event.resting:
                self.feed.done(event)


class Book:
    """What a client keeps: a snapshot, and the deltas after it."""

    def __init__(self, snapshot: DepthView) -> None:
        self.sides = (dict(snapshot.bids), dict(snapshot.asks))
        self.update_id = snapshot.update_id

    def apply(self, delta: DepthDelta) -> None:
        if delta.last_id <= self.update_id:
            return
        assert delta.first_id <= self.update_id + 1
        for side, rows in zip(self.sides, (delta.bids, delta.asks), strict=True):
            assert list(rows) == sorted(rows)
            for price_ticks, lots in rows:
                if lots:
                    side[price_ticks] = lots
                else:
                    side.pop(price_ticks, None)  # it may have come and gone within one batch
        self.update_id = delta.last_id

    def view(self) -> tuple[object, ...]:
        bids, asks = self.sides
        return tuple(sorted(bids.items())), tuple(sorted(asks.items())), self.update_id


def depths(seen: list[Update]) -> list[DepthDelta]:
    return [update for update in seen if isinstance(update, DepthDelta)]


def snapshot(market: Market) -> DepthView:
    return depth_view(market.venue.state, market.market, 1_000)


def shown(view: DepthView) -> tuple[object, ...]:
    return view.bids, view.asks, view.update_id


@pytest.mark.parametrize("seed", range(5))
def test_a_book_kept_from_deltas_is_the_book_after_every_batch(seed: int) -> None:
    market = Market(seed)
    for _ in market.play(100):
        pass
    seen = market.watch(Channel.DEPTH)
    book = Book(snapshot(market))
    for _ in market.play(400):
        for delta in depths(seen):
            book.apply(delta)
        seen.clear()
        assert book.view() == shown(snapshot(market))


def test_update_ids_of_every_pace_are_contiguous_and_the_same() -> None:
    market = Market()
    streams = {pace: market.watch(Channel.DEPTH, str(pace) if pace else "") for pace in (0, *DEPTH_PACES_MS)}
    start_id = market.market.update_id
    for _ in market.play(300):
        market.venue.time_us += 37_000
        market.feed.tick(market.venue.time_us)
    market.feed.tick(market.venue.time_us + 2_000_000)
    for seen in streams.values():
        last_id = start_id
        for delta in depths(seen):
            assert delta.first_id == last_id + 1
            assert delta.last_id >= delta.first_id
            last_id = delta.last_id
        assert last_id == market.market.update_id
    assert len(streams[0]) > len(streams[200]) > len(streams[600]) > len(streams[1000]) > 1


@pytest.mark.parametrize("pace_ms", DEPTH_PACES_MS)
def test_an_aggregated_stream_keeps_its_pace_and_yields_the_same_book(pace_ms: int) -> None:
    market = Market()
    seen = market.watch(Channel.DEPTH, str(pace_ms))
    book = Book(snapshot(market))
    for _ in market.play(300):
        market.venue.time_us += 10_000
        market.feed.tick(market.venue.time_us)
    market.feed.tick(market.venue.time_us + 1_000_000)
    deltas = depths(seen)
    windows = [delta.time_us // (pace_ms * 1_000) for delta in deltas]
    assert len(set(windows)) == len(windows)
    for delta in deltas:
        book.apply(delta)
    assert book.view() == shown(snapshot(market))


def test_nothing_is_sent_while_nothing_changes() -> None:
    market = Market()
    seen = market.watch(Channel.DEPTH, "200")
    realtime = market.watch(Channel.DEPTH)
    for _ in range(10):
        market.venue.time_us += 1_000_000
        market.feed.flush(market.venue.time_us)
        market.feed.tick(market.venue.time_us)
    assert seen == realtime == []


def test_the_touch_is_shown_when_it_changes_and_only_then() -> None:
    market = Market()
    seen = market.watch(Channel.BOOK_TICKER)
    venue, (ann, bob, _) = market.venue, market.accounts
    for side, price, lots in ((Side.BID, 9_990, 5), (Side.BID, 9_980, 5), (Side.ASK, 10_010, 4), (Side.ASK, 10_020, 4)):
        market._do(ann, side, price, lots)
        market.feed.flush(venue.time_us)
    market._do(bob, Side.ASK, 9_990, 2)
    market.feed.flush(venue.time_us)
    touches = [
        (update.bid_ticks, update.bid_lots, update.ask_ticks, update.ask_lots)
        for update in seen
        if isinstance(update, BookTicker)
    ]
    assert touches == [(9_990, 5, None, None), (9_990, 5, 10_010, 4), (9_990, 3, 10_010, 4)]
    assert isinstance(seen[-1], BookTicker)
    assert seen[-1].update_id == market.market.update_id


def test_each_trade_is_shown_with_its_parties_and_the_makers_price() -> None:
    market = Market()
    seen = market.watch(Channel.TRADE)
    ann, bob, _ = market.accounts
    market._do(ann, Side.ASK, 10_010, 4)
    market._do(bob, Side.BID, 10_050, 4)
    market._do(bob, Side.BID, 9_990, 4)
    market._do(ann, Side.ASK, 9_950, 4)
    first, second = seen
    assert isinstance(first, TradeView)
    assert isinstance(second, TradeView)
    assert (first.price_ticks, first.buyer_is_maker, first.trade_id) == (10_010, False, 1)
    assert (second.price_ticks, second.buyer_is_maker, second.trade_id) == (9_990, True, 2)
    assert first.buyer_order_id > first.seller_order_id
    assert second.buyer_order_id < second.seller_order_id


def test_klines_come_once_a_second_at_most_and_once_more_when_they_close() -> None:
    market = Market()
    start_us = market.venue.time_us = (market.venue.time_us // 60_000_000 + 1) * 60_000_000 + 10_000_000
    seen = market.watch(Channel.KLINE, "1m")
    for step in range(600):  # a minute of ticks; two trades a tick for the first ten seconds
        market.venue.time_us = start_us + step * 100_000
        if step < 100:
            market.trade(10_000 + step % 7)
        market.feed.tick(market.venue.time_us)
    candles = [update for update in seen if isinstance(update, CandleView)]
    assert 10 <= len(candles) <= 12
    assert [candle.closed for candle in candles] == [False] * (len(candles) - 1) + [True]
    last = candles[-1]
    assert (last.trades, last.lots) == (100, 100)
    assert (last.open_ticks, last.high_ticks, last.low_ticks) == (10_000, 10_006, 10_000)
    assert candles[-2].trades == 100, "the last change was shown before the close"


def test_a_kline_of_one_second_is_shown_closed_with_all_its_trades() -> None:
    market = Market()
    seen = market.watch(Channel.KLINE, "1s")
    start_us = market.venue.time_us = (market.venue.time_us // 1_000_000 + 1) * 1_000_000
    for _ in range(3):
        market.trade(10_000)
    market.venue.time_us = start_us + 5_000_000
    market.trade(10_001)
    closed = [update for update in seen if isinstance(update, CandleView) and update.closed]
    assert [(candle.start_us, candle.trades) for candle in closed] == [(start_us, 3)]


def test_the_ticker_comes_every_second_once_something_traded() -> None:
    market = Market()
    seen = market.watch(Channel.TICKER)
    for _ in range(50):
        market.venue.time_us += 100_000
        market.feed.tick(market.venue.time_us)
    assert seen == []
    market.trade(10_000)
    for _ in range(50):
        market.venue.time_us += 100_000
        market.feed.tick(market.venue.time_us)
    assert len(seen) == 5
    assert all(isinstance(update, TickerView) and update.trades == 1 for update in seen)


def test_unwatched_streams_say_nothing_more() -> None:
    market = Market()
    seen = [market.watch(channel) for channel in (Channel.DEPTH, Channel.BOOK_TICKER, Channel.TRADE)]
    for channel in (Channel.DEPTH, Channel.BOOK_TICKER, Channel.TRADE):
        market.feed.unwatch(Topic(channel, SYMBOL))
    for _ in market.play(100):
        pass
    assert seen == [[], [], []]


def test_what_cannot_be_watched_is_an_error_of_the_caller() -> None:
    market = Market()
    for channel, interval in ((Channel.DEPTH, "500"), (Channel.KLINE, "7m"), (Channel.STATUS, "")):
        with pytest.raises(ValueError, match=r"depth every|kline|not of a market"):
            market.watch(channel, interval)
