"""What records add to the read models. No I/O here.

`Rows` gathers a batch of records: entries for the lists of accounts (`lists`), what happened to resting orders, trades,
and candles, one row each however many trades they hold.
"""

from collections import defaultdict
from collections.abc import Sequence
from hashlib import blake2b
from struct import Struct
from typing import Any, Final

import msgspec

from exchange.core import State
from exchange.core.ledger import postings
from exchange.runtime.feeds.candles import Candle
from exchange.runtime.feeds.intervals import INTERVALS, bucket
from exchange.runtime.follower.read_models.lists import (
    AVAILABLE,
    DEPOSIT,
    ENTRY,
    FILL,
    LOCKED,
    NO_CLIENT_ID,
    ORDER,
)
from exchange.values.enums import Bucket, Side
from exchange.values.events import AnyEvent
from exchange.values.ids import AccountId, OrderId, id_at
from exchange.values.listings.events import AssetListed, MarketListed
from exchange.values.orders.events import OrderDone, Traded
from exchange.values.record import Record, carried_out, placed_order

Row = tuple[Any, ...]

#: A record's hash and time.
KEPT: Final = Struct("<8sQ")
KEPT_BYTES: Final = KEPT.size

#: What happened to an order after it rested: some of it was filled, the rest of it was, or it ended otherwise.
FILLED: Final = 0
FILLED_UP: Final = 1
ENDED: Final = 2

_DEPOSIT: Final = "deposit"
_AVAILABLE: Final = Bucket.AVAILABLE
_BID: Final = Side.BID


def line_hash(line: bytes) -> bytes:
    """What a record's line is held against when it is read.

    Eight bytes of BLAKE2b: it is there against damage, which they miss once in 2^64; that nobody has written another
    past is proved by the chain, whole.
    """
    return blake2b(line, digest_size=8).digest()


def leg_kind(posting: str, place: Bucket) -> int:
    """The kind of entry of a leg: `posting` is the posting's kind, `place` the bucket."""
    return LOCKED if place is not _AVAILABLE else DEPOSIT if posting == _DEPOSIT else AVAILABLE


