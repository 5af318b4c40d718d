"""Candles and tickers take up the past from the read models once those have reached it, however late that is.

Until then the trades of this process are kept, so that nothing is missing and nothing counted twice: the read
models are read at one of their seqs, and the trades behind it are put on top.
"""

from collections import deque
from collections.abc import Mapping
from typing import Final

from exchange.runtime.feeds.candles import WINDOWS, Candles, window_start_us
from exchange.runtime.feeds.intervals import INTERVALS, bucket
from exchange.values.listings.views import CandleView
from exchange.values.orders.events import Traded

#: Trades kept for a past that isn't there yet; beyond, the past is waited for until it holds the older ones.
MAX_EARLY_TRADES: Final = 200_000

#: Candles by market and interval, oldest first.
Past = Mapping[tuple[str, str], tuple[CandleView, ...]]


class EarlyTrades:
    """Every trade of the records after `complete_after`."""

    def __init__(self, seq: int) -> None:
        self.complete_after = seq
        self._trades: deque[tuple[int, Traded, int]] = deque()

    def add(self, seq: int, trade: Traded, time_us: int) -> None:
        if len(self._trades) >= MAX_EARLY_TRADES:
            self.complete_after, _, _ = self._trades.popleft()
        self._trades.append((seq, trade, time_us))

    def forget_to(self, seq: int) -> None:
        """The read models hold these."""
        while self._trades and self._trades[0][0] <= seq:
            self.complete_after, _, _ = self._trades.popleft()

    def first_us(self, now_us: int) -> int:
        """When the first of them was; `now_us` if there is none."""
        return self._trades[0][2] if self._trades else now_us

    def put_on(self, candles: Mapping[str, Candles]) -> None:
        for _, trade, time_us in self._trades:
            candles[trade.market].trade(trade.price_ticks, trade.lots, trade.quote_atoms, time_us)


def wanted_from(now_us: int) -> dict[str, int]:
    """From when on the candles of each interval are needed to go on at `now_us`."""
    first_us = {interval: bucket(interval, now_us)[0] for interval in INTERVALS}
    windows = {interval: window_start_us(interval, length, now_us) for interval, length in WINDOWS.values()}
    return first_us | windows


def take_up(candles: Mapping[str, Candles], past: Past, seq: int, early: EarlyTrades, now_us: int) -> None:
    """Fill fresh candles, by market, with what the read models held at `seq`, and the trades after it."""
    early.forget_to(seq)
    # A bucket that may still get one of those trades is not closed yet.
    then_us = early.first_us(now_us)
    for (symbol, interval), loaded in past.items():
        for candle in loaded:
            candles[symbol].load(interval, candle, then_us)
    early.put_on(candles)
