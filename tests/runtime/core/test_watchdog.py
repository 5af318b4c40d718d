"""What is late is measured, said and acted upon; a start doesn't wait for history that is far behind."""

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from exchange.cli.supervisor import told
from exchange.runtime.core import life as life_module
from exchange.runtime.core.ending import Ending
from exchange.runtime.core.intake import Intake
from exchange.runtime.core.life import Life
from exchange.runtime.core.outbox import Outbox
from exchange.runtime.core.watchdog import LOOK_S, Bounds, Lag, Watchdog
from exchange.runtime.feeds.intervals import INTERVALS
from exchange.runtime.feeds.public_state import PublicState
from exchange.runtime.follower.client import FollowerClient
from exchange.runtime.follower.messages import FromFollower, encode
from exchange.runtime.follower.read_models import ReadModels
from exchange.values.refusals import Code, Refusal
from tests.runtime.running import (
    MARKET,
    START_US,
    HandClock,
    Traders,
    done,
    running,
    trading,
    write_journal,
    writer_held,
)

PATIENCE_S = 20.0


def test_a_lag_is_the_time_that_what_was_made_has_waited() -> None:
    lag = Lag()
    seen = []
    for now_s, made, reached in ((10.0, 5, 5), (11.0, 8, 5), (12.0, 9, 5), (13.0, 9, 7), (14.0, 9, 8), (15.0, 9, 9)):
        lag.look(made, reached, now_s)
        seen.append(lag.seconds)
    # From 11 to 14 the records up to 8 waited; what is left then may have waited as long.
    assert seen == [0.0, 0.0, 1.0, 2.0, 3.0, 0.0]


def test_a_loop_that_stood_still_is_no_late_disk() -> None:
    lag = Lag()
    lag.look(5, 5, 10.0)
    lag.look(8, 5, 10.1)
    lag.look(8, 5, 32.0, stood_s=21.8)
    assert lag.seconds == pytest.approx(0.1)
    lag.look(9, 8, 32.1)
    assert lag.seconds == pytest.approx(0.2)
    lag.look(9, 8, 35.1)
    assert lag.seconds == pytest.approx(3.0), "that it is late now is seen as ever"


def test_a_slowed_intake_gives_what_the_pace_allows_and_no_store_of_it() -> None:
    intake = Intake()
    assert intake.room(64) == 64
    intake.slow_to(100, 10.0)
    assert intake.room(64) == 0
    intake.slow_to(100, 10.125)
    assert intake.room(64) == 12
    intake.took(15)  # a batch is never split
    assert intake.room(64) == 0
    intake.slow_to(100, 20.0)
    assert intake.room(64) == 20, "a quiet while is no licence for a burst"
    intake.slowed = False
    assert intake.room(64) == 64


async def test_a_slowed_intake_takes_cancels_first_and_the_rest_at_its_pace(tmp_path: Path, traders: Traders) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:
        resting = (await done(life.venue, traders.buy(traders.bob, 9_000, client_id=1))).orders[0]
        intake = life.venue.intake
        life._tasks[0].cancel()  # the watchdog: here the pace is ours
        intake.slow_to(1, 0.0)
        answered: list[str] = []
        for price in range(9_000, 9_100):
            life.venue.submit([traders.buy(traders.ann, price)], lambda _outcomes: answered.append("order"))
        life.venue.submit(
            [traders.core.cancel(traders.bob, resting.order_id)], lambda _outcomes: answered.append("cancel")
        )
        await until(lambda: answered)
        assert answered == ["cancel"]
        intake.slow_to(1_000, 0.01)
        await until(lambda: len(answered) > 5)
        assert len(answered) < 50
        intake.slowed = False
        await until(lambda: len(answered) == 101)


async def test_a_late_disk_closes_the_intake_and_opens_it_again(tmp_path: Path, traders: Traders) -> None:
    bounds = Bounds(writer_late_s=0.2, writer_stop_s=0.5)
    await write_journal(tmp_path, traders.core.records)
    life = await Life.start(tmp_path, clock=HandClock(), bounds=bounds)
    try:
        with writer_held(life):
            held = asyncio.create_task(life.venue.execute(traders.buy(traders.ann, 9_000)))
            await until(lambda: life.venue.intake.stopped)
            refused = await life.venue.execute(traders.buy(traders.bob, 9_000))
            assert refused.refusal is not None
            assert refused.refusal.code is Code.MAINTENANCE
            [condition] = life.venue.status().conditions
            assert (condition.part, condition.stops_orders) == ("writer", True)
            assert not held.done()
        assert (await held).refusal is None
        await until(lambda: not life.venue.status().conditions)
        await done(life.venue, traders.buy(traders.bob, 9_000))
    finally:
        await life.stop("the test is over")


