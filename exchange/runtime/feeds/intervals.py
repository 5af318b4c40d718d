"""Kline intervals: their names, and the bucket of an interval that a moment falls into. All in µs, UTC.

Weeks begin on Monday, months on the first; every other interval is counted from 1970.
"""

from datetime import UTC, datetime
from typing import Final

SECOND_US: Final = 1_000_000
MINUTE_US: Final = 60 * SECOND_US
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US

#: 1970 began on a Thursday.
_FIRST_MONDAY_US: Final = 4 * DAY_US
_MONTH: Final = "1month"

#: Length of every interval; a month has none.
_LENGTHS_US: Final = {
    "1s": SECOND_US,
    "1m": MINUTE_US,
    "3m": 3 * MINUTE_US,
    "5m": 5 * MINUTE_US,
    "15m": 15 * MINUTE_US,
    "30m": 30 * MINUTE_US,
    "1h": HOUR_US,
    "2h": 2 * HOUR_US,
    "4h": 4 * HOUR_US,
    "6h": 6 * HOUR_US,
    "8h": 8 * HOUR_US,
    "12h": 12 * HOUR_US,
    "1d": DAY_US,
    "3d": 3 * DAY_US,
    "1w": 7 * DAY_US,
}
INTERVALS: Final = (*_LENGTHS_US, _MONTH)


def bucket(interval: str, time_us: int) -> tuple[int, int]:
    """Start and end (exclusive) of the bucket that holds `time_us`.

    Raises:
        KeyError: not one of `INTERVALS`.
    """
    if interval == _MONTH:
        moment = datetime.fromtimestamp(time_us // SECOND_US, UTC)
        return _month_us(moment.year, moment.month), _month_us(moment.year, moment.month + 1)
    length_us = _LENGTHS_US[interval]
    phase_us = _FIRST_MONDAY_US if interval == "1w" else 0
    start_us = time_us - (time_us - phase_us) % length_us
    return start_us, start_us + length_us


def _month_us(year: int, month: int) -> int:
    """The first moment of a month; month 13 is the next January."""
    first = datetime(year + month // 13, (month - 1) % 12 + 1, 1, tzinfo=UTC)
    return int(first.timestamp()) * SECOND_US
