"""A stage of the drill, `python -m exchange.maintenance.drill.stage`: an exchange's process, on the drill's clock.

Takes a `Job` from the JSON file it is given and answers with a `Scene` or a `Reopening` in the last line of
standard output. It runs with whatever source lies on its path: that is how another build is tried.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import structlog

from exchange.core import State
from exchange.core.windows.view import window_certificate
from exchange.journal.errors import BehindWitness, JournalError, JournalLocked
from exchange.journal.store import JournalReader
from exchange.maintenance import loss
from exchange.maintenance.drill.messages import READY, Job, Reopening, Scene
from exchange.maintenance.drill.morning import (
    ADMINS,
    FULL_US,
    LOW_TICKS,
    MARKET,
    OFFLINE_US,
    OPENS_US,
    POST_ONLY_US,
    Morning,
    do,
    found,
    public_key,
)
from exchange.maintenance.evidence.messages import GatesReport, Request
from exchange.maintenance.evidence.worker import GATES, WorkFailed, work
from exchange.maintenance.scheduler import TICK_S, Scheduler
from exchange.maintenance.venue_key import seed_of
from exchange.runtime.build import build_id
from exchange.runtime.clock import ClockDoubtful
from exchange.runtime.core.life import Life
from exchange.values.commands import AnyCommand
from exchange.values.enums import Mode, Side, TimeInForce
from exchange.values.modes.commands import SetMode
from exchange.values.orders.commands import PlaceOrder
from exchange.values.orders.views import Outcome
from exchange.values.windows.certificate import GateResult
from exchange.values.windows.commands import ApproveOpening, StepWindow

#: How long the scheduler may take for what it has to do.
WAIT_S: Final = 300.0
_LOOK_S: Final = 0.02


class DrillClock:
    """Runs on from `now_us` as time does, and jumps when it is told to."""

    def __init__(self, now_us: int) -> None:
        self.jump(now_us)

    def jump(self, now_us: int) -> None:
        self._offset_ns = now_us * 1_000 - time.monotonic_ns()

    def now_us(self) -> int:
        return (time.monotonic_ns() + self._offset_ns) // 1_000

    def real_us(self) -> int:
        return self.now_us()

    def divergence_us(self) -> int:
        return 0


@asynccontextmanager
async def started(job: Job, clock: DrillClock) -> AsyncIterator[Life]:
    """The exchange of a job. Raises JournalError, ClockDoubtful."""
    life = await Life.start(Path(job.data), witness_dir=Path(job.witness), clock=clock)
    try:
        yield life
    finally:
        await life.close()


async def until(condition: Callable[[], object]) -> None:
    """Wait for what the scheduler is about to do. Raises TimeoutError."""
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - a state tells nobody that it has changed
            await asyncio.sleep(_LOOK_S)


def _is(state: State, mode: Mode) -> bool:
    return state.venue_mode is mode


async def trade(job: Job) -> Scene:
    """Found an exchange, trade, close the window, and stop in order."""
    data_dir, witness_dir = Path(job.data), Path(job.witness)
    await found(data_dir, witness_dir)
    clock = DrillClock(OPENS_US)
    async with started(job, clock) as life:
        async with Scheduler(life, witness_dir).running():
            scene = await Morning(life.venue, data_dir).play(job.accounts, job.trades, Path(job.backup))
            clock.jump(OFFLINE_US)
            await until(lambda: life.state.windows[scene.window].closing_id)
        await life.stop("maintenance")
    with JournalReader(data_dir) as reader:
        last_seq, _ = reader.last()
    return msgspec.structs.replace(scene, last_seq=last_seq)


async def hold(job: Job) -> None:
    """Start, and hold the journal until standard input ends."""
    async with started(job, DrillClock(job.clock_us)):
        print(READY, flush=True)  # noqa: T201
        await asyncio.to_thread(sys.stdin.buffer.read)


class Attempt:
    """One attempt to reopen; gathers who said no, and what."""

    def __init__(self, job: Job, scene: Scene) -> None:
        self._job = job
        self._scene = scene
        self._data_dir = Path(job.data)
        self._clock = DrillClock(job.clock_us)
        self._guards: list[str] = []
        self._said: list[str] = []
        self._modes: list[str] = []

    async def run(self) -> Reopening:
        try:
            async with started(self._job, self._clock) as life:
                scheduler = Scheduler(life, Path(self._job.witness))
                async with nullcontext() if self._job.unproven else scheduler.running():
                    await self._open(life)
        except (JournalError, ClockDoubtful) as error:
            self._object(f"start: {type(error).__name__}", str(error))
            if isinstance(error, BehindWitness):
                self._said += loss.touched_lines(loss.touched_since(self._data_dir, error.journal_seq + 1))
            if not isinstance(error, JournalLocked):
                await self._diagnose()
        return Reopening(build_id(), tuple(self._guards), tuple(self._said), tuple(self._modes))

    async def _diagnose(self) -> None:
        """The other thing operators do about a start that is refused: have the gates say who is concerned."""
        request = Request(
            data=self._job.data,
            seed=seed_of(self._data_dir / "keys", public_key("venue")),
            time_us=self._job.clock_us,
            witness=self._job.witness,
            window=self._scene.window,
        )
        try:
            outcome = await work(GATES, request, lambda _progress: None)
        except WorkFailed as error:
            self._said.append(str(error))
        else:
            self._hear(outcome.results, outcome.report)

    async def _open(self, life: Life) -> None:
        """Wait for the gates, approve if they pass, and at the window's times see it open, or try to open it."""
        venue, state, window = life.venue, life.state, life.state.windows[self._scene.window]
        if not self._job.unproven:
            await until(lambda: state.failed_gates or window_certificate(state, window))
        certified, failed = window_certificate(state, window), state.failed_gates
        if failed is not None:
            self._hear(failed.results, failed.report)
        if certified is not None:
            for admin in ADMINS:
                await do(venue, ApproveOpening(admin, certified[0], "all gates passed"))
        for time_us, mode in ((POST_ONLY_US, Mode.POST_ONLY), (FULL_US, Mode.FULL)):
            self._clock.jump(time_us)
            if certified is not None:
                await until(partial(_is, state, mode))
            else:
                await asyncio.sleep(2 * TICK_S)  # the scheduler comes first
                await self._try(life, StepWindow(window.window_id))
                await self._try(life, SetMode(ADMINS[1], mode, "in a hurry"))
            await self._try(life, self._taking())
            self._modes.append(state.venue_mode)

    def _taking(self) -> PlaceOrder:
        """An order that would trade with the best bid."""
        scene, now = self._scene, TimeInForce.IOC
        return PlaceOrder(
            scene.taker, scene.taker_key, MARKET, Side.ASK, price_ticks=LOW_TICKS, lots=1, time_in_force=now
        )

    async def _try(self, life: Life, command: AnyCommand) -> Outcome:
        outcome = await life.venue.execute(command)
        if outcome.refusal is not None:
            self._object(f"core: {type(command).__name__}", outcome.refusal.message)
        return outcome

    def _hear(self, results: tuple[GateResult, ...], report: str) -> None:
        """Take in what the gates found, and their report."""
        for result in results:
            if not result.passed:
                self._object(f"gate: {result.gate}", result.evidence)
        read = msgspec.json.decode((self._data_dir / "reports" / f"{report}.json").read_bytes(), type=GatesReport)
        self._said += [line for finding in read.findings for line in finding.details]

    def _object(self, guard: str, said: str) -> None:
        if guard not in self._guards:
            self._guards.append(guard)
        self._said.append(said)


async def main(job: Job) -> None:
    structlog.configure(
        processors=[structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    if job.task == "hold":
        await hold(job)
        return
    if job.task == "trade":
        answer: Scene | Reopening = await trade(job)
    else:
        assert job.scene is not None
        answer = await Attempt(job, job.scene).run()
    print(msgspec.json.encode(answer).decode())  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Job)))
