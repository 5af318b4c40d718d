"""The clock never falls, and a start in the past is refused."""

import time
from itertools import pairwise

import pytest

from exchange.runtime.clock import (
    MAX_DIVERGENCE_US,
    MAX_UNCONFIRMED_US,
    ClockAheadOfJournal,
    ClockBehindJournal,
    SystemClock,
    clock_after,
    is_kept,
)


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


def test_time_stands_still_for_records_and_goes_on_for_requests_until_the_journal_is_reached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passed_ns = 0
    monkeypatch.setattr(time, "time_ns", lambda: 10**18 + passed_ns)
    monkeypatch.setattr(time, "monotonic_ns", lambda: 5 + passed_ns)
    start_us, day_us = 10**15, 86_400 * 10**6
    clock = SystemClock(start_us + day_us, standing=True)
    assert (clock.now_us(), clock.real_us(), clock.divergence_us()) == (start_us + day_us, start_us, -day_us)
    passed_ns = day_us * 1_000 // 2
    assert (clock.now_us(), clock.real_us()) == (start_us + day_us, start_us + day_us // 2)
    passed_ns = day_us * 2_000
    assert clock.now_us() == clock.real_us() == start_us + 2 * day_us
    assert clock.divergence_us() == 0


async def test_a_clock_far_ahead_of_the_journal_needs_somebodys_word() -> None:
    for journal_us in (wall_us() - MAX_UNCONFIRMED_US - 10**6, wall_us() - 30 * 86_400 * 10**6):
        with pytest.raises(ClockAheadOfJournal, match="--clock-is-right"):
            await clock_after(journal_us, kept=lambda: False)
        for clock in (await clock_after(journal_us, kept=lambda: True), await clock_after(journal_us, confirmed=True)):
            assert abs(clock.now_us() - wall_us()) < 10**6
    await clock_after(wall_us() - MAX_UNCONFIRMED_US + 60 * 10**6, kept=lambda: False)


async def test_a_clock_a_little_behind_is_waited_for_and_one_far_behind_needs_somebodys_word() -> None:
    journal_us = wall_us() + MAX_DIVERGENCE_US + 300_000
    clock = await clock_after(journal_us, kept=lambda: False)
    assert wall_us() >= journal_us - MAX_DIVERGENCE_US
    assert clock.now_us() >= journal_us
    journal_us = wall_us() + MAX_UNCONFIRMED_US + 60 * 10**6
    with pytest.raises(ClockBehindJournal, match="--clock-is-right"):
        await clock_after(journal_us, kept=lambda: True)  # now, and not then: that is for a person to see
    standing = await clock_after(journal_us, confirmed=True)
    assert standing.now_us() == journal_us
    assert standing.real_us() < journal_us


def test_whether_the_clock_is_kept_can_be_asked_anywhere() -> None:
    assert is_kept() in (True, False)
