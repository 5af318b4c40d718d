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
from exchange.runtime import life as life_module
from exchange.runtime.follower_client import FollowerClient
from exchange.runtime.intake import Intake
from exchange.runtime.intervals import INTERVALS
from exchange.runtime.life import Life
from exchange.runtime.read_models import ReadModels
from exchange.runtime.watchdog import Bounds, Lag
from exchange.values.refusals import Code, Refusal
from tests.runtime.running import MARKET, HandClock, Traders, done, running, trading, write_journal, writer_held

PATIENCE_S = 20.0


def test_a_lag_is_the_time_that_what_was_made_has_waited() -> None:
    lag = Lag()
    seen = []
    for now_s, made, reached in ((10.0, 5, 5), (11.0, 8, 5), (12.0, 9, 5), (13.0, 9, 7), (14.0, 9, 8), (15.0, 9, 9)):
        lag.look(made, reached, now_s)
        seen.append(lag.seconds)
    # From 11 to 14 the records up to 8 waited; what is left then may have waited as long.
    assert seen == [0.0, 0.0, 1.0, 2.0, 3.0, 0.0]


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
    assert any("stand_still" in place for place in blocked["stack"])
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
