"""The core's side of the journal writer: hand records over, hear what is durable.

Cheap on purpose: `append` only notes, one write goes out per turn of the event loop.
"""

import asyncio
import socket
import sys
from asyncio.subprocess import Process
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, cast

from exchange.journal import frames
from exchange.journal.errors import JournalError, JournalLocked, WriterFailed

#: How long a writer may take to open the journal: the write-ahead log of a crash is moved first.
START_TIMEOUT_S: Final = 60.0
#: How long it may take to write what is left and end.
CLOSE_TIMEOUT_S: Final = 30.0
_FAILURES: Final = {frames.LOCKED: JournalLocked, frames.FAILED: WriterFailed, frames.DAMAGED: JournalError}


class WriterClient(asyncio.Protocol):
    """A running writer process. All calls belong to the event loop it was started on.

    `last_seq` and `last_chain` say where the journal ended when the writer took its lock; only from then on
    is that fixed, so recover after `start`. `durable_seq` moves on.
    """

    def __init__(self, on_durable: Callable[[int], None], on_failed: Callable[[str], None]) -> None:
        self._on_durable = on_durable
        self._on_failed = on_failed
        self._loop = asyncio.get_running_loop()
        self._started: asyncio.Future[None] = self._loop.create_future()
        self._lost: asyncio.Future[None] = self._loop.create_future()
        self._received = bytearray()
        self._pending: list[bytes] = []
        self._pending_seq = 0
        self._next_seq = 0
        self._in_flight: deque[tuple[int, int]] = deque()
        self._closing = False
        self._failed = False
        self._transport: asyncio.WriteTransport
        self._process: Process
        self.last_seq = 0
        self.last_chain = b""
        self.durable_seq = 0
        #: Bytes of records appended and not durable yet: what back-pressure looks at.
        self.backlog_bytes = 0

    @classmethod
    async def start(
        cls,
        data_dir: Path,
        on_durable: Callable[[int], None],
        on_failed: Callable[[str], None],
        witness_dir: Path | None = None,
    ) -> "WriterClient":
        """Start the writer and wait until it holds the journal's lock.

        `on_durable` gets the highest durable seq, once per commit; `on_failed` the reason, at most once, when
        the writer can't go on or is gone: then nothing more will be durable.

        Raises:
            JournalLocked: another process holds the journal.
            WriterFailed: it could not open the journal; the text says why. JournalError: it is damaged.
        """
        client = cls(on_durable, on_failed)
        ours, theirs = socket.socketpair()
        arguments = ["--data", str(data_dir), "--socket", str(theirs.fileno())]
        if witness_dir is not None:
            arguments += ["--witness", str(witness_dir)]
        with theirs:
            client._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "exchange.journal.writer", *arguments, pass_fds=(theirs.fileno(),)
            )
        await client._loop.create_unix_connection(lambda: client, sock=ours)
        try:
            await asyncio.wait_for(asyncio.shield(client._started), START_TIMEOUT_S)
        except TimeoutError:
            client._process.kill()
            raise WriterFailed(f"the journal writer did not start within {START_TIMEOUT_S:.0f} s") from None
        finally:
            if not client._started.done() or client._started.exception():
                await client.close()
        return client

    @property
    def pid(self) -> int:
        return self._process.pid

    def append(self, first_seq: int, bodies: Sequence[bytes]) -> None:
        """Hand over encoded records (without chain), seq `first_seq` and on; never waits.

        After a failure it does nothing: `on_failed` has said that nothing more will be durable.
        """
        if first_seq != self._next_seq:
            raise ValueError(f"records from seq {first_seq} appended where seq {self._next_seq} is next")
        if not self._pending:
            self._pending_seq = first_seq
            self._loop.call_soon(self._flush)
        chunk = b"\n".join(bodies)
        self._pending.append(chunk)
        self._next_seq += len(bodies)
        self.backlog_bytes += len(chunk) + 1

    async def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Wait until everything appended is durable, or the writer has failed, at most `timeout_s`, and end it."""
        self._closing = True
        self._flush()
        if not self._lost.done():
            self._transport.write_eof()
        try:
            await asyncio.wait_for(asyncio.shield(self._lost), timeout_s)
        except TimeoutError:
            self._process.kill()
        await self._process.wait()

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        durable = failure = None
        while len(received) >= frames.REPLY.size:
            kind, length = frames.REPLY.unpack_from(received)
            end = frames.REPLY.size + length
            if len(received) < end:
                break
            payload = bytes(received[frames.REPLY.size : end])
            del received[:end]
            if kind == frames.DURABLE:
                durable, _ = frames.END.unpack(payload)
            elif kind == frames.STARTED:
                self.last_seq, self.last_chain = frames.END.unpack(payload)
                self.durable_seq, self._next_seq = self.last_seq, self.last_seq + 1
                self._started.set_result(None)
            else:
                reason = payload.decode(errors="replace")
                failure = _FAILURES[kind](reason)
        if durable is not None:
            self._settle(durable)
        if failure is not None:
            self._fail(failure)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._in_flight or not self._closing:
            self._fail(WriterFailed("the journal writer is gone"))
        self._lost.set_result(None)

    # --- inside ---

    def _flush(self) -> None:
        if self._pending and not self._failed:
            payload = b"\n".join(self._pending)
            self._in_flight.append((self._next_seq - 1, len(payload) + 1))
            self._transport.write(frames.BATCH.pack(len(payload), self._pending_seq) + payload)
        self._pending.clear()

    def _settle(self, durable_seq: int) -> None:
        self.durable_seq = durable_seq
        while self._in_flight and self._in_flight[0][0] <= durable_seq:
            self.backlog_bytes -= self._in_flight.popleft()[1]
        self._on_durable(durable_seq)

    def _fail(self, failure: JournalError) -> None:
        if self._failed:
            return
        self._failed = True
        if self._started.done():
            self._on_failed(str(failure))
        else:
            self._started.set_exception(failure)
