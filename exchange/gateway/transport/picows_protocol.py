"""The inside of picows: the protocol of one connection, which we read by our own rules.

It is not public, and may change with any minor version: pyproject.toml bounds that, and tests/checks/test_insides.py
says by name what has moved.
"""

from collections.abc import Callable
from logging import Logger

from picows import WSAutoPingStrategy, WSListener, WSUpgradeRequest, WSUpgradeResponseWithListener
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # not in its type stubs

#: A listener for an upgrade request, or the answer that refuses it; None is 404.
Accepted = WSListener | WSUpgradeResponseWithListener | None


class PicowsProtocol(WSProtocol):  # type: ignore[misc]
    """A server's connection: it asks `accept` for a listener, and sends no ping or pong by itself.

    It is closed if its upgrade takes longer than `handshake_timeout_s`, or a frame is longer than `frame_bytes`;
    `read_bytes` is what its buffer begins with.
    """

    def __init__(
        self,
        accept: Callable[[WSUpgradeRequest], Accepted],
        log: Logger,
        *,
        handshake_timeout_s: float,
        frame_bytes: int,
        read_bytes: int,
    ) -> None:
        super().__init__(
            host_port=None,  # for clients
            ws_path=None,  # for clients
            is_client_side=False,
            ws_listener_factory=accept,
            logger=log,
            disconnect_on_exception=True,  # if the listener raises; ours doesn't
            websocket_handshake_timeout=handshake_timeout_s,
            enable_auto_ping=False,  # a task per connection
            auto_ping_idle_timeout=0,
            auto_ping_reply_timeout=0,
            auto_ping_strategy=WSAutoPingStrategy.PING_WHEN_IDLE,
            enable_auto_pong=False,  # it doesn't look at reserved bits
            max_frame_size=frame_bytes,
            extra_headers=None,  # for clients
            read_buffer_init_size=read_bytes,
        )
