"""A venue really running over a journal on disk: writer and follower processes and all."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from exchange.journal.client import WriterClient
from exchange.journal.store import JournalReader
from exchange.runtime.build import build_id
from exchange.runtime.clock import Clock
from exchange.runtime.core.life import Life
from exchange.runtime.core.venue import Venue
from exchange.values.commands import AnyCommand
from exchange.values.enums import Side
from exchange.values.ids import AccountId
from exchange.values.orders.views import Outcome
from exchange.values.process.commands import StartProcess
from exchange.values.record import Record, encode
from exchange.values.updates import Update
from tests import venue as core

START_US = 1_750_000_100_000_000
MARKET = core.SOL_USDC.symbol


class HandClock:
    """A clock that a test moves by hand."""

    def __init__(self, now_us: int = START_US) -> None:
        self.time_us = now_us
        self.off_us = 0

    def now_us(self) -> int:
        return self.time_us

    def real_us(self) -> int:
        return self.now_us()

    def divergence_us(self) -> int:
        return self.off_us

    def pass_s(self, seconds: float) -> None:
        self.time_us += int(seconds * 1_000_000)


async def write_journal(data_dir: Path, records: Iterable[Record]) -> None:
    """Put records on disk the way the exchange does."""
    failed: list[str] = []
    writer = await WriterClient.start(data_dir, lambda _seq: None, failed.append)
    if bodies := [encode(record) for record in records]:
        writer.append(1, bodies)
    await writer.close()
    assert not failed


@asynccontextmanager
async def running(data_dir: Path, clock: Clock) -> AsyncIterator[Life]:
    """A venue over the journal in `data_dir`, stopped in order at the end unless it has ended before."""
    life = await Life.start(data_dir, clock=clock)
    try:
        yield life
    finally:
        await life.stop("the test is over")


@asynccontextmanager
async def trading(data_dir: Path, traders: "Traders", clock: Clock) -> AsyncIterator[Life]:
    """A new venue with the traders' past, open for everything if its policy says so."""
    await write_journal(data_dir, traders.core.records)
    async with running(data_dir, clock) as life:
        yield life


@contextmanager
def writer_held(life: Life) -> Iterator[None]:
    """While inside, the journal's writer stands still, so that nothing becomes durable."""
    pid = life._writer._process.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):  # a test may have killed it
            os.kill(pid, signal.SIGCONT)


def records(data_dir: Path, from_seq: int = 1) -> list[Record]:
    """What the journal holds."""
    with JournalReader(data_dir) as journal:
        return list(journal.records(from_seq))


async def done(venue: Venue, command: AnyCommand) -> Outcome:
    """Execute a command that must be carried out."""
    async with asyncio.timeout(10):
        outcome = await venue.execute(command)
    assert outcome.refusal is None, outcome
    return outcome


class Seen(list[Update]):
    """Gathers updates."""

    def __init__(self) -> None:
        super().__init__()
        self._more = asyncio.Event()

    def add(self, update: Update) -> None:
        self.append(update)
        self._more.set()

    async def soon(self, count: int) -> "Seen":
        """Wait until there are so many."""
        async with asyncio.timeout(5):
            while len(self) < count:
                self._more.clear()
                await self._more.wait()
        return self


class Traders:
    """Two funded accounts of a small, open venue of this build, and the records that made them."""

    def __init__(self, auto_resume: bool = True) -> None:
        self.core = core.Venue(auto_resume=auto_resume)
        self.core.expect(StartProcess(build_id(), clean=True))
        self.core.open()
        self.ann = self.core.account({"USDC": 10**12, "SOL": 10**15})
        self.bob = self.core.account({"USDC": 10**12, "SOL": 10**15})

    def buy(self, account: AccountId, price_ticks: int, lots: int = 1, client_id: int | None = None) -> AnyCommand:
        return self.core.limit(account, Side.BID, price_ticks, lots, client_id=client_id)

    def sell(self, account: AccountId, price_ticks: int, lots: int = 1, client_id: int | None = None) -> AnyCommand:
        return self.core.limit(account, Side.ASK, price_ticks, lots, client_id=client_id)
