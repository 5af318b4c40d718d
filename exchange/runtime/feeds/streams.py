"""All streams: which record touches which market and account, and when what it changed is shown."""

from exchange.core.ledger import postings
from exchange.core.state import State
from exchange.runtime.core.outbox import Outbox
from exchange.runtime.feeds.market_data import MarketFeed, Stage, Watcher
from exchange.runtime.feeds.market_past import EarlyTrades, Past, take_up
from exchange.runtime.feeds.private_data import PrivateData
from exchange.runtime.feeds.public_state import PublicState
from exchange.runtime.port import Channel, Topic
from exchange.values.ids import AccountId
from exchange.values.listings.events import MarketListed
from exchange.values.orders.events import OrderDone, OrderPlaced, OrderRested, Traded
from exchange.values.record import Record

_PRIVATE = (Channel.ORDER_UPDATE, Channel.BALANCE_UPDATE)


class Streams:
    """`see` every folded record, `flush` at the end of a commit batch, `tick` as time passes.

    `account_seqs` and `trade_seqs` hold the last record that a history answer for an account, or for a market's
    trades, must reflect; what isn't in there lies before this process, at `begun_seq` at the latest.
    """

    def __init__(self, state: State, outbox: Outbox, public: PublicState) -> None:
        self._state = state
        self._outbox = outbox
        self._public = public
        self._stage: Stage = lambda watcher, update: outbox.stage(state.seq, watcher, update)
        self.private = PrivateData(state, self._stage)
        self.begun_seq = state.seq
        #: Until candles have their past.
        self.early: EarlyTrades | None = EarlyTrades(state.seq)
        self.feeds = {market.symbol: MarketFeed(market, self._stage) for market in state.markets.values()}
        self._dirty: dict[str, MarketFeed] = {}
        self.account_seqs: dict[AccountId, int] = {}
        self.trade_seqs: dict[str, int] = {}
        self.fills = 0

    def see(self, record: Record) -> None:
        seq, time_us = record.seq, record.time_us
        for event in record.events:
            if type(event) is OrderRested:
                self._feed(event.market).rested(event)
            elif type(event) is Traded:
                self._feed(event.market).traded(event, time_us)
                if self.early is not None:
                    self.early.add(seq, event, time_us)
                self.account_seqs[event.maker_account] = self.trade_seqs[event.market] = seq
                self.fills += 1
            elif type(event) is OrderDone:
                if event.resting:
                    self._feed(event.market).done(event)
                    self.account_seqs[event.account] = seq
            elif type(event) is OrderPlaced:
                self.account_seqs[event.account] = seq
            else:
                for _, leg in postings(self._state, event):
                    self.account_seqs[leg.account] = seq
                if type(event) is MarketListed:
                    market = self._state.markets[event.spec.symbol]
                    feed = self.feeds[market.symbol] = MarketFeed(market, self._stage)
                    if self.early is None:
                        feed.candles = feed.new_candles()
                self._public.see(event)

    def take_up_past(self, past: Past, seq: int, now_us: int) -> None:
        """Candles go on from what the read models held at `seq`, which must not lie before `early.complete_after`."""
        assert self.early is not None
        candles = {symbol: feed.new_candles() for symbol, feed in self.feeds.items()}
        take_up(candles, past, seq, self.early, now_us)
        for symbol, feed in self.feeds.items():
            feed.candles = candles[symbol]
        self.early = None

    def flush(self) -> None:
        time_us = self._state.time_us
        for symbol, feed in self._dirty.items():
            feed.flush(time_us)
            self._public.touched(symbol)
        self._dirty.clear()
        if self.private.watched:
            self.private.flush(time_us)
        self._public.flush()

    def tick(self, now_us: int) -> None:
        for feed in self.feeds.values():
            feed.tick(now_us)

    def watch(self, topic: Topic, watcher: Watcher, now_us: int) -> None:
        """Raises ValueError: there is nothing of this name to watch."""
        if topic.channel in _PRIVATE:
            self.private.watch(topic, watcher)
        elif topic.channel is Channel.STATUS:
            self._public.watcher = watcher
        else:
            feed = self.feeds.get(topic.market)
            if feed is None:
                raise ValueError(f"no market {topic.market}")
            feed.watch(topic, watcher, now_us)

    def unwatch(self, topic: Topic) -> None:
        if topic.channel in _PRIVATE:
            self.private.unwatch(topic)
        elif topic.channel is Channel.STATUS:
            self._public.watcher = None
        elif topic.market in self.feeds:
            self.feeds[topic.market].unwatch(topic)

    def _feed(self, symbol: str) -> MarketFeed:
        feed = self._dirty.get(symbol)
        if feed is None:
            feed = self._dirty[symbol] = self.feeds[symbol]
        return feed
