"""Stream subscriptions: each update is encoded once and handed to everybody who reads that stream.

The hub watches a topic of the exchange while somebody is subscribed to it. A private
subscription belongs to the key that signed it and ends with that key.
"""

from functools import partial
from typing import Final, Protocol

import msgspec

from exchange.gateway.listings import streams as market_streams
from exchange.gateway.modes import streams as mode_streams
from exchange.gateway.money import streams as money_streams
from exchange.gateway.orders import streams as order_streams
from exchange.gateway.session.stream_names import StreamName
from exchange.runtime.port import Channel, Exchange, Topic
from exchange.values.accounts.views import KeyView
from exchange.values.listings.specs import AssetSpec, MarketSpec
from exchange.values.listings.views import BookTicker, CandleView, DepthDelta, TickerView, TradeView
from exchange.values.modes.views import StatusView
from exchange.values.money.views import BalanceUpdate
from exchange.values.orders.views import OrderUpdate
from exchange.values.updates import Update

#: Streams of which only the newest frame matters: a reader that falls behind skips the ones between.
CONFLATED: Final = frozenset({Channel.BOOK_TICKER, Channel.TICKER, Channel.STATUS})


class Reader(Protocol):
    """A connection, as the hub sees it. Neither method blocks or changes any subscription."""

    def send(self, payload: bytes) -> None:
        """Send one message."""

    def send_latest(self, stream: str, payload: bytes) -> None:
        """Send one message, or keep it in place of an older one of the same stream until the reader keeps up."""


class Feed:
    """One stream of one name: its readers, each with the key that signed for it (None on public streams)."""

    __slots__ = ("conflated", "market", "name", "prefix", "readers", "topic")

    def __init__(self, name: StreamName, topic: Topic) -> None:
        self.name = name.text
        self.topic = topic
        #: Of a private stream, the one market it is limited to.
        self.market = name.market if topic.account else ""
        self.conflated = topic.channel in CONFLATED
        self.prefix = b'{"stream":' + msgspec.json.encode(name.text) + b',"data":'
        self.readers: dict[Reader, KeyView | None] = {}


class Hub:
    """All feeds of one gateway process."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._feeds: dict[Topic, dict[str, Feed]] = {}
        self._specs: dict[str, MarketSpec] = {}
        self._assets: dict[str, AssetSpec] = {}

    def subscribe(self, name: StreamName, reader: Reader, key: KeyView | None = None) -> Feed | None:
        """Begin to send `name` to `reader`, or go on; `key` signed for a private stream, from now on this one.

        None if nothing will ever be sent under that name: products not traded here, unknown symbols.
        """
        topic = self._topic(name, key)
        if topic is None:
            return None
        feeds = self._feeds.get(topic)
        if feeds is None:
            feeds = self._feeds[topic] = {}
            self._exchange.watch(topic, partial(self._publish, feeds))
        feed = feeds.get(name.text)
        if feed is None:
            feed = feeds[name.text] = Feed(name, topic)
        new = reader not in feed.readers
        feed.readers[reader] = key
        if new and topic.channel is Channel.STATUS:
            reader.send(feed.prefix + mode_streams.status(self._exchange.status(), self._exchange.now_us()) + b"}")
        return feed

    def unsubscribe(self, feed: Feed, reader: Reader) -> None:
        """Stop; nothing happens if it has stopped already."""
        feed.readers.pop(reader, None)
        feeds = self._feeds.get(feed.topic)
        if feeds is None or feed.readers or feeds.get(feed.name) is not feed:
            return
        del feeds[feed.name]
        if not feeds:
            del self._feeds[feed.topic]
            self._exchange.unwatch(feed.topic)

    def _topic(self, name: StreamName, key: KeyView | None) -> Topic | None:
        if name.channel is None:
            return None
        if name.market and self._exchange.market(name.market) is None:
            return None
        if name.private:
            return Topic(name.channel, account=key.account) if key is not None else None
        return Topic(name.channel, market=name.market, interval=name.interval)

    def _publish(self, feeds: dict[str, Feed], update: Update) -> None:
        data = self._encode(update)
        ended: list[tuple[Feed, Reader]] = []
        for feed in feeds.values():
            if feed.market and not (isinstance(update, OrderUpdate) and update.order.market == feed.market):
                continue
            message = b"%b%b}" % (feed.prefix, data)
            if feed.conflated:
                for reader in feed.readers:
                    reader.send_latest(feed.name, message)
            elif not feed.topic.account:
                for reader in feed.readers:
                    reader.send(message)
            else:
                ended += self._send_private(feed, message)
        for feed, reader in ended:
            self.unsubscribe(feed, reader)

    def _send_private(self, feed: Feed, message: bytes) -> list[tuple[Feed, Reader]]:
        """Returns those whose key is no longer in force."""
        ended = []
        for reader, key in feed.readers.items():
            if key is not None and self._exchange.key(key.public_key) == key:
                reader.send(message)
            else:
                ended.append((feed, reader))
        return ended

    def _encode(self, update: Update) -> bytes:
        match update:
            case DepthDelta():
                return market_streams.depth(update, self._spec(update.market))
            case BookTicker():
                return market_streams.book_ticker(update, self._spec(update.market))
            case TradeView():
                return market_streams.trade(update, self._spec(update.market))
            case OrderUpdate(order=order, fill=fill):
                fee_asset = None if fill is None else self._asset(fill.fee_asset)
                return order_streams.order_update(update, self._spec(order.market), fee_asset)
            case BalanceUpdate():
                return money_streams.balance_update(update, self._asset(update.asset))
            case CandleView():
                return market_streams.kline(update, self._spec(update.market), self._exchange.now_us())
            case TickerView():
                return market_streams.ticker(update, self._spec(update.market))
            case StatusView():
                return mode_streams.status(update, self._exchange.now_us())

    def _spec(self, symbol: str) -> MarketSpec:
        """A listing never changes, so it is asked for once."""
        spec = self._specs.get(symbol)
        if spec is None:
            market = self._exchange.market(symbol)
            if market is None:
                raise LookupError(f"an update of market {symbol}, which isn't listed")
            spec = self._specs[symbol] = market.spec
        return spec

    def _asset(self, symbol: str) -> AssetSpec:
        """As `_spec`."""
        if symbol not in self._assets:
            self._assets = {asset.symbol: asset for asset in self._exchange.assets()}
        return self._assets[symbol]
