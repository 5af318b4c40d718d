"""The one source of time: records are stamped from it, and nothing else of ours reads a clock for the core.

The clock runs on the machine's monotonic clock, anchored to wall time once, so it never falls
and never jumps. A wall clock that is set while we run shows as divergence, and the venue brakes.
"""

import asyncio
import ctypes
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Protocol

import structlog

#: The wall clock may differ from ours by this much before the venue drops to CANCEL_ONLY.
MAX_DIVERGENCE_US: Final = 500_000
#: A start further from the journal's last record than this needs somebody's word for the clock: ahead of it, unless the
#: kernel says that the clock is kept by NTP; behind it always. Less behind is waited for, so a jump ahead that nobody
#: was asked about costs at most this.
MAX_UNCONFIRMED_US: Final = 3_600_000_000
#: What `adjtimex` returns for a clock that nothing keeps.
_TIME_ERROR: Final = 5
#: More than `struct timex` takes anywhere.
_TIMEX_BYTES: Final = 1_024

_log = structlog.get_logger(__name__)


class ClockDoubtful(Exception):
    """What the wall clock says can't be true, seen beside the journal's last record; the text says the ways out."""


class ClockBehindJournal(ClockDoubtful):
    """The wall clock stands before the journal's last record: starting would fold time."""


class ClockAheadOfJournal(ClockDoubtful):
    """The wall clock is far beyond the journal's last record, and nothing but itself says that it is right.

    Records stamped with a time that hasn't come would shut the venue until it has.
    """


class Clock(Protocol):
    """Time in µs since 1970 (UTC); neither ever falls."""

    def now_us(self) -> int:
        """What records are stamped with."""

    def real_us(self) -> int:
        """What requests are held against: behind `now_us` only where time stands still for records."""

    def divergence_us(self) -> int:
        """Wall clock minus `now_us`."""


class SystemClock:
    """The real clock.

    A process that ended a moment ago may have run ahead of the wall clock by up to
    MAX_DIVERGENCE_US; within that the new clock goes on from the journal's last time.

    `standing`: the wall clock is right and the journal is ahead of it, by however much. Records are then stamped with
    `journal_us` until real time has caught up, and the divergence says so.

    Raises:
        ClockBehindJournal: the wall clock is further behind `journal_us` than that, and not `standing`.
    """

    def __init__(self, journal_us: int = 0, *, standing: bool = False) -> None:
        wall_us = _wall_us()
        if journal_us - wall_us > MAX_DIVERGENCE_US and not standing:
            raise ClockBehindJournal(f"the wall clock is {(journal_us - wall_us) / 1e6:.1f} s behind the journal")
        self._floor_us = journal_us
        self._offset_ns = (wall_us if standing else max(wall_us, journal_us)) * 1000 - time.monotonic_ns()

    def now_us(self) -> int:
        real_us = (time.monotonic_ns() + self._offset_ns) // 1000
        return real_us if real_us > self._floor_us else self._floor_us

    def real_us(self) -> int:
        return (time.monotonic_ns() + self._offset_ns) // 1000

    def divergence_us(self) -> int:
        return _wall_us() - self.now_us()


def is_kept() -> bool:
    """Whether the kernel says that NTP (chrony, ntpd, timesyncd) keeps the clock; False where it won't tell."""
    try:
        state: int = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        return False
    return 0 <= state < _TIME_ERROR


async def clock_after(
    journal_us: int,
    *,
    confirmed: bool = False,
    kept: Callable[[], bool] = is_kept,
    waiting: Callable[[int], None] = lambda until_us: None,
) -> SystemClock:
    """The clock of a start whose last record is of `journal_us`; waits for a wall clock that is a little behind it.

    `confirmed`: somebody says that the wall clock is right, whatever the journal says. `waiting` is told of a wait, and
    until which time on the wall clock.

    Raises:
        ClockBehindJournal, ClockAheadOfJournal
    """
    behind_us = journal_us - _wall_us()
    if behind_us > MAX_DIVERGENCE_US and confirmed:
        _log.warning("time_stands_still", until=_text(journal_us), seconds=behind_us // 1_000_000)
        return SystemClock(journal_us, standing=True)
    if behind_us > MAX_UNCONFIRMED_US:
        raise ClockBehindJournal(
            f"the clock says {_text(_wall_us())} and is {behind_us / 1e6:.1f} s behind the journal's last record, which"
            f" is of {_text(journal_us)}: set it right and start again. If it is right, and was wrong before: exchange"
            " serve --clock-is-right goes on in CANCEL_ONLY, with time standing still for records until then"
        )
    if -behind_us > MAX_UNCONFIRMED_US and not confirmed and not kept():
        raise ClockAheadOfJournal(
            f"the clock says {_text(_wall_us())}, the journal's last record is of {_text(journal_us)}, and NTP does not"
            " keep this machine's clock: records with a time that hasn't come would shut the venue until it has."
            " If the clock is right: exchange serve --clock-is-right, once"
        )
    while (behind_us := journal_us - _wall_us()) > MAX_DIVERGENCE_US:
        _log.warning("waiting_for_the_clock", seconds=behind_us // 1_000_000, until=_text(journal_us))
        waiting(journal_us)
        await asyncio.sleep((behind_us - MAX_DIVERGENCE_US / 2) / 1e6)
    return SystemClock(journal_us)


def _wall_us() -> int:
    return time.time_ns() // 1000


def _text(time_us: int) -> str:
    return f"{datetime.fromtimestamp(time_us // 1_000_000, UTC):%Y-%m-%d %H:%M:%S} UTC"
