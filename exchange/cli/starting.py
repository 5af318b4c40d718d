"""While a start reads the records back, the HTTP port answers already: not yet, and how far it is."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Final

from exchange.gateway.wire.errors import error_body
from exchange.values.refusals import Code, Refusal

#: Connections that may be open meanwhile; further ones are closed at once.
MAX_CONNECTIONS: Final = 100
#: How long one has for its request, and its largest head.
REQUEST_S: Final = 2.0
HEAD_BYTES: Final = 16 * 1024


class Starting:
    """`seq` of `last_seq` records have been read back; 0 of 0 before that has begun."""

    def __init__(self) -> None:
        self.seq = 0
        self.last_seq = 0
        self._clock_us = 0
        self._connections = 0

    def wait_for_clock(self, until_us: int) -> None:
        """The machine's clock is behind the last record, of `until_us`: nothing goes on before it says that."""
        self._clock_us = until_us

    @asynccontextmanager
    async def answering(self, bound: socket.socket) -> AsyncIterator[None]:
        """Inside, every request on that socket is told so; who connects at its end waits for whoever listens next."""
        server = await asyncio.start_server(self._serve, sock=bound.dup(), limit=HEAD_BYTES)
        try:
            yield
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        try:
            if self._connections <= MAX_CONNECTIONS:
                with suppress(TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
                    async with asyncio.timeout(REQUEST_S):
                        await reader.readuntil(b"\r\n\r\n")
                        writer.write(self._answer())
                        await writer.drain()
        finally:
            self._connections -= 1
            writer.close()

    def _answer(self) -> bytes:
        body = error_body(Refusal(Code.MAINTENANCE, f"The exchange is starting{self._far()}"))
        status = HTTPStatus.SERVICE_UNAVAILABLE
        head = (
            f"HTTP/1.1 {status} {status.phrase}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
            "retry-after: 1\r\nconnection: close\r\n\r\n"
        )
        return head.encode() + body

    def _far(self) -> str:
        left_us = self._clock_us - time.time_ns() // 1_000
        if left_us > 0:
            return (
                f": the machine's clock is behind the last record and is waited for, {-(-left_us // 1_000_000)} s more."
                " If the clock is right: stop it, and exchange serve --clock-is-right"
            )
        return f", {self.seq} of {self.last_seq} records are read back" if self.last_seq else ""
