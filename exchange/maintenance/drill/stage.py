"""A stage of the drill, `python -m exchange.maintenance.drill.stage`: an exchange's process, on the drill's clock.

Takes a `Job` as JSON on standard input and answers with a `Scene` or a `Reopening` in the last line of
standard output. It runs with whatever source lies on its path: that is how another build is tried.
"""

import asyncio
import sys
import time
from pathlib import Path

import msgspec

from exchange.journal.errors import JournalError
from exchange.journal.store import JournalReader
from exchange.maintenance.drill import window
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
    found,
)
from exchange.maintenance.gates import Outcome, Report
from exchange.runtime.build import build_id
from exchange.runtime.clock import ClockBehindJournal
from exchange.runtime.life import Life
from exchange.runtime.venue import Venue
from exchange.values.commands import AnyCommand, PlaceOrder, SetMode, StepWindow
from exchange.values.enums import Mode, Side, TimeInForce
from exchange.values.views import Outcome as Done


class DrillClock:
    """Runs on from `now_us` as time does, and jumps when it is told to."""

    def __init__(self, now_us: int) -> None:
        self.jump(now_us)

    def jump(self, now_us: int) -> None:
        self._offset_ns = now_us * 1_000 - time.monotonic_ns()

    def now_us(self) -> int:
        return (time.monotonic_ns() + self._offset_ns) // 1_000

    def divergence_us(self) -> int:
        return 0


async def trade(job: Job) -> Scene:
    """Found an exchange, trade, close the window, and stop in order."""
    data_dir, witness_dir = Path(job.data), Path(job.witness)
    await found(data_dir, witness_dir)
    clock = DrillClock(OPENS_US)
    life = await Life.start(data_dir, witness_dir=witness_dir, clock=clock)
    try:
        scene = await Morning(life.venue, data_dir).play(job.accounts, job.trades, Path(job.backup))
        clock.jump(OFFLINE_US)
        await window.close(life.venue, scene.window, data_dir, witness_dir)
        await life.stop("maintenance")
    finally:
        await life.close()
    with JournalReader(data_dir) as reader:
        last_seq, _ = reader.last()
    return msgspec.structs.replace(scene, last_seq=last_seq)


async def hold(job: Job) -> None:
    """Start, and hold the journal until standard input ends."""
    life = await Life.start(Path(job.data), witness_dir=Path(job.witness), clock=DrillClock(job.clock_us))
    try:
        print(READY, flush=True)  # noqa: T201
        await asyncio.to_thread(sys.stdin.buffer.read)
    finally:
        await life.close()


class Attempt:
    """One attempt to reopen; gathers who said no, and what."""

    def __init__(self, job: Job, scene: Scene) -> None:
        self._job = job
        self._scene = scene
        self._data_dir = Path(job.data)
        self._witness_dir = Path(job.witness)
        self._guards: list[str] = []
        self._said: list[str] = []
        self._modes: list[str] = []

    async def run(self) -> Reopening:
        clock = DrillClock(self._job.clock_us)
        try:
            life = await Life.start(self._data_dir, witness_dir=self._witness_dir, clock=clock)
        except (JournalError, ClockBehindJournal) as error:
            self._object(f"start: {type(error).__name__}", str(error))
            # What operators do next: have the gates say who is concerned.
            self._hear(await window.ask("gates", window.request(self._scene.window, self._data_dir, self._witness_dir)))
        else:
            try:
                await self._open(life.venue, clock)
            finally:
                await life.close()
        return Reopening(build_id(), tuple(self._guards), tuple(self._said), tuple(self._modes))

    async def _open(self, venue: Venue, clock: DrillClock) -> None:
        """At the window's times, try every way up, and to take."""
        if not self._job.unproven:
            self._hear(await window.prove(venue, self._scene.window, self._data_dir, self._witness_dir))
        for time_us, mode in ((POST_ONLY_US, Mode.POST_ONLY), (FULL_US, Mode.FULL)):
            clock.jump(time_us)
            stepped = await self._try(venue, StepWindow(self._scene.window))
            if stepped.refusal is not None:
                await self._try(venue, SetMode(ADMINS[1], mode, "in a hurry"))
            await self._try(venue, self._taking())
            self._modes.append(venue.status().mode)

    def _taking(self) -> PlaceOrder:
        scene = self._scene
        return PlaceOrder(
            scene.taker,
            scene.taker_key,
            MARKET,
            Side.ASK,
            price_ticks=LOW_TICKS,
            lots=1,
            time_in_force=TimeInForce.IOC,
        )

    async def _try(self, venue: Venue, command: AnyCommand) -> Done:
        outcome = await venue.execute(command)
        if outcome.refusal is not None:
            self._object(f"core: {type(command).__name__}", outcome.refusal.message)
        return outcome

    def _hear(self, outcome: Outcome) -> None:
        """Take in what the gates found."""
        if outcome.signed is not None:
            return
        failed = [result for result in outcome.results if not result.passed]
        for result in failed:
            self._object(f"gate: {result.gate}", result.evidence)
        if outcome.report:
            report = msgspec.json.decode(
                (self._data_dir / "reports" / f"{outcome.report}.json").read_bytes(), type=Report
            )
            self._said += [line for finding in report.findings for line in finding.details]
        else:
            self._said.append(outcome.reason)

    def _object(self, guard: str, said: str) -> None:
        if guard not in self._guards:
            self._guards.append(guard)
        self._said.append(said)


async def main() -> None:
    # A stage that holds the exchange reads on, to hear of its end.
    job = msgspec.json.decode(sys.stdin.buffer.readline(), type=Job)
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
    asyncio.run(main())
