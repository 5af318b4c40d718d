"""System: whether the venue takes orders, and its clock."""

from exchange.gateway.modes import wire
from exchange.gateway.rest.operations import TEXT_TYPE, Answer, Routes
from exchange.gateway.wire.times import milliseconds
from exchange.runtime.port import Exchange

routes = Routes("System")


@routes.public("GET", "/api/v1/status", example={"status": "Ok", "message": None})
async def status(exchange: Exchange) -> wire.Status:
    """Whether the venue takes orders.

    Ok: it does, from POST_ONLY on. Maintenance: it takes no new orders (OFFLINE, CANCEL_ONLY, or a disk or a history
    that is too far behind). Below FULL `message` names the mode, with why and until when; otherwise it says what is
    late, or announces the next planned maintenance. A single market may be shut beside that: see its `orderBookState`.
    `/api/v1/maintenance` says more, in fields. Reading goes on in any case.
    """
    return wire.status_to_wire(exchange.status())


@routes.public("GET", "/api/v1/ping", example="pong")
async def ping(exchange: Exchange) -> Answer:
    """Answers `pong`."""
    return Answer(body=b"pong", media_type=TEXT_TYPE)


@routes.public("GET", "/api/v1/time", example="1700000000000", hot=True)
async def time(exchange: Exchange) -> Answer:
    """The exchange's clock, in ms since 1970."""
    return Answer(body=b"%d" % milliseconds(exchange.now_us()), media_type=TEXT_TYPE)
