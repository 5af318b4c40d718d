"""Times on the wire. Inside, every time is µs since 1970 (UTC); the wire has five spellings of it."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def milliseconds(time_us: int) -> int:
    return time_us // 1_000


def iso_text(time_us: int) -> str:
    """`2025-07-27T17:39:00.092`, UTC without a zone letter."""
    return _at(time_us).isoformat(timespec="milliseconds")


def kline_text(time_us: int) -> str:
    """`2025-07-19 13:09:00`, as REST klines write it."""
    return _at(time_us).isoformat(sep=" ", timespec="seconds")


def stream_kline_text(time_us: int) -> str:
    """`2025-07-19T13:09:00`, as the kline stream writes it."""
    return _at(time_us).isoformat(timespec="seconds")


def _at(time_us: int) -> datetime:
    return (_EPOCH + timedelta(microseconds=time_us)).replace(tzinfo=None)
