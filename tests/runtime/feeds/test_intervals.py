"""Every moment falls into exactly one bucket of each interval, and buckets follow each other without a gap."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.runtime.feeds.intervals import DAY_US, INTERVALS, bucket

MOMENTS_US = st.integers(min_value=0, max_value=int(datetime(2200, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000)


def _us(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000_000)


@pytest.mark.parametrize("interval", INTERVALS)
@given(time_us=MOMENTS_US)
def test_a_moment_has_one_bucket_and_the_next_one_joins_it(interval: str, time_us: int) -> None:
    start_us, end_us = bucket(interval, time_us)
    assert start_us <= time_us < end_us
    assert bucket(interval, start_us) == bucket(interval, end_us - 1) == (start_us, end_us)
    assert bucket(interval, end_us)[0] == end_us


@pytest.mark.parametrize(
    ("interval", "time", "start", "end"),
    [
        ("1s", "2026-02-28T23:59:59.999999", "2026-02-28T23:59:59", "2026-03-01T00:00:00"),
        ("3m", "2026-01-01T00:05:59", "2026-01-01T00:03:00", "2026-01-01T00:06:00"),
        ("8h", "2026-01-01T15:59:59", "2026-01-01T08:00:00", "2026-01-01T16:00:00"),
        ("1w", "2026-11-22T20:55:00", "2026-11-16T00:00:00", "2026-11-23T00:00:00"),
        ("1month", "2026-12-31T23:59:59", "2026-12-01T00:00:00", "2027-01-01T00:00:00"),
        ("1month", "2028-02-29T12:00:00", "2028-02-01T00:00:00", "2028-03-01T00:00:00"),
    ],
)
def test_buckets_follow_the_clock_and_the_calendar(interval: str, time: str, start: str, end: str) -> None:
    assert bucket(interval, _us(time)) == (_us(start), _us(end))


def test_three_days_are_counted_from_1970() -> None:
    assert bucket("3d", 0) == (0, 3 * DAY_US)


def test_an_unknown_interval_is_a_bug_of_the_caller() -> None:
    with pytest.raises(KeyError):
        bucket("7m", 0)
