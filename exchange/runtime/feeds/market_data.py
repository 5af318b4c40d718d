"""Public market data of one market: events in, stream updates out.

Only what is watched is computed, from the book as it stands at the end of a commit batch: the
changes of one batch come as one delta. A delta covers every update id since the one before it, so
the ids of each stream are contiguous; REST depth, the realtime stream and the aggregated ones share
one counter, the market's.
"""

from collections.abc import Callable
from typing import Final

from exchange.core.orders.book import BookSide
from exchange.core.state import Market
from exchange.runtime.feeds.candles import Candle, Candles
from exchange.runtime.feeds.intervals import INTERVALS, SECOND_US
from exchange.runtime.port import Channel, Topic
from exchange.values.enums import Side
from exchange.values.listings.views import BookTicker, CandleView, DepthDelta, TickerView, TradeView
from exchange.values.orders.events import OrderDone, OrderRested, Traded
from exchange.values.updates import Update

#: Paces of the aggregated depth streams, in ms.
DEPTH_PACES_MS: Final = (200, 600, 1000)

# On the path of every record: reading a member off its enum class costs several times a global.
_BID: Final = Side.BID

Watcher = Callable[[Update], None]
#: Stages an update for a watcher under the seq of the live state.
Stage = Callable[[Watcher, Update], None]


class DepthStream:
    """Gathers changed prices until it is due; `pace_us` 0: due at the end of every batch."""

    __slots__ = ("_asks", "_bids", "_due_us", "_last_id", "_watcher", "pace_us")

    def __init__(self, watcher: Watcher, pace_us: int, last_id: int) -> None:
        self.pace_us = pace_us
        self._watcher = watcher
        self._last_id = last_id
        self._due_us = 0
        self._bids: set[int] = set()
        self._asks: set[int] = set()

    def gather(self, bids: set[int], asks: set[int]) -> None:
        self._bids |= bids
        self._asks |= asks

    def flush(self, market: Market, stage: Stage, now_us: int) -> None:
        """Stage what has changed, if it is time."""
        if market.update_id == self._last_id or now_us < self._due_us:
            return
        delta = DepthDelta(
            market=market.symbol,
            bids=_levels(market.bids, self._bids),
            asks=_levels(market.asks, self._asks),
            first_id=self._last_id + 1,
            last_id=market.update_id,
            time_us=now_us,
        )
        self._last_id = market.update_id
        self._due_us = now_us - now_us % self.pace_us + self.pace_us if self.pace_us else 0
        self._bids.clear()
        self._asks.clear()
        stage(self._watcher, delta)


class KlineStream:
    """Shows the running bucket when it has changed, at most once a second, and each bucket once closed."""

    __slots__ = ("_due_us", "_interval", "_seen", "_watcher")

    def __init__(self, watcher: Watcher, interval: str, trades_seen: int) -> None:
        self._watcher = watcher
        self._interval = interval
        self._seen = trades_seen
        self._due_us = 0

    def closed(self, candle: CandleView, stage: Stage) -> None:
        stage(self._watcher, candle)

    def tick(self, candles: Candles, stage: Stage, now_us: int) -> None:
        if candles.trades_seen == self._seen or now_us < self._due_us:
            return
        self._seen = candles.trades_seen
        self._due_us = now_us + SECOND_US
        running = candles.running(self._interval, now_us)
        if running.trades:  # else they were all in a bucket that has been shown closed
            stage(self._watcher, running)


