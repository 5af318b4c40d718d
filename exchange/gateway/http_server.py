"""The HTTP port's protocol: uvicorn's, with the limits it lacks.

Connections are counted, a request has a time to arrive in and its head a size, and what is no HTTP at all is refused in
the protocol's words and not logged, or a flood of it would fill the log.
"""

import asyncio
import logging
from collections import Counter
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from exchange.gateway.admission import GatewayLimits
from exchange.gateway.wire.errors import error_body, invalid
from exchange.values.refusals import Code, Refusal

_FULL: Final = Refusal(Code.MAINTENANCE, "Too many connections")
_FULL_ADDRESS: Final = Refusal(Code.TOO_MANY_REQUESTS, "Too many connections from this address")
_SLOW: Final = Refusal(Code.TIMEOUT, "The request took too long to arrive")
_HEAD: Final = invalid("The request's head is too large")

# uvicorn warns of every malformed request; what fails on our side it logs as errors.
logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


class HttpServer:
    """All HTTP connections of one process."""

    def __init__(self, limits: GatewayLimits) -> None:
        self.limits = limits
        self.addresses: Counter[str] = Counter()

    def protocol(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> asyncio.Protocol:
        """For `uvicorn.Config(http=...)`."""
        return _Protocol(self, config, server_state, app_state, _loop)


class _Protocol(HttpToolsProtocol):
    """One connection. While a request is on its way in, `_arriving` holds; then a deadline is running."""

    def __init__(self, server: HttpServer, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._server = server
        self._address = ""
        self._arriving = False
        self._head_bytes: int | None = None
        self._deadline: asyncio.TimerHandle | None = None

    # --- connections ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        addresses, limits = self._server.addresses, self._server.limits
        addresses[self._address] += 1
        if addresses.total() > limits.connections:
            self._close_with(503, _FULL)
        elif addresses[self._address] > limits.connections_per_address:
            self._close_with(429, _FULL_ADDRESS)
        else:
            self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        self._leave()  # from here on it counts as a WebSocket
        super().handle_websocket_upgrade()

    def _leave(self) -> None:
        self._disarm()
        addresses = self._server.addresses
        addresses[self._address] -= 1
        if addresses[self._address] <= 0:
            del addresses[self._address]

    # --- requests ------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._head_bytes is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes is not None and self._head_bytes > self._server.limits.head_bytes:
            self._close_with(431, _HEAD)
        elif not self._arriving:
            self._disarm()
        elif self._deadline is None:
            self._arm()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._arriving = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        self._head_bytes = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._arriving = False
        super().on_message_complete()

    def _arm(self) -> None:
        self._deadline = self.loop.call_later(self._server.limits.request_timeout_s, self._close_with, 408, _SLOW)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    # --- refusals --------------------------------------------------------------------------------------

    def send_400_response(self, msg: str) -> None:
        self._close_with(400, invalid(msg))

    def _close_with(self, status: int, refusal: Refusal) -> None:
        self._disarm()
        body = error_body(refusal)
        head = f"HTTP/1.1 {status} \r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        self.transport.write(head.encode() + b"connection: close\r\n\r\n" + body)
        self.transport.close()
