"""The core's side of the follower: tell it what is durable, hear how far it is and what it doubts.

A follower that dies is started again, ever less eagerly; trading goes on, and history shows how far behind it is.
"""

import asyncio
import heapq
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Final, cast

from exchange.runtime.follower.messages import NOT_MADE, Digest, FromFollower, Lines, Mismatch, ToFollower, encode
from exchange.runtime.follower.read_models import Vouched
from exchange.runtime.follower.read_models.proof import Proof

#: How often the follower is told what is durable, unless somebody waits for it: it works best in large batches.
TELL_EVERY_S: Final = 0.1
#: Between the end of a follower and the start of the next: doubled with every end.
MIN_RESTART_S: Final = 0.5
MAX_RESTART_S: Final = 60.0
#: A follower that lived this long did nothing wrong at its start.
SOUND_S: Final = 60.0
#: How long a follower has to end once the core says goodbye.
CLOSE_TIMEOUT_S: Final = 10.0
#: How long a snapshot may be waited for.
SNAPSHOT_TIMEOUT_S: Final = 900.0
#: Questions that wait for the follower at one time; more are told at once that it isn't there yet.
MAX_WAITING: Final = 10_000
#: Digests aren't sent to a follower that has left this much unread.
MAX_UNREAD_BYTES: Final = 1 << 20


