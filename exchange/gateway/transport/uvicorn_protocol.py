"""The inside of uvicorn's HTTP protocol, as far as we build on it.

None of it is public, and it may change with any minor version: pyproject.toml bounds that, and
tests/checks/test_insides.py says by name what has moved.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

__all__ = ["Config", "HttpProtocol", "ServerState"]


class Flow(FlowControl):
    """uvicorn resumes reading after every answer; not while bytes are held back."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(transport)
        self.held = False

    def resume_reading(self) -> None:
        if not self.held:
            super().resume_reading()

    def hold(self, held: bool) -> None:
        if held:
            self.held = True
            self.pause_reading()
        elif self.held:
            self.held = False
            super().resume_reading()


class _Nowhere(list[tuple[bytes, bytes]]):
    def append(self, item: tuple[bytes, bytes]) -> None:
        pass


_NOWHERE: Final = _Nowhere()


class HttpProtocol(HttpToolsProtocol):
    """One connection: parsed and answered by uvicorn, held back and handed over as its heir says."""

    flow: Flow

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = Flow(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.pipeline.clear()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._let_go()

    def hand_over(self, behind: bytes) -> None:
        """To the WebSocket that its request asks for, with the bytes that came behind the request."""
        super().handle_websocket_upgrade()
        if behind:
            self.transport.get_protocol().data_received(behind)  # type: ignore[attr-defined]  # uvicorn expects it
        self._let_go()

    def _let_go(self) -> None:
        """Of what holds us: the garbage collector looks too rarely to leave that to it."""
        self.parser = None  # type: ignore[assignment]  # as uvicorn does when a connection is lost
        self.cycle = None  # type: ignore[assignment]  # as before the first request

    @property
    def peer(self) -> str:
        """The other end's address; empty where there is none."""
        return self.client[0] if self.client else ""

    # --- its requests ----------------------------------------------------------------------------------

    def parse(self, piece: bytes) -> None:
        HttpToolsProtocol.data_received(self, piece)

    def ends_in_upgrade(self) -> bool:
        """Whether the head that is here is the last thing of HTTP on this connection."""
        return self.parser.should_upgrade()

    def drop_trailers(self) -> None:
        """Of a body in chunks: they are no headers of the request, and there may be many."""
        self.headers = _NOWHERE

    def is_answering(self) -> bool:
        """Whether a request is here whole and its answer isn't out."""
        cycle = self.cycle
        return cycle is not None and not cycle.more_body and not cycle.response_complete

    def is_answered(self) -> bool:
        """Whether the answer to the newest request is out, whether or not the request is here whole."""
        return self.cycle is not None and self.cycle.response_complete

    def answered(self) -> Mapping[str, object]:
        """The scope of the newest request, with what was noted in it while it was answered."""
        return self.cycle.scope

    def close_after_answer(self) -> None:
        if self.cycle is not None:
            self.cycle.keep_alive = False
