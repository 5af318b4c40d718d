"""The `data` of the status stream."""

import msgspec

from exchange.gateway.listings.wire import BOOK_STATES
from exchange.gateway.modes.wire import status_to_wire
from exchange.gateway.windows.wire import Maintenance, maintenance_to_wire
from exchange.values.modes.views import StatusView

_encode = msgspec.json.Encoder().encode


class _MarketStatus(msgspec.Struct, gc=False, rename="camel"):
    order_book_state: str
    reason: str


class _Pause(msgspec.Struct, gc=False):
    pause: str
    asset: str | None
    reason: str


class _Status(msgspec.Struct, rename={"event": "e", "event_us": "E", "order_book_state": "orderBookState"}):
    event: str
    event_us: int
    venue: str
    status: str
    order_book_state: str
    reason: str
    markets: dict[str, _MarketStatus]
    pauses: list[_Pause]
    maintenance: Maintenance


def status(update: StatusView, now_us: int) -> bytes:
    """Beyond the wire contract: the venue's mode, each market's ruling mode, the pauses with their reasons, and what
    REST says of maintenance. `now_us` is when the frame is made.
    """
    return _encode(
        _Status(
            event="status",
            event_us=update.changed_us,
            venue=update.venue,
            status=status_to_wire(update).status,
            order_book_state=BOOK_STATES[update.mode],
            reason=update.reason,
            markets={
                symbol: _MarketStatus(BOOK_STATES[mode], reason) for symbol, (mode, reason) in update.markets.items()
            },
            pauses=[_Pause(pause.pause.value, pause.asset, pause.reason) for pause in update.pauses],
            maintenance=maintenance_to_wire(update.maintenance, now_us),
        )
    )
