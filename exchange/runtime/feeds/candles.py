"""Klines and rolling tickers of one market, kept from its trades as they happen.

A trade touches one bucket only: the running second. Once a second that second is merged into the
running bucket of every interval, and closed minutes and hours join the ticker windows. All of it is
a function of the trades, so a restart that loads it from the read models goes on as if it had never stopped.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from exchange.runtime.feeds.intervals import DAY_US, HOUR_US, INTERVALS, MINUTE_US, SECOND_US, bucket
from exchange.values.listings.views import CandleView, TickerView

#: Ticker windows by days: their length in buckets, and the interval of those.
WINDOWS: Final[dict[int, tuple[str, int]]] = {1: ("1m", DAY_US // MINUTE_US), 7: ("1h", 7 * DAY_US // HOUR_US)}
_WINDOW_OF: Final = {interval: days for days, (interval, _) in WINDOWS.items()}


class Candle:
    """Trades of one bucket of time; prices mean nothing while `trades` is 0."""

    __slots__ = (
        "close_ticks",
        "end_us",
        "high_ticks",
        "lots",
        "low_ticks",
        "open_ticks",
        "quote_atoms",
        "start_us",
        "trades",
    )

    def __init__(self, start_us: int = 0, end_us: int = 0) -> None:
        self.start_us = start_us
        self.end_us = end_us
        self.open_ticks = self.high_ticks = self.low_ticks = self.close_ticks = 0
        self.lots = self.quote_atoms = self.trades = 0

    def trade(self, price_ticks: int, lots: int, quote_atoms: int) -> None:
        if not self.trades:
            self.open_ticks = self.high_ticks = self.low_ticks = price_ticks
        elif price_ticks > self.high_ticks:
            self.high_ticks = price_ticks
        elif price_ticks < self.low_ticks:
            self.low_ticks = price_ticks
        self.close_ticks = price_ticks
        self.lots += lots
        self.quote_atoms += quote_atoms
        self.trades += 1

    def merge(self, later: "Candle") -> None:
        """Take in the trades of a stretch that lies behind all of ours."""
        if not later.trades:
            return
        if not self.trades:
            self.open_ticks, self.high_ticks, self.low_ticks = later.open_ticks, later.high_ticks, later.low_ticks
        else:
            self.high_ticks = max(self.high_ticks, later.high_ticks)
            self.low_ticks = min(self.low_ticks, later.low_ticks)
        self.close_ticks = later.close_ticks
        self.lots += later.lots
        self.quote_atoms += later.quote_atoms
        self.trades += later.trades

    def view(self, market: str, interval: str, closed: bool) -> CandleView:
        none = not self.trades
        return CandleView(
            market=market,
            interval=interval,
            start_us=self.start_us,
            end_us=self.end_us,
            open_ticks=None if none else self.open_ticks,
            high_ticks=None if none else self.high_ticks,
            low_ticks=None if none else self.low_ticks,
            close_ticks=None if none else self.close_ticks,
            lots=self.lots,
            quote_atoms=self.quote_atoms,
            trades=self.trades,
            closed=closed,
        )


def from_view(candle: CandleView) -> Candle:
    """The candle a view was made of."""
    made = Candle(candle.start_us, candle.end_us)
    if candle.open_ticks is not None and candle.high_ticks is not None:
        assert candle.low_ticks is not None
        assert candle.close_ticks is not None
        made.open_ticks, made.high_ticks = candle.open_ticks, candle.high_ticks
        made.low_ticks, made.close_ticks = candle.low_ticks, candle.close_ticks
    made.lots, made.quote_atoms, made.trades = candle.lots, candle.quote_atoms, candle.trades
    return made


def window_start_us(interval: str, length: int, now_us: int) -> int:
    """Where a window of so many buckets begins that ends with the running one."""
    start_us, end_us = bucket(interval, now_us)
    return start_us - (length - 1) * (end_us - start_us)


class TickerWindow:
    """The closed buckets of a rolling ticker; summed anew only when one joins or leaves."""

    __slots__ = ("_closed", "_interval", "_length", "_sum")

    def __init__(self, interval: str, length: int) -> None:
        self._interval = interval
        self._length = length
        self._closed: deque[Candle] = deque()
        self._sum: Candle | None = None

    def add(self, closed: Candle) -> None:
        self._closed.append(closed)
        self._sum = None

    def total(self, now_us: int) -> Candle:
        """The sum of the closed buckets still in the window; not the caller's to change."""
        first_us = window_start_us(self._interval, self._length, now_us)
        while self._closed and self._closed[0].start_us < first_us:
            self._closed.popleft()
            self._sum = None
        if self._sum is None:
            self._sum = Candle()
            for each in self._closed:
                self._sum.merge(each)
        return self._sum


