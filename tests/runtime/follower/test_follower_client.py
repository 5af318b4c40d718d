"""The follower as a process: it follows, survives being killed anywhere, and ends with the core."""

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from exchange.core.digest import partition_digest
from exchange.journal import snapshots
from exchange.journal.store import Journal, open_writing
from exchange.runtime.follower import client as follower_client
from exchange.runtime.follower.client import FollowerClient
from exchange.runtime.follower.messages import Check, Mismatch
from exchange.runtime.follower.read_models import FILE_NAME, ReadModels
from exchange.values.record import Record, encode
from tests.runtime.follower.recorded import History
from tests.runtime.follower.test_follower import expected, same_rows, state_at

__all__ = ["expected"]

PATIENCE_S = 30.0


class Core:
    """Stands in for the core: writes the journal and tells the follower."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.journal: Journal = open_writing(data)
        self.mismatches: list[Mismatch] = []
        self.faults: list[str] = []
        self.client: FollowerClient

    async def start(self) -> None:
        self.client = await FollowerClient.start(self.data, self.mismatches.append, self.faults.append)

    def commit(self, records: list[Record]) -> None:
        self.journal.append(records[0].seq, [encode(record) for record in records])
        self.client.durable(records[-1].seq)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.fixture(scope="module")
def history() -> History:
    return History().run(1_500)


@pytest.fixture
async def core(tmp_path: Path) -> AsyncIterator[Core]:
    core = Core(tmp_path)
    await core.start()
    yield core
    await core.client.close()


async def test_history_is_there_once_waited_for(core: Core, history: History, expected: Path) -> None:
    for start in range(0, len(history.records), 100):
        part = history.records[start : start + 100]
        core.commit(part)
        assert await core.client.wait_for(part[-1].seq, PATIENCE_S)
        assert ReadModels(core.data / FILE_NAME).seq() == core.client.reached == part[-1].seq
    assert same_rows(core.data / FILE_NAME, expected)
    assert not core.mismatches
    assert not core.faults


async def test_without_anybody_waiting_it_follows_too(core: Core, history: History) -> None:
    core.commit(history.records[:300])
    core.commit(history.records[300:400])
    await until(lambda: core.client.reached == 400)


async def test_waiting_ends_in_time(core: Core, history: History) -> None:
    core.commit(history.records[:100])
    assert not await core.client.wait_for(101, 0.1)
    later = asyncio.create_task(core.client.wait_for(150, PATIENCE_S))
    sooner = asyncio.create_task(core.client.wait_for(120, PATIENCE_S))
    await asyncio.sleep(0)
    core.commit(history.records[100:130])
    assert await sooner
    assert not later.done()
    core.commit(history.records[130:200])
    assert await later
    assert not core.client.ends


async def test_too_many_waiting_are_told_at_once(core: Core, history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower_client, "MAX_WAITING", 1)
    first = asyncio.create_task(core.client.wait_for(100, PATIENCE_S))
    await asyncio.sleep(0)
    assert not await core.client.wait_for(100, PATIENCE_S)
    core.commit(history.records[:100])
    assert await first


async def test_the_cores_digest_is_compared_at_its_seq(core: Core, history: History) -> None:
    state = state_at(history.records, 500)
    for partition in range(64):
        core.client.compare(500, partition, partition_digest(state, partition))
    core.client.compare(600, 3, "not a digest")
    core.commit(history.records[:700])
    assert await core.client.wait_for(700, PATIENCE_S)
    assert [(m.check, m.seq, m.expected) for m in core.mismatches] == [(Check.DIGEST, 600, "not a digest")]


async def test_a_snapshot_is_made_when_asked(core: Core, history: History) -> None:
    core.commit(history.records[:800])
    assert await core.client.snapshot() == 800
    assert [path.stem for path in snapshots.newest_first(core.data)] == ["800"]
    core.commit(history.records[800:])
    assert await core.client.snapshot() == len(history.records)
    assert not core.faults


async def test_a_later_snapshot_is_not_an_earlier_one(core: Core, history: History) -> None:
    core.commit(history.records[:800])
    first = asyncio.create_task(core.client.snapshot())
    await until(lambda: core.client.reached == 800)
    await asyncio.sleep(0.05)  # the first one is being made
    core.commit(history.records[800:1_200])
    assert await core.client.snapshot() == 1_200
    assert await first == 800


async def test_what_was_asked_of_a_follower_that_died_is_asked_of_the_next(
    core: Core, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_client, "MIN_RESTART_S", 0.01)
    core.commit(history.records[:100])
    assert await core.client.wait_for(100, PATIENCE_S)
    core.client._process.send_signal(signal.SIGSTOP)
    core.commit(history.records[100:300])
    asked = asyncio.create_task(core.client.snapshot())
    await asyncio.sleep(0)
    core.client._process.kill()
    assert await core.client.wait_for(300, PATIENCE_S)
    assert await asked == 300
    assert core.client.ends == 1


async def test_killed_anywhere_it_comes_back_with_the_same_history(
    core: Core, history: History, expected: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_client, "MIN_RESTART_S", 0.01)
    monkeypatch.setattr(follower_client, "MAX_RESTART_S", 0.01)
    moments = random.Random(7)
    kills = 6
    step = len(history.records) // (kills + 1)
    for kill in range(kills):
        while core.journal.last_seq < (kill + 1) * step:
            core.commit(history.records[core.journal.last_seq :][:10])
        # Now and then while it works, now and then while it starts.
        await asyncio.sleep(moments.choice((0.05, 0.3, 0.6)) * moments.random() * 2)
        with contextlib.suppress(ProcessLookupError):  # it is between two lives
            core.client._process.kill()
        if kill % 2:
            assert await core.client.wait_for((kill + 1) * step, PATIENCE_S)
    core.commit(history.records[core.journal.last_seq :])
    assert await core.client.wait_for(len(history.records), PATIENCE_S)
    assert same_rows(core.data / FILE_NAME, expected)
    assert core.client.ends >= kills // 2
    assert set(core.faults) == {"the follower ended with -9"}
    assert not core.mismatches


async def test_a_follower_that_fails_says_why_and_is_started_again(
    core: Core, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    core.commit(history.records[:100])
    assert await core.client.wait_for(100, PATIENCE_S)
    monkeypatch.setattr(follower_client, "MIN_RESTART_S", 0.01)
    core.client.durable(200)  # which the journal does not hold
    await until(lambda: len(core.faults) >= 2)
    assert "damaged at seq 101" in core.faults[0]
    assert core.faults[1] == "the follower ended with 1"
    core.commit(history.records[100:200])
    assert await core.client.wait_for(200, PATIENCE_S)


async def test_it_ends_with_the_core_and_not_by_the_signals_meant_for_it(core: Core, history: History) -> None:
    core.commit(history.records[:100])
    assert await core.client.wait_for(100, PATIENCE_S)
    process = core.client._process
    for number in (signal.SIGINT, signal.SIGTERM):
        process.send_signal(number)
    core.commit(history.records[100:200])
    assert await core.client.wait_for(200, PATIENCE_S)
    assert os.sched_getscheduler(process.pid) == os.SCHED_BATCH
    await core.client.close()
    assert process.returncode == 0
    assert not core.faults


async def test_one_that_hangs_is_killed_and_told_of_once(core: Core) -> None:
    for _ in range(3):
        core.client.kill("it hangs")
    assert core.faults == ["the follower is killed: it hangs"]
    await until(lambda: core.client.ends == 1 and core.client.connected)
    core.client.kill("it hangs again")
    assert core.faults[-1] == "the follower is killed: it hangs again"