class FollowerClient(asyncio.Protocol):
    """A follower process that is kept running. All calls belong to the event loop it was started on.

    `reached` is the seq up to which the read models hold everything; it falls back when they are rebuilt.
    """

    def __init__(
        self, data_dir: Path, on_mismatch: Callable[[Mismatch], None], on_fault: Callable[[str], None]
    ) -> None:
        self._data_dir = data_dir
        self._on_mismatch = on_mismatch
        self._on_fault = on_fault
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.WriteTransport | None = None
        self._lost: asyncio.Future[None] = self._loop.create_future()
        self._process: Process
        self._killed = False
        self._lines = Lines()
        self._durable_seq = 0
        self._told_seq = 0
        self._telling: asyncio.TimerHandle | None = None
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = count()
        self._snapshots: list[tuple[int, asyncio.Future[int | None]]] = []
        self._keeper: asyncio.Task[None]
        self._models: tuple[int, int] | None = None
        #: The read models' last proof, and who is told of the next one.
        self.proof: Proof | None = None
        self.on_proof: Callable[[Proof], None] = lambda proof: None
        self.reached = 0
        #: How often a follower has ended of itself.
        self.ends = 0
        #: Messages heard, so that somebody sees whether it does something.
        self.heard = 0
        #: Why followers end without having got any further; empty while they do.
        self.fault = ""
        self._said = ""
        self._got_on = False
        #: Set once a follower has ended: at a start somebody may wait for it in vain.
        self.ended = asyncio.Event()

    def vouched(self) -> Vouched | None:
        """What the follower has in hand, as it said last; to be called from any thread."""
        return None if self._models is None else Vouched(self._models, self.reached)

    @property
    def connected(self) -> bool:
        """Whether there is a follower at present."""
        return self._transport is not None

    def kill(self, why: str) -> None:
        """End a follower that hangs; the next one is started as always."""
        if self._process.returncode is None and not self._killed:
            self._killed = True  # one that waits for a hanging disk ends only with that
            self._on_fault(f"the follower is killed: {why}")
            self._process.kill()

    @classmethod
    async def start(
        cls, data_dir: Path, on_mismatch: Callable[[Mismatch], None], on_fault: Callable[[str], None]
    ) -> "FollowerClient":
        """Start a follower of the journal in `data_dir`, which must be there. It catches up by itself.

        `on_mismatch` hears every doubt about the books, `on_fault` why a follower ended or could not do its work.
        """
        client = cls(data_dir, on_mismatch, on_fault)
        await client._spawn()
        client._keeper = asyncio.create_task(client._keep_running())
        return client

    def durable(self, seq: int) -> None:
        """Everything up to `seq` is durable; never waits."""
        self._durable_seq = seq
        if self._telling is None:
            self._telling = self._loop.call_later(TELL_EVERY_S, self._tell_durable)

    def compare(self, seq: int, partition: int, value: str) -> None:
        """Have the follower compare a partition's digest with its own right after record `seq`.

        To be called before `seq` is durable: afterwards the follower may have passed it.
        """
        transport = self._transport
        if transport is not None and transport.get_write_buffer_size() < MAX_UNREAD_BYTES:
            transport.write(encode(ToFollower(digest=Digest(seq, partition, value))))

    async def wait_for(self, seq: int, timeout_s: float) -> bool:
        """Wait until the read models hold record `seq`; False if they don't within `timeout_s`."""
        if self.reached >= seq:
            return True
        if len(self._waiting) >= MAX_WAITING:
            return False
        self._tell_durable()
        reached: asyncio.Future[None] = self._loop.create_future()
        heapq.heappush(self._waiting, (seq, next(self._order), reached))
        try:
            async with asyncio.timeout(timeout_s):
                await reached
        except TimeoutError:
            return False
        return True

    async def snapshot(self) -> int | None:
        """Have a snapshot made of what is durable now, or later; its seq, or None if it could not be made."""
        made: asyncio.Future[int | None] = self._loop.create_future()
        asked = (self._durable_seq, made)
        self._snapshots.append(asked)
        self._tell_durable()
        self._ask_snapshot()
        try:
            async with asyncio.timeout(SNAPSHOT_TIMEOUT_S):
                return await made
        except TimeoutError:
            return None
        finally:
            self._snapshots.remove(asked)

    async def close(self) -> None:
        """Say goodbye and wait for the follower's end."""
        self._keeper.cancel()
        if self._telling is not None:
            self._telling.cancel()
        if self._transport is not None:
            self._transport.close()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)
        self._lost = self._loop.create_future()
        self._lines = Lines()
        self._told_seq = 0
        self._said, self._got_on = "", False
        self._tell_durable()
        if self._snapshots:
            self._ask_snapshot()

    def data_received(self, data: bytes) -> None:
        for message in self._lines.take(data, FromFollower):
            self.heard += 1
            if message.models is not None:
                self._models = message.models
            if message.proof is not None:
                self._hear_proof(message.proof)
            if message.reached is not None:
                self._reach(message.reached)
            if message.snapshot is not None:
                self._settle_snapshots(message.snapshot)
            if message.mismatch is not None:
                self._on_mismatch(message.mismatch)
            if message.fault is not None:
                self._said = message.fault
                self._on_fault(message.fault)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._lost.set_result(None)

    # --- inside ---

    def _tell_durable(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        if self._transport is not None and self._durable_seq > self._told_seq:
            self._told_seq = self._durable_seq
            self._transport.write(encode(ToFollower(durable=self._durable_seq)))

    def _hear_proof(self, proof: Proof) -> None:
        if proof.differences:
            self._models = None  # until the next follower vouches for others
        self.proof = proof
        self.on_proof(proof)

    def _ask_snapshot(self) -> None:
        if self._transport is not None:
            self._transport.write(encode(ToFollower(snapshot=True)))

    def _reach(self, seq: int) -> None:
        # One that fails at the same record again and again is no better than one that doesn't start.
        if seq > self.reached or seq >= self._durable_seq:
            self._got_on, self.fault = True, ""
        self.reached = seq
        waiting = self._waiting
        while waiting and waiting[0][0] <= seq:
            _, _, reached = heapq.heappop(waiting)
            if not reached.done():
                reached.set_result(None)

    def _settle_snapshots(self, seq: int) -> None:
        for asked_seq, made in self._snapshots:
            if (seq == NOT_MADE or asked_seq <= seq) and not made.done():
                made.set_result(seq or None)

    async def _spawn(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._killed = False
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "exchange.runtime.follower.process",
                "--data",
                str(self._data_dir),
                "--socket",
                str(theirs.fileno()),
                pass_fds=(theirs.fileno(),),
            )
        await self._loop.create_unix_connection(lambda: self, sock=ours)

    async def _keep_running(self) -> None:
        pause_s = MIN_RESTART_S
        while True:
            started_s = self._loop.time()
            code = await self._process.wait()
            await self._lost
            self.ends += 1
            if not self._got_on:
                self.fault = self._said or f"it ended with {code}"
            self.ended.set()
            self._on_fault(f"the follower ended with {code}")
            if self._loop.time() - started_s >= SOUND_S:
                pause_s = MIN_RESTART_S
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, MAX_RESTART_S)
            await self._spawn()
