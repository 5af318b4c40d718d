"""Klines and tickers against a slow, obvious twin: sums over the list of all trades."""

import random
from collections.abc import Iterable
from typing import NamedTuple

import pytest

from exchange.runtime.feeds.candles import WINDOWS, Candle, Candles
from exchange.runtime.feeds.intervals import DAY_US, HOUR_US, INTERVALS, MINUTE_US, bucket
from exchange.runtime.feeds.market_past import wanted_from
from exchange.values.listings.views import CandleView, TickerView

START_US = 1_750_000_000_000_000


class Trade(NamedTuple):
    time_us: int
    price_ticks: int
    lots: int


def run(seed: int, count: int = 3_000) -> list[Trade]:
    """Trades in bursts, with pauses from nothing to days."""
    rand, time_us = random.Random(seed), START_US
    trades = []
    for _ in range(count):
        time_us += rand.choice((0, 0, 1_000, 400_000, MINUTE_US // 3, HOUR_US // 7, rand.randrange(DAY_US // 20)))
        trades.append(Trade(time_us, rand.randrange(9_000, 11_000), rand.randrange(1, 50)))
    return trades


def summed(trades: Iterable[Trade], from_us: int, to_us: int) -> tuple[int, ...]:
    inside = [trade for trade in trades if from_us <= trade.time_us < to_us]
    if not inside:
        return (0, 0, 0, 0, 0, 0)
    prices = [trade.price_ticks for trade in inside]
    return (prices[0], max(prices), min(prices), prices[-1], sum(trade.lots for trade in inside), len(inside))


def figures(candle: CandleView) -> tuple[int, ...]:
    prices = (candle.open_ticks, candle.high_ticks, candle.low_ticks, candle.close_ticks)
    return (*(price or 0 for price in prices), candle.lots, candle.trades)


def ticker_figures(ticker: TickerView | None) -> tuple[int, ...]:
    if ticker is None:
        return (0, 0, 0, 0, 0, 0)
    return (
        ticker.first_ticks,
        ticker.high_ticks,
        ticker.low_ticks,
        ticker.last_ticks,
        ticker.lots,
        ticker.trades,
    )


def play(candles: Candles, trades: Iterable[Trade]) -> None:
    for trade in trades:
        candles.trade(trade.price_ticks, trade.lots, trade.price_ticks * trade.lots, trade.time_us)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("ticks", [True, False])
def test_every_bucket_with_trades_closes_once_with_all_of_them(seed: int, ticks: bool) -> None:
    """However rarely anybody looks at the clock in between."""
    closed: list[tuple[str, CandleView]] = []
    trades = run(seed)
    candles = Candles("SOL_USDC", lambda interval, ended: closed.append((interval, ended.view("", interval, True))))
    for number, trade in enumerate(trades):
        play(candles, [trade])
        if ticks and number % 3 == 0:
            candles.advance(trade.time_us + 1)
    end_us = trades[-1].time_us + 100 * DAY_US
    candles.advance(end_us)
    for interval in INTERVALS:
        starts = list(dict.fromkeys(bucket(interval, trade.time_us) for trade in trades))
        found = [candle for name, candle in closed if name == interval]
        assert [(candle.start_us, candle.end_us) for candle in found] == starts
        for candle in found[:40] + found[-3:]:
            assert figures(candle) == summed(trades, candle.start_us, candle.end_us)


@pytest.mark.parametrize("seed", range(3))
def test_the_running_bucket_and_the_tickers_hold_every_trade_so_far(seed: int) -> None:
    trades = run(seed)
    candles = Candles("SOL_USDC", lambda interval, ended: None)
    for number, trade in enumerate(trades):
        play(candles, [trade])
        if number % 100:
            continue
        now_us = trade.time_us + (number % 7) * 90_000
        for interval in INTERVALS:
            start_us, end_us = bucket(interval, now_us)
            running = candles.running(interval, now_us)
            assert (running.start_us, running.end_us, running.closed) == (start_us, end_us, False)
            assert figures(running) == summed(trades[: number + 1], start_us, end_us)
        for days, length_us in ((1, MINUTE_US), (7, HOUR_US)):
            from_us = now_us // length_us * length_us - days * DAY_US + length_us
            assert wanted_from(now_us)[WINDOWS[days][0]] == from_us
            assert ticker_figures(candles.ticker(days, now_us)) == summed(trades[: number + 1], from_us, now_us + 1)


def test_a_ticker_is_none_once_all_trades_are_out_of_its_window() -> None:
    candles = Candles("SOL_USDC", lambda interval, ended: None)
    play(candles, [Trade(START_US, 10_000, 1)])
    assert candles.ticker(1, START_US + DAY_US - MINUTE_US) is not None
    assert candles.ticker(1, START_US + DAY_US + MINUTE_US) is None
    assert candles.ticker(7, START_US + DAY_US + MINUTE_US) is not None
    assert candles.ticker(7, START_US + 8 * DAY_US) is None


@pytest.mark.parametrize("seed", range(3))
def test_loaded_from_what_was_they_go_on_as_if_they_had_never_stopped(seed: int) -> None:
    trades = run(seed, 600)
    before, after = trades[:400], trades[400:]
    now_us = before[-1].time_us + 1
    never_stopped = Candles("SOL_USDC", lambda interval, ended: None)
    loaded = Candles("SOL_USDC", lambda interval, ended: None)
    play(never_stopped, before)
    for interval in INTERVALS:
        from_us = {"1m": now_us - 2 * DAY_US, "1h": now_us - 9 * DAY_US}.get(interval, now_us - 40 * DAY_US)
        past = [trade for trade in before if trade.time_us >= bucket(interval, from_us)[0]]
        for start_us, end_us in dict.fromkeys(bucket(interval, trade.time_us) for trade in past):
            made = Candle(start_us, end_us)
            for trade in past:
                if start_us <= trade.time_us < end_us:
                    made.trade(trade.price_ticks, trade.lots, trade.price_ticks * trade.lots)
            loaded.load(interval, made.view("SOL_USDC", interval, end_us <= now_us), now_us)
    for number in range(len(after) + 1):
        for trade in after[number - 1 : number]:  # nothing yet, then one after the other
            play(never_stopped, [trade])
            play(loaded, [trade])
            now_us = trade.time_us
        assert [loaded.running(interval, now_us) for interval in INTERVALS] == [
            never_stopped.running(interval, now_us) for interval in INTERVALS
        ]
        for days in (1, 7):
            assert loaded.ticker(days, now_us) == never_stopped.ticker(days, now_us)
