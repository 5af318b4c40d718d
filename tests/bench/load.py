"""The WebSocket load generator: connections that each keep a fixed number of messages in flight.

Frames are built before the clock starts, and what came in one read buffer is answered in one
write, so that the generator isn't what is measured.
"""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from picows import WSFrame, WSListener, WSTransport, ws_connect

WARM_UP_S = 0.5
#: The first of the client ids in a cycle of frames, as they are built: a pass of the cycle has its number in the zeros.
FIRST_CLIENT_ID = 1_000_000_000
#: Client ids of one pass, below a thousand, stand behind its number.
_UNNUMBERED = b'"clientId":1000000'
_MAX_PASSES = 10**6
_passes = itertools.count(1)
#: Messages still unanswered this long after the end have been lost.
DRAIN_S = 10.0


def numbered(frames: Sequence[bytes]) -> list[bytes]:
    """A pass of a cycle of frames, with client ids that no pass before it has had: an ended order keeps its own.

    Raises RuntimeError once this process has used them up.
    """
    number = next(_passes)
    if number >= _MAX_PASSES:
        raise RuntimeError("the client ids have run out")
    ids = b'"clientId":1%06d' % number
    return [frame.replace(_UNNUMBERED, ids) for frame in frames]


@dataclass(frozen=True)
class Measured:
    """Answers per second, the time from a message to its answer (one in flight only), and the size of an answer."""

    per_second: float
    p50_us: float
    p99_us: float
    reply_bytes: float
    refusals: list[bytes]
    cpu_share: float


@dataclass(frozen=True)
class Script:
    """What one connection says: messages once at the beginning, then a cycle of frames."""

    url: str
    frames: Sequence[bytes]
    opening: Sequence[bytes] = ()


class Connection(WSListener):
    """Keeps `window` messages in flight, round and round through its frames, `numbered` anew on each pass."""

    def __init__(self, script: Script, window: int) -> None:
        self.unnumbered = list(script.frames)
        self.frames: list[bytes] = []
        self.opening = list(script.opening)
        self.window = window
        self.next = 0
        self.sent = 0
        self.done = 0
        self.reply_bytes = 0
        self.refusals: list[bytes] = []
        self.gathered = 0
        self.running = False
        self.failure: str | None = None
        self.waits: list[float] = []
        self.asked_at = 0.0
        self.opened = asyncio.Event()
        self.quiet = asyncio.Event()

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        if self.opening:
            transport.underlying_transport.write(self.opening.pop(0))
        else:
            self.opened.set()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.failure = self.failure or f"closed by the server: {transport.close_handshake}"
        self.opened.set()
        self.quiet.set()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if not self.opened.is_set():
            self._opening_answered(frame)
            return
        self.gathered += 1
        if frame.last_in_buffer:
            # One answer of each buffer is looked at; looking at all would cost the generator too much.
            self.reply_bytes += frame.payload_size * self.gathered
            answer = frame.get_payload_as_bytes()
            if b'"error":' in answer[:80]:
                self.refusals.append(answer)
            self.done += self.gathered
            if self.window == 1:
                self.waits.append(time.perf_counter() - self.asked_at)
            self.say(self.gathered)
            self.gathered = 0

    def _opening_answered(self, frame: WSFrame) -> None:
        answer = frame.get_payload_as_bytes()
        if b'"error":' in answer:
            self.failure = answer.decode()
            self.opened.set()
        elif self.opening:
            self.transport.underlying_transport.write(self.opening.pop(0))
        else:
            self.opened.set()

    def say(self, count: int) -> None:
        if not self.running:
            if self.done == self.sent:
                self.quiet.set()
            return
        while len(self.frames) - self.next < count:
            self._next_pass()
        messages = b"".join(self.frames[self.next : self.next + count])
        self.next += count
        self.sent += count
        self.asked_at = time.perf_counter()
        self.transport.underlying_transport.write(messages)

    def _next_pass(self) -> None:
        self.frames = self.frames[self.next :] + numbered(self.unnumbered)
        self.next = 0


@dataclass
class Crowd:
    """All connections of one run."""

    connections: list[Connection] = field(default_factory=list)

    async def open(self, scripts: Sequence[Script], window: int) -> None:
        for script in scripts:
            connection = Connection(script, window)
            await ws_connect(lambda connection=connection: connection, script.url)
            self.connections.append(connection)
            await asyncio.wait_for(connection.opened.wait(), DRAIN_S)
            self.check(connection)

    async def close(self) -> None:
        for connection in self.connections:
            connection.failure = connection.failure or "closed by us"
            connection.transport.disconnect()
        await asyncio.gather(*(connection.transport.wait_disconnected() for connection in self.connections))

    @staticmethod
    def check(connection: Connection) -> None:
        if connection.failure:
            raise RuntimeError(f"a connection failed: {connection.failure}")

    def count(self) -> int:
        return sum(connection.done for connection in self.connections)

    async def measure(self, seconds: float) -> Measured:
        for connection in self.connections:
            connection.running = True
            connection.say(connection.window)
        await asyncio.sleep(WARM_UP_S)
        for connection in self.connections:
            connection.waits.clear()
        begun, cpu, before = time.perf_counter(), time.process_time(), self.count()
        await asyncio.sleep(seconds)
        answers, elapsed_s = self.count() - before, time.perf_counter() - begun
        cpu_share = (time.process_time() - cpu) / elapsed_s
        waits = sorted(wait for connection in self.connections for wait in connection.waits)
        await self.drain()
        return Measured(
            per_second=answers / elapsed_s,
            p50_us=1e6 * waits[len(waits) // 2] if waits else 0.0,
            p99_us=1e6 * waits[len(waits) * 99 // 100] if waits else 0.0,
            reply_bytes=sum(c.reply_bytes for c in self.connections) / max(1, self.count()),
            refusals=[answer for c in self.connections for answer in c.refusals],
            cpu_share=cpu_share,
        )

    async def drain(self) -> None:
        """Every message that was sent has been answered; a lost answer is an error, not a slow figure."""
        for connection in self.connections:
            connection.running = False
        for connection in self.connections:
            if connection.done < connection.sent:
                await asyncio.wait_for(connection.quiet.wait(), DRAIN_S)
            self.check(connection)


async def run(
    scripts: Sequence[Script], window: int, seconds: float, before: Callable[[], Awaitable[None]] | None = None
) -> Measured:
    """Open every connection, keep `window` messages in flight on each for `seconds`, and close."""
    crowd = Crowd()
    try:
        await crowd.open(scripts, window)
        if before:
            await before()
        return await crowd.measure(seconds)
    finally:
        await crowd.close()