class Scripted:
    """The watchdog over a follower that says what the test wants, and seconds that pass when it says so."""

    def __init__(self, bounds: Bounds, follower: FollowerClient, told_by: socket.socket) -> None:
        self.outbox, self.intake, self.follower = Outbox(), Intake(), follower
        self.outbox.begin(0)
        public = PublicState(Traders().core.state, self.outbox)
        ending = Ending()
        self.watchdog = Watchdog(
            bounds, self.outbox, follower, self.intake, public, ending, lambda: START_US, lambda: False
        )
        self._told_by = told_by
        self._now_s = 100.0

    async def says(self, reached: int) -> None:
        self._told_by.sendall(encode(FromFollower(reached=reached)))
        await until(lambda: self.follower.reached == reached)

    def durable(self, seq: int) -> None:
        self.outbox.begin(seq)
        self.follower.durable(seq)

    def passes(self, seconds: float) -> None:
        for _ in range(round(seconds / LOOK_S)):
            self._now_s += LOOK_S
            self.watchdog.look(self._now_s)

    def stands_still(self, seconds: float) -> None:
        self._now_s += seconds
        self.watchdog.look(self._now_s)

    @property
    def messages(self) -> list[str]:
        return [condition.message for condition in self.watchdog._conditions.values()]


@asynccontextmanager
async def scripted(bounds: Bounds, tmp_path: Path) -> AsyncIterator[Scripted]:
    ours, theirs = socket.socketpair()
    follower = FollowerClient(tmp_path, lambda _mismatch: None, lambda _fault: None)
    with theirs:
        transport, _ = await asyncio.get_running_loop().create_unix_connection(lambda: follower, sock=ours)
        yield Scripted(bounds, follower, theirs)
        transport.close()


async def test_the_intake_narrows_with_the_lag_and_closes_at_its_bound(tmp_path: Path) -> None:
    async with scripted(Bounds(slow_at_records=1_000, full_at_records=2_000), tmp_path) as case:
        rooms = []
        for behind in (0, 900, 1_100, 1_500, 1_900, 2_000, 1_400, 900, 700):
            case.durable(10_000 + behind)
            await case.says(10_000)
            case.passes(1)
            rooms.append("closed" if case.intake.stopped else case.intake.room(999) if case.intake.slowed else "open")
        # At the least speed of 200 a second, what is kept of it for 0.2 s: twice, once, and a fifth of it.
        assert rooms == ["open", "open", 72, 40, 8, "closed", 48, 80, "open"]
        assert case.messages == []


async def test_a_loop_that_stood_still_is_not_blamed_on_disk_or_history(tmp_path: Path) -> None:
    async with scripted(Bounds(), tmp_path) as case:
        await case.says(0)
        case.durable(10)
        case.outbox.appended(20)
        case.passes(0.5)
        case.stands_still(200)
        assert case.messages == []
        assert not case.watchdog._ending.come
        case.passes(4)
        assert case.messages[0].startswith("The journal has not been written for 5 s")


async def test_read_models_that_are_made_again_do_not_stop_orders(tmp_path: Path) -> None:
    async with scripted(Bounds(slow_at_records=1_000, full_at_records=2_000), tmp_path) as case:
        case.durable(50_000)
        await case.says(50_000)
        case.passes(1)
        await case.says(0)
        case.passes(1)
        assert case.intake.stopped is None
        assert case.intake.slowed, "half of what the follower takes in, so that it catches up"
        case.durable(52_500)
        await case.says(100)
        case.passes(1)
        assert case.intake.stopped is not None, "what has come since is held to the bound"