class MarketFeed:
    """One market's streams.

    Call `rested`, `done` and `traded` after the event is folded, `flush` after a commit batch, `tick` as time passes.
    """

    __slots__ = (
        "_asks",
        "_bids",
        "_book_watched",
        "_klines",
        "_market",
        "_stage",
        "_ticker",
        "_ticker_due_us",
        "_touch",
        "_touch_watcher",
        "_trades",
        "candles",
        "depths",
    )

    def __init__(self, market: Market, stage: Stage) -> None:
        self._market = market
        self._stage = stage
        self._bids: set[int] = set()
        self._asks: set[int] = set()
        self._book_watched = False
        self.depths: dict[int, DepthStream] = {}
        self._klines: dict[str, KlineStream] = {}
        self._touch: tuple[int | None, int | None, int | None, int | None] = (None, None, None, None)
        self._touch_watcher: Watcher | None = None
        self._trades: Watcher | None = None
        self._ticker: Watcher | None = None
        self._ticker_due_us = 0
        #: None while their past isn't there yet: half of it would be wrong.
        self.candles: Candles | None = None

    def new_candles(self) -> Candles:
        """Candles without a past, for `candles`."""
        return Candles(self._market.symbol, self._candle_closed)

    # --- watching ---

    def watch(self, topic: Topic, watcher: Watcher, now_us: int) -> None:
        """Raises ValueError: no such pace or interval."""
        match topic.channel:
            case Channel.DEPTH:
                pace_ms = int(topic.interval or 0)
                if pace_ms and pace_ms not in DEPTH_PACES_MS:
                    raise ValueError(f"depth every {pace_ms} ms")
                self.depths[pace_ms] = DepthStream(watcher, pace_ms * 1000, self._market.update_id)
            case Channel.KLINE:
                if topic.interval not in INTERVALS:
                    raise ValueError(f"kline {topic.interval}")
                seen = 0 if self.candles is None else self.candles.trades_seen
                self._klines[topic.interval] = KlineStream(watcher, topic.interval, seen)
            case Channel.BOOK_TICKER:
                self._touch_watcher, self._touch = watcher, _touch(self._market)
            case Channel.TRADE:
                self._trades = watcher
            case Channel.TICKER:
                self._ticker, self._ticker_due_us = watcher, now_us
            case _:
                raise ValueError(f"{topic.channel} is not of a market")
        self._book_watched = bool(self.depths) or self._touch_watcher is not None

    def unwatch(self, topic: Topic) -> None:
        match topic.channel:
            case Channel.DEPTH:
                self.depths.pop(int(topic.interval or 0), None)
            case Channel.KLINE:
                self._klines.pop(topic.interval, None)
            case Channel.BOOK_TICKER:
                self._touch_watcher = None
            case Channel.TRADE:
                self._trades = None
            case Channel.TICKER:
                self._ticker = None
            case _:
                pass
        self._book_watched = bool(self.depths) or self._touch_watcher is not None

    # --- events ---

    def rested(self, event: OrderRested) -> None:
        if self._book_watched:
            (self._bids if event.side is _BID else self._asks).add(event.price_ticks)

    def done(self, event: OrderDone) -> None:
        """A resting order has ended."""
        if self._book_watched:
            (self._bids if event.side is _BID else self._asks).add(event.price_ticks)

    def traded(self, event: Traded, time_us: int) -> None:
        if self._book_watched:
            (self._asks if event.taker_side is _BID else self._bids).add(event.price_ticks)
        if self.candles is not None:
            self.candles.trade(event.price_ticks, event.lots, event.quote_atoms, time_us)
        if self._trades is not None:
            self._stage(self._trades, trade_view(event, time_us))

    # --- output ---

    def flush(self, time_us: int) -> None:
        """A commit batch that touched this market has ended."""
        if not self._book_watched:
            return
        market = self._market
        for stream in self.depths.values():
            stream.gather(self._bids, self._asks)
            if not stream.pace_us:
                stream.flush(market, self._stage, time_us)
        self._bids.clear()
        self._asks.clear()
        if self._touch_watcher is not None:
            touch = _touch(market)
            if touch != self._touch:
                self._touch = touch
                self._stage(self._touch_watcher, BookTicker(market.symbol, *touch, market.update_id, time_us))

    def tick(self, now_us: int) -> None:
        """Time has passed: what is paced by time may be due."""
        for stream in self.depths.values():
            if stream.pace_us:
                stream.flush(self._market, self._stage, now_us)
        if self.candles is None:
            return
        self.candles.advance(now_us)
        for kline in self._klines.values():
            kline.tick(self.candles, self._stage, now_us)
        if self._ticker is not None and now_us >= self._ticker_due_us:
            self._ticker_due_us = now_us + SECOND_US
            ticker: TickerView | None = self.candles.ticker(1, now_us)
            if ticker is not None:
                self._stage(self._ticker, ticker)

    def _candle_closed(self, interval: str, ended: Candle) -> None:
        stream = self._klines.get(interval)
        if stream is not None:
            stream.closed(ended.view(self._market.symbol, interval, closed=True), self._stage)


def trade_view(event: Traded, time_us: int) -> TradeView:
    taker_buys = event.taker_side is _BID
    return TradeView(
        market=event.market,
        trade_id=event.trade_id,
        price_ticks=event.price_ticks,
        lots=event.lots,
        quote_atoms=event.quote_atoms,
        time_us=time_us,
        buyer_order_id=event.taker_order_id if taker_buys else event.maker_order_id,
        seller_order_id=event.maker_order_id if taker_buys else event.taker_order_id,
        buyer_is_maker=not taker_buys,
    )


def _levels(book: BookSide, prices: set[int]) -> tuple[tuple[int, int], ...]:
    levels = book.levels
    return tuple((price, levels[price].lots if price in levels else 0) for price in sorted(prices))


def _touch(market: Market) -> tuple[int | None, int | None, int | None, int | None]:
    bid, ask = market.bids.best(), market.asks.best()
    return (
        bid,
        None if bid is None else market.bids.levels[bid].lots,
        ask,
        None if ask is None else market.asks.levels[ask].lots,
    )