class Candles:
    """`on_closed(interval, candle)` hears of every bucket that ends with trades in it."""

    __slots__ = ("_market", "_on_closed", "_running", "_second", "_windows", "trades_seen")

    def __init__(self, market: str, on_closed: Callable[[str, Candle], None]) -> None:
        self._market = market
        self._on_closed = on_closed
        self._second = Candle()
        self._running: dict[str, Candle] = {}
        self._windows = {days: TickerWindow(*shape) for days, shape in WINDOWS.items()}
        #: Counts trades since the start, so that a publisher sees whether something is new.
        self.trades_seen = 0

    def load(self, interval: str, candle: CandleView, now_us: int) -> None:
        """Take a bucket as it was before the start: oldest first, and before any trade."""
        if candle.trades and candle.end_us > now_us:
            self._running[interval] = from_view(candle)
        elif candle.trades and interval in _WINDOW_OF:
            self._windows[_WINDOW_OF[interval]].add(from_view(candle))

    def trade(self, price_ticks: int, lots: int, quote_atoms: int, time_us: int) -> None:
        if time_us >= self._second.end_us:
            self.advance(time_us)
            start_us = time_us - time_us % SECOND_US
            self._second = Candle(start_us, start_us + SECOND_US)
        self._second.trade(price_ticks, lots, quote_atoms)
        self.trades_seen += 1

    def advance(self, now_us: int) -> None:
        """It is `now_us`, and no trade will come with an earlier time: close what has ended."""
        second = self._second
        if second.trades and now_us >= second.end_us:
            for interval in INTERVALS:
                self._running_at(interval, second.start_us).merge(second)
            self._second = Candle()
        for interval, running in list(self._running.items()):
            if now_us >= running.end_us:
                self._close(interval, running)

    def _running_at(self, interval: str, time_us: int) -> Candle:
        running = self._running.get(interval)
        if running is not None and time_us >= running.end_us:
            self._close(interval, running)
            running = None
        if running is None:
            running = self._running[interval] = Candle(*bucket(interval, time_us))
        return running

    def _close(self, interval: str, ended: Candle) -> None:
        del self._running[interval]
        if interval in _WINDOW_OF:
            self._windows[_WINDOW_OF[interval]].add(ended)
        self._on_closed(interval, ended)

    def running(self, interval: str, now_us: int) -> CandleView:
        """The bucket of now as it stands."""
        self.advance(now_us)
        shown = Candle(*bucket(interval, now_us))
        if interval in self._running:
            shown.merge(self._running[interval])
        shown.merge(self._second)
        return shown.view(self._market, interval, closed=False)

    def ticker(self, days: int, now_us: int) -> TickerView | None:
        """The last `days` (a key of WINDOWS), in whole buckets and the running one; None if nothing traded."""
        self.advance(now_us)
        shown = Candle()
        shown.merge(self._windows[days].total(now_us))
        interval, _ = WINDOWS[days]
        if interval in self._running:
            shown.merge(self._running[interval])
        shown.merge(self._second)
        if not shown.trades:
            return None
        return TickerView(
            market=self._market,
            first_ticks=shown.open_ticks,
            last_ticks=shown.close_ticks,
            high_ticks=shown.high_ticks,
            low_ticks=shown.low_ticks,
            lots=shown.lots,
            quote_atoms=shown.quote_atoms,
            trades=shown.trades,
            time_us=now_us,
        )
