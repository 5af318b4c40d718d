"""The one source of time: records are stamped from it, and nothing else of ours reads a clock for the core.

The clock runs on the machine's monotonic clock, anchored to wall time once, so it never falls
and never jumps. A wall clock that is set while we run shows as divergence, and the venue brakes.
"""

import time
from typing import Final, Protocol

#: The wall clock may differ from ours by this much before the venue drops to CANCEL_ONLY.
MAX_DIVERGENCE_US: Final = 500_000


class ClockBehindJournal(Exception):
    """The wall clock stands before the journal's last record: starting would fold time."""


class Clock(Protocol):
    """Time in µs since 1970 (UTC); `now_us` never falls."""

    def now_us(self) -> int: ...

    def divergence_us(self) -> int:
        """Wall clock minus this clock."""


class SystemClock:
    """The real clock.

    A process that ended a moment ago may have run ahead of the wall clock by up to
    MAX_DIVERGENCE_US; within that the new clock goes on from the journal's last time.

    Raises:
        ClockBehindJournal: the wall clock is further behind `journal_us` than that.
    """

    def __init__(self, journal_us: int = 0) -> None:
        wall_us = time.time_ns() // 1000
        if journal_us - wall_us > MAX_DIVERGENCE_US:
            raise ClockBehindJournal(f"the wall clock is {(journal_us - wall_us) / 1e6:.1f} s behind the journal")
        self._offset_ns = max(wall_us, journal_us) * 1000 - time.monotonic_ns()

    def now_us(self) -> int:
        return (time.monotonic_ns() + self._offset_ns) // 1000

    def divergence_us(self) -> int:
        return time.time_ns() // 1000 - self.now_us()
