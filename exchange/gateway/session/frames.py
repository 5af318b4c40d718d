"""Frames of a WebSocket session: what clients send, and the answers.

Two protocols share the socket. Streams are the wire contract's (SUBSCRIBE, UNSUBSCRIBE: no
acknowledgement). Trading is ours: a request with an `id` is answered once, by a frame with that
`id`, `status` (that of HTTP) and either `result` or `error`.
"""

from typing import Annotated, Any, Final

import msgspec

from exchange.gateway.orders.wire import OrderCancelAllPayload, OrderCancelPayload, OrderExecutePayload, OrderQuery
from exchange.gateway.session.stream_names import StreamError
from exchange.gateway.wire.errors import http_status
from exchange.values.ids import MAX_ID
from exchange.values.refusals import Refusal

#: Orders in one batch.
MAX_BATCH: Final = 50

#: What a client may number its requests with.
RequestId = int | str | None

_encode = msgspec.json.Encoder().encode


# --- from clients -----------------------------------------------------------------------------------


class Subscribe(msgspec.Struct, frozen=True, gc=False, tag_field="method", tag="SUBSCRIBE"):
    """`signature`, for private streams: API key, signature, timestamp, window, all as text."""

    params: list[str]
    signature: tuple[str, str, str, str] | None = None


class Unsubscribe(msgspec.Struct, frozen=True, gc=False, tag_field="method", tag="UNSUBSCRIBE"):
    """May be signed; it needn't."""

    params: list[str]
    signature: tuple[str, str, str, str] | None = None


class LoginParams(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    api_key: str
    timestamp: int | str
    signature: str
    window: int | str | None = None


class ArmParams(msgspec.Struct, frozen=True, gc=False):
    armed: bool


class TimeoutParams(msgspec.Struct, frozen=True, gc=False):
    """`timeout` in ms; 0 turns the switch off."""

    timeout: Annotated[int, msgspec.Meta(ge=0, le=MAX_ID)]


class Request(msgspec.Struct, frozen=True, gc=False, tag_field="method", kw_only=True):
    id: RequestId = None


class Login(Request, frozen=True, tag="session.login", kw_only=True):
    params: LoginParams


class CancelOnDisconnect(Request, frozen=True, tag="session.cancelOnDisconnect", kw_only=True):
    params: ArmParams


class Place(Request, frozen=True, tag="order.place", kw_only=True):
    params: OrderExecutePayload


class Batch(Request, frozen=True, tag="order.batch", kw_only=True):
    params: Annotated[list[OrderExecutePayload], msgspec.Meta(min_length=1, max_length=MAX_BATCH)]


class Cancel(Request, frozen=True, tag="order.cancel", kw_only=True):
    params: OrderCancelPayload


class CancelAllOrders(Request, frozen=True, tag="order.cancelAll", kw_only=True):
    params: OrderCancelAllPayload


class CancelAllAfter(Request, frozen=True, tag="order.cancelAllAfter", kw_only=True):
    params: TimeoutParams


class Query(Request, frozen=True, tag="order.query", kw_only=True):
    params: OrderQuery


Frame = (
    Place
    | Cancel
    | Batch
    | CancelAllOrders
    | Query
    | CancelAllAfter
    | CancelOnDisconnect
    | Login
    | Subscribe
    | Unsubscribe
)

#: Raises msgspec.MsgspecError, or RecursionError for absurd nesting.
decode: Final = msgspec.json.Decoder(Frame).decode


#: The methods of the trading protocol.
METHODS: Final = frozenset(
    kind.__struct_config__.tag
    for kind in (Place, Cancel, Batch, CancelAllOrders, Query, CancelAllAfter, CancelOnDisconnect, Login)
)


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """What can still be read of a frame that isn't a `Frame`, so that the answer carries its id."""

    method: str
    id: RequestId = None


decode_envelope: Final = msgspec.json.Decoder(Envelope).decode


# --- to clients -------------------------------------------------------------------------------------------


class _Answer(msgspec.Struct, gc=False):
    id: RequestId
    status: int
    result: Any


class _Failure(msgspec.Struct, gc=False):
    id: RequestId
    status: int
    error: Refusal


class _StreamFailure(msgspec.Struct, gc=False):
    error: StreamError
    id: None = None


def result(request_id: RequestId, value: Any) -> bytes:
    """`value` is one of the wire types."""
    return _encode(_Answer(request_id, 200, value))


def failure(request_id: RequestId, refusal: Refusal) -> bytes:
    return _encode(_Failure(request_id, http_status(refusal.code), refusal))


def stream_failure(error: StreamError) -> bytes:
    return _encode(_StreamFailure(error))
