"""Times as text, where no clock and no time zone may be asked."""

from typing import Final

_SECOND_US: Final = 1_000_000
_DAY_S: Final = 86_400
#: Days of 400 years, after which the calendar repeats, and from 1 March of year 0 to 1 January 1970.
_ERA_DAYS: Final = 146_097
_EPOCH_DAYS: Final = 719_468


def utc_text(time_us: int) -> str:
    """`2025-07-03T12:00:00Z`; `time_us` is since 1970, and parts of a second are left out."""
    days, seconds = divmod(time_us // _SECOND_US, _DAY_S)
    era, day = divmod(days + _EPOCH_DAYS, _ERA_DAYS)
    # Years begin in March here, so that a leap day is a year's last.
    year = (day - day // 1_460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5 - 1
    month += 3 if month < 10 else -9
    year += 400 * era + (month <= 2)
    hours, seconds = divmod(seconds, 3_600)
    return f"{year:04}-{month:02}-{day:02}T{hours:02}:{seconds // 60:02}:{seconds % 60:02}Z"


def stamp(time_us: int) -> str:
    """`2025-07-03 12:00:00.000000 UTC`: a record's time for a person; `time_us` is since 1970."""
    text = utc_text(time_us)
    return f"{text[:10]} {text[11:19]}.{time_us % _SECOND_US:06} UTC"
