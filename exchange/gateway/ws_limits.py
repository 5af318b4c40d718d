"""Limits on WebSocket connections and what comes in on them; each has a clear refusal."""

from enum import IntEnum, unique
from typing import Annotated

import msgspec

from exchange.gateway.admission import Positive

Seconds = Annotated[float, msgspec.Meta(gt=0)]


@unique
class CloseCode(IntEnum):
    """Close codes of RFC 6455 that we send."""

    OK = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    INVALID_TEXT = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    TRY_AGAIN_LATER = 1013


class WsLimits(msgspec.Struct, frozen=True):
    """Per process unless a name says otherwise."""

    #: Open connections; one more is answered 503 instead of being upgraded.
    connections: Positive = 10_000
    #: Open connections from one address; one more is answered 429.
    connections_per_address: Positive = 2_000
    #: Sockets that haven't asked for their upgrade yet; one more is cut.
    handshakes: Positive = 1_000
    #: Bytes of one message, in one frame or in fragments; a larger one closes the connection with 1009.
    message_bytes: Positive = 65_536
    #: Streams one connection reads; one more is answered with error 4030.
    subscriptions: Positive = 500
    #: Requests of one connection that wait for their answer; one more is answered 429.
    in_flight: Positive = 1_024
    #: Unread bytes at which a connection isn't read any more and its conflated streams wait.
    soft_backlog_bytes: Positive = 256 * 1024
    #: Unread bytes at which a connection is closed with 1008.
    hard_backlog_bytes: Positive = 4 * 1024 * 1024
    #: A ping goes out this often.
    ping_interval_s: Seconds = 60.0
    #: A connection whose last pong is older than this is dropped.
    pong_timeout_s: Seconds = 120.0
    #: The upgrade request must be complete by then.
    handshake_timeout_s: Seconds = 5.0
    #: How long a close handshake may take before the connection is cut.
    close_timeout_s: Seconds = 2.0
