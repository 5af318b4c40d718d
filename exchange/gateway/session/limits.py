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
    """Per process unless a name says otherwise; a trusted proxy's address has no share, its clients' have theirs."""

    #: Open connections. Beyond it one that has neither logged in nor subscribed is cut, the longest open first; if
    #: there is none, the upgrade is answered 503.
    connections: Positive = 10_000
    #: Open connections from one address; beyond it the same among its own, or the upgrade is answered 429.
    connections_per_address: Positive = 500
    #: Sockets that haven't asked for their upgrade yet; beyond it the one that has been silent the longest is cut.
    handshakes: Positive = 2_000
    #: The same, from one address.
    handshakes_per_address: Positive = 500
    #: Bytes of one message, in one frame or in fragments; a larger one closes the connection with 1009.
    message_bytes: Positive = 65_536
    #: The same before the connection has logged in.
    stranger_message_bytes: Positive = 16_384
    #: Pings, pongs and fragments that one connection sends in a minute beside its messages; each one more counts as an
    #: unsigned request of its address.
    control_frames_per_minute: Positive = 120
    #: Frames of one connection in a row that were too many, before it has logged in; then it isn't read for a second,
    #: nor until its address may send requests again, and is closed with 1008 the fifth time.
    refused_in_a_row: Positive = 5
    #: The same of one that has logged in, which isn't closed for it.
    session_refused_in_a_row: Positive = 100
    #: Streams one connection reads; one more is answered with error 4030.
    subscriptions: Positive = 500
    #: Streams the connections of one address read together.
    subscriptions_per_address: Positive = 20_000
    #: Streams all connections read together.
    subscriptions_total: Positive = 200_000
    #: Requests of one connection that wait for their answer; one more is answered 429.
    in_flight: Positive = 1_024
    #: Requests of one account, over all its connections, that wait for their answer.
    in_flight_per_account: Positive = 4_096
    #: Requests of all connections that wait for their answer.
    in_flight_total: Positive = 32_768
    #: Unread bytes at which a connection isn't read any more and its conflated streams wait.
    soft_backlog_bytes: Positive = 64 * 1024
    #: Unread bytes at which a connection is closed with 1008.
    hard_backlog_bytes: Positive = 4 * 1024 * 1024
    #: Bytes that wait for all connections together, unread or of messages that aren't complete; beyond it the
    #: connection with the most, of the address with the most, is closed with 1008.
    backlog_bytes_total: Positive = 128 * 1024 * 1024
    #: Bytes the kernel may hold unread for one connection, beside those above.
    kernel_backlog_bytes: Positive = 256 * 1024
    #: A ping goes out this often.
    ping_interval_s: Seconds = 60.0
    #: A connection whose last pong is older than this is dropped.
    pong_timeout_s: Seconds = 120.0
    #: The upgrade request must be complete by then.
    handshake_timeout_s: Seconds = 5.0
    #: How long a close handshake may take before the connection is cut.
    close_timeout_s: Seconds = 2.0
