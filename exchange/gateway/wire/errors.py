"""Refusals on the wire: their JSON body, their HTTP status, and those the gateway itself gives."""

from typing import Final

import msgspec

from exchange.values.refusals import Code, Refusal

_STATUS: Final = {
    Code.UNAUTHORIZED: 401,
    Code.INVALID_SIGNATURE: 401,
    Code.FORBIDDEN: 403,
    Code.ACCOUNT_DEACTIVATED: 403,
    Code.RESOURCE_NOT_FOUND: 404,
    Code.PRECONDITION_FAILED: 412,
    Code.TOO_EARLY: 425,
    Code.TOO_MANY_REQUESTS: 429,
    Code.SERVER_ERROR: 500,
    Code.NOT_IMPLEMENTED: 501,
    Code.MAINTENANCE: 503,
    Code.TIMEOUT: 504,
}

INVALID_SYMBOL: Final = Refusal(Code.INVALID_CLIENT_REQUEST, "Invalid market symbol")
NOT_FOUND: Final = Refusal(Code.RESOURCE_NOT_FOUND, "Not Found")
UNREADABLE: Final = Refusal(Code.INVALID_CLIENT_REQUEST, "parse request payload error: the body is not JSON")

_encoder = msgspec.json.Encoder()


def http_status(code: Code) -> int:
    """The HTTP status that goes with a code; 400 for everything the client can mend."""
    return _STATUS.get(code, 400)


def error_body(refusal: Refusal) -> bytes:
    """`{"code":..,"message":..}`."""
    return _encoder.encode(refusal)


def invalid(message: str) -> Refusal:
    """The request itself is wrong."""
    return Refusal(Code.INVALID_CLIENT_REQUEST, message)


def unparsable(error: msgspec.MsgspecError) -> Refusal:
    """A body that doesn't fit its type; the message names the field."""
    if isinstance(error, msgspec.ValidationError):
        return invalid(f"parse request payload error: {error}")
    return UNREADABLE


def unfit_parameter(error: msgspec.MsgspecError) -> Refusal:
    """A query that doesn't fit its type; the message names the parameter."""
    return invalid(f"failed to parse parameter: {error}")