class Rows:
    """What the records after `seq` add. `numbers` are those of markets and assets known so far, by symbol."""

    def __init__(self, seq: int, markets: dict[str, int], assets: dict[str, int]) -> None:
        self.seq = seq
        self.time_us = 0
        #: `KEPT` of every record; of lost ones no hash and the time of the next.
        self.kept = bytearray()
        self.lists: defaultdict[AccountId, bytearray] = defaultdict(bytearray)
        #: order, seq, event's index, lots and quote atoms filled in all by then, and what happened.
        self.touches: list[Row] = []
        #: The newest order under a client id, by account and market's number.
        self.client_ids: dict[tuple[AccountId, int, int], OrderId] = {}
        self.trades: list[Row] = []
        self.markets = dict(markets)
        self.assets = dict(assets)
        self.new_markets: list[Row] = []
        self.new_assets: list[Row] = []
        self._seconds: dict[tuple[str, int], Candle] = {}

    def add(self, state: State, record: Record, line: bytes) -> None:
        """Take in one record and its line as kept; `state` is that before it, and is only read."""
        seq, time_us, events = record.seq, record.time_us, record.events
        if seq > self.seq + 1:
            self.kept += KEPT.pack(bytes(8), time_us) * (seq - self.seq - 1)
        self.kept += KEPT.pack(line_hash(line), time_us)
        self.seq, self.time_us = seq, time_us
        if not carried_out(events):
            return
        client_id = NO_CLIENT_ID
        placed = placed_order(record.command, events)
        if placed is not None:
            market = self.markets[placed.market]
            if placed.client_id is not None:
                client_id = placed.client_id
                self.client_ids[placed.account, market, client_id] = OrderId(id_at(seq))
            self.lists[placed.account] += ENTRY.pack(seq, 0, ORDER, market, client_id)
        for index, event in enumerate(events):
            if type(event) is Traded:
                self._traded(state, record, index, event, client_id)
            elif type(event) is OrderDone:
                if event.resting:
                    order = state.orders[event.order_id]
                    filled = order.lots - order.left_lots, order.filled_quote_atoms
                    self.touches.append((event.order_id, seq, index, *filled, ENDED))
            elif type(event) is AssetListed:
                self.list_asset(event.asset.symbol)
            elif type(event) is MarketListed:
                self.list_market(event.spec.symbol, msgspec.json.encode(event.spec))
        self._post(state, seq, events)

    def list_asset(self, symbol: str) -> None:
        self.new_assets.append((len(self.assets), symbol))
        self.assets[symbol] = len(self.assets)

    def list_market(self, symbol: str, spec: bytes) -> None:
        """`spec`: its `MarketSpec` as JSON."""
        self.new_markets.append((len(self.markets), symbol, spec))
        self.markets[symbol] = len(self.markets)

    def candles(self) -> dict[tuple[str, str, int], Candle]:
        """Candles of every interval, by market, interval and start."""
        candles: dict[tuple[str, str, int], Candle] = {}
        for (market, _), second in self._seconds.items():
            for interval in INTERVALS:
                start_us, end_us = bucket(interval, second.start_us)
                key = (market, interval, start_us)
                if key not in candles:
                    candles[key] = Candle(start_us, end_us)
                candles[key].merge(second)
        return candles

    def _traded(self, state: State, record: Record, index: int, event: Traded, taker_client_id: int) -> None:
        seq, market = record.seq, self.markets[event.market]
        maker = state.orders[event.maker_order_id]
        client_id = NO_CLIENT_ID if maker.client_id is None else maker.client_id
        self.lists[event.taker_account] += ENTRY.pack(seq, index, FILL, market, taker_client_id)
        self.lists[event.maker_account] += ENTRY.pack(seq, index, FILL, market, client_id)
        self.touches.append(
            (event.maker_order_id, seq, index, maker.lots - event.maker_left_lots,
             maker.filled_quote_atoms + event.quote_atoms, FILLED if event.maker_left_lots else FILLED_UP)
        )  # fmt: skip
        bought = event.taker_side is _BID
        buyer, seller = event.taker_order_id, event.maker_order_id
        self.add_trade(
            (event.market, event.trade_id, event.price_ticks, event.lots, event.quote_atoms, record.time_us,
             buyer if bought else seller, seller if bought else buyer, not bought)
        )  # fmt: skip

    def add_trade(self, trade: Row) -> None:
        """A row of the table, and what it adds to the candles."""
        self.trades.append(trade)
        market, _, price_ticks, lots, quote_atoms, time_us, *_ = trade
        start_us, end_us = bucket("1s", time_us)
        second = self._seconds.get((market, start_us))
        if second is None:
            second = self._seconds[market, start_us] = Candle(start_us, end_us)
        second.trade(price_ticks, lots, quote_atoms)

    def _post(self, state: State, seq: int, events: Sequence[AnyEvent]) -> None:
        """An entry per leg, with its bucket's balance after it."""
        lists, assets, accounts, pack = self.lists, self.assets, state.accounts, ENTRY.pack
        balances: dict[tuple[AccountId, str, Bucket], int] = {}
        at = 0
        for event in events:
            for posting, leg in postings(state, event):
                account, asset, place = key = (leg.account, leg.asset, leg.bucket)
                after = balances.get(key)
                if after is None:
                    owner = accounts.get(account)
                    held = None if owner is None else owner.balances.get(asset)
                    after = 0
                    if held is not None:
                        after = held.available_atoms if place is _AVAILABLE else held.locked_atoms
                balances[key] = after = after + leg.atoms
                lists[account] += pack(seq, at, leg_kind(posting, place), assets[asset], after)
                at += 1
