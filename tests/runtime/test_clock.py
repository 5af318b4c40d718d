"""The clock never falls, and a start in the past is refused."""

import time
from itertools import pairwise

import pytest

from exchange.runtime.clock import MAX_DIVERGENCE_US, ClockBehindJournal, SystemClock


def wall_us() -> int:
    return time.time_ns() // 1000


def test_it_shows_the_wall_clocks_time() -> None:
    clock = SystemClock()
    assert abs(clock.now_us() - wall_us()) < 50_000
    assert abs(clock.divergence_us()) < 50_000


def test_it_never_falls_though_the_wall_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SystemClock()
    before = clock.now_us()
    hour_ago_ns = time.time_ns() - 3600 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: hour_ago_ns)
    times = [before, *(clock.now_us() for _ in range(1_000))]
    assert all(one <= later for one, later in pairwise(times))
    assert clock.divergence_us() < -3599 * 10**6


def test_a_start_far_behind_the_journal_is_refused() -> None:
    with pytest.raises(ClockBehindJournal):
        SystemClock(wall_us() + MAX_DIVERGENCE_US + 1_000_000)


def test_a_start_a_little_behind_the_journal_goes_on_from_it() -> None:
    journal_us = wall_us() + MAX_DIVERGENCE_US // 2
    assert SystemClock(journal_us).now_us() >= journal_us
