"""Stream names: what a client may subscribe to, and which topic of the exchange stands behind it."""

import re
from typing import Final, get_args

import msgspec

from exchange.gateway.listings.wire import Interval
from exchange.runtime.port import Channel

MAX_NAME_LENGTH: Final = 100

KLINE_INTERVALS: Final = frozenset(get_args(Interval))
#: Paces of aggregated depth in ms; every change as it happens is pace 0.
DEPTH_PACES_MS: Final = frozenset({"200", "600", "1000"})
REALTIME: Final = "0"

_BY_MARKET: Final = {
    "bookTicker": Channel.BOOK_TICKER,
    "ticker": Channel.TICKER,
    "trade": Channel.TRADE,
}
_PRIVATE: Final = {
    "orderUpdate": Channel.ORDER_UPDATE,
    "balanceUpdate": Channel.BALANCE_UPDATE,
    # Of products that aren't traded here: accepted, and nothing is ever sent.
    "positionUpdate": None,
    "rfqUpdate": None,
}
#: Public streams of products that aren't traded here: accepted, and nothing is ever sent.
_SILENT: Final = frozenset(
    {"markPrice", "openInterest", "liquidation", "externalTicker", "stockPrice", "stockIndicativeQuote"}
)
_WINDOW: Final = re.compile(r"(\d{1,9})ms", re.ASCII)


class StreamError(msgspec.Struct, frozen=True, gc=False):
    """An error frame's code and message (wire contract, section 9.3)."""

    code: int
    message: str


PARSE_ERROR: Final = StreamError(4002, "Parse error")
INVALID_SIGNATURE: Final = StreamError(4005, "Invalid signature")
INVALID_STREAM: Final = StreamError(4006, "Invalid stream")
INVALID_DEPTH_WINDOW: Final = StreamError(4008, "Invalid depth window")
#: Ours: the wire contract names no limits.
TOO_MANY_FRAMES: Final = StreamError(4029, "Too many requests")
TOO_MANY_SUBSCRIPTIONS: Final = StreamError(4030, "Too many subscriptions")


class StreamName(msgspec.Struct, frozen=True, gc=False):
    """A subscribed name, taken apart. Without a channel nothing will ever be sent.

    `market` is empty on streams that have none; `interval` is a depth's pace in ms or a kline's interval.
    """

    text: str
    channel: Channel | None
    market: str = ""
    interval: str = ""
    private: bool = False


def parse_stream_name(text: str) -> StreamName | StreamError:
    """`depth.200ms.SOL_USDC` and the like; symbols may hold dots and aren't looked up here."""
    if len(text) > MAX_NAME_LENGTH:
        return INVALID_STREAM
    kind, dot, rest = text.partition(".")
    if dot and not rest:
        return INVALID_STREAM
    if kind == "account":
        return _private(text, rest)
    if kind in _SILENT:
        return StreamName(text, None)
    if kind == "status":
        return INVALID_STREAM if dot else StreamName(text, Channel.STATUS)
    if not dot:
        return INVALID_STREAM
    if kind == "depth":
        return _depth(text, rest)
    if kind == "kline":
        interval, dot, market = rest.partition(".")
        if interval not in KLINE_INTERVALS or not market:
            return INVALID_STREAM
        return StreamName(text, Channel.KLINE, market, interval)
    channel = _BY_MARKET.get(kind)
    return INVALID_STREAM if channel is None else StreamName(text, channel, rest)


def _private(text: str, rest: str) -> StreamName | StreamError:
    kind, dot, market = rest.partition(".")
    if kind not in _PRIVATE or (dot and not market) or (market and kind == "balanceUpdate"):
        return INVALID_STREAM
    return StreamName(text, _PRIVATE[kind], market, private=True)


def _depth(text: str, rest: str) -> StreamName | StreamError:
    head, _, market = rest.partition(".")
    window = _WINDOW.fullmatch(head)
    if window is None:
        return StreamName(text, Channel.DEPTH, rest, REALTIME)
    if window.group(1) not in DEPTH_PACES_MS:
        return INVALID_DEPTH_WINDOW
    return StreamName(text, Channel.DEPTH, market, window.group(1)) if market else INVALID_STREAM