async def test_a_silent_follower_lets_orders_in_up_to_the_first_bound(tmp_path: Path) -> None:
    async with scripted(Bounds(slow_at_records=1_000, full_at_records=2_000, follower_silent_s=5), tmp_path) as case:
        await case.says(0)
        case.durable(900)
        case.passes(6)
        assert case.messages == ["History stands still since 6 s"]
        assert not case.intake.slowed
        assert case.intake.stopped is None
        case.durable(1_000)
        case.passes(0.1)
        assert case.intake.stopped is not None
        await case.says(1_000)
        case.passes(0.1)
        assert case.intake.stopped is None
        assert case.messages == []


async def test_a_loop_that_stands_still_is_named_without_what_it_holds(tmp_path: Path, traders: Traders) -> None:
    await write_journal(tmp_path, traders.core.records)
    with capture_logs() as logs:
        life = await Life.start(tmp_path, clock=HandClock(), bounds=Bounds(loop_blocked_s=0.5))
        try:
            await asyncio.sleep(0.3)
            stand_still("a secret of somebody's")
            await until(lambda: any(each.part == "loop" for each in life.venue.status().conditions))
        finally:
            await life.stop("the test is over")
    [blocked] = [line for line in logs if line["event"] == "event_loop_blocked"]
    assert "stand_still" in blocked["stack"]
    assert "a secret" not in str(blocked)
    assert any(line["event"] == "event_loop_turns_again" for line in logs)


def stand_still(_secret: str) -> None:
    time.sleep(1.2)


async def test_a_start_opens_without_its_past_which_comes_later_and_whole(
    tmp_path: Path, traders: Traders, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = HandClock()
    async with trading(tmp_path, traders, clock) as life:
        await trade(life, traders, clock, 20)
        os.kill(life._writer.pid, signal.SIGKILL)
        await life.ended()
    monkeypatch.setattr(life_module, "PAST_WAIT_S", 0.1)
    read, taken_up = threading.Event(), threading.Event()
    past = ReadModels.past

    def past_and_a_while(*arguments: Any) -> Any:
        found = past(*arguments)
        read.set()
        assert taken_up.wait(PATIENCE_S)
        return found

    monkeypatch.setattr(ReadModels, "past", past_and_a_while)
    async with followers_held(monkeypatch) as held, running(tmp_path, clock) as life:
        assert isinstance(await life.venue.ticker(MARKET, 1), Refusal)
        await trade(life, traders, clock, 20)
        for pid in held:
            os.kill(pid, signal.SIGCONT)
        await trade(life, traders, clock, 20)
        await until(read.is_set)
        await trade(life, traders, clock, 20)
        taken_up.set()
        await until(lambda: life._streams.early is None)
        await trade(life, traders, clock, 20)
        shown = await figures(life, clock)
        assert await life.settled()
    async with running(tmp_path, clock) as life:
        await until(lambda: life._streams.early is None)
        assert await figures(life, clock) == shown, "as if it had never stopped"


async def figures(life: Life, clock: HandClock) -> list[object]:
    candles = life._streams.feeds[MARKET].candles
    assert candles is not None
    tickers = [await life.venue.ticker(MARKET, days) for days in (1, 7)]
    assert all(tickers)
    return [*tickers, *(candles.running(interval, clock.now_us()) for interval in INTERVALS)]


async def trade(life: Life, traders: Traders, clock: HandClock, count: int) -> None:
    for number in range(count):
        await done(life.venue, traders.sell(traders.ann, 10_000 + number % 7))
        await done(life.venue, traders.buy(traders.bob, 10_000 + number % 7))
        clock.pass_s(13)


@asynccontextmanager
async def followers_held(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[int]]:
    """Followers that are started stand still."""
    held: list[int] = []
    spawn = FollowerClient._spawn

    async def spawn_held(client: FollowerClient) -> None:
        await spawn(client)
        held.append(client._process.pid)
        os.kill(held[-1], signal.SIGSTOP)

    with monkeypatch.context() as patched:
        patched.setattr(FollowerClient, "_spawn", spawn_held)
        yield held


async def test_a_supervisor_hears_that_it_is_open_and_that_the_loop_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(tmp_path / "notify"))
        supervisor.settimeout(PATIENCE_S)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "300000")
        async with told():
            heard = [await asyncio.to_thread(supervisor.recv, 100) for _ in range(3)]
        assert heard == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
        monkeypatch.delenv("NOTIFY_SOCKET")
        async with told():
            pass  # nobody asks


async def until(check: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not check():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


@pytest.fixture
def traders() -> Traders:
    return Traders()
