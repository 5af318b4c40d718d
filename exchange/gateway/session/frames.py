"""Frames of a WebSocket session: what clients send, and the answers.

Two protocols share the socket. Streams are the wire contract's (SUBSCRIBE, UNSUBSCRIBE: no
acknowledgement). Trading is ours: a request with an `id` is answered once, by a frame with that
`id`, `status` (that of HTTP) and either `result` or `error`.
"""

from typing import Any, Final

import msgspec

from exchange.gateway.session.stream_names import StreamError
from exchange.gateway.wire.errors import http_status
from exchange.values.refusals import Refusal

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


class Request(msgspec.Struct, frozen=True, gc=False, tag_field="method", kw_only=True):
    """Base of what is answered: a method's frame adds what its `params` are."""

    params: Any
    id: RequestId = None


class Login(Request, frozen=True, tag="session.login", kw_only=True):
    params: LoginParams


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """What can still be read of a frame that fits no method, so that the answer carries its id."""

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
