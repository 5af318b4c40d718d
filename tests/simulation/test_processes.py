"""Each process of the exchange killed, or held still for a while, with orders flowing.

Whatever happens to it, nothing that was acknowledged is lost, and the books are right.
"""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from exchange.cli.exits import Exit
from exchange_client import ExchangeClient, ExchangeError
from exchange_client.signing import Keypair
from tests.clients.until import until_told
from tests.server import Server
from tests.simulation import family, proof, traffic
from tests.simulation.seen import Seen, SeenAccount
from tests.simulation.test_kill import NAMES, seed, verify

pytestmark = [pytest.mark.torture, pytest.mark.timeout(300)]

#: How long a process is held still: longer than a disk's hiccup, and than every interval of ours but the patient ones.
HELD_S = 6.0
#: A process that comes back, or a piece of work that is tried again, is there by then.
AGAIN_WITHIN_S = 90.0


class Run:
    """A running exchange, and what the outside has seen of it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.choose = random.Random(seed())
        self.seen = Seen({name: SeenAccount(name, Keypair(server.accounts[name].api_secret)) for name in NAMES})
        self.deposits: dict[str, proof.Totals] = {}

    async def begin(self) -> None:
        for name, account in self.seen.accounts.items():
            self.deposits[name] = await proof.totals(self.server.http_url, account)

    @asynccontextmanager
    async def flow(self) -> AsyncIterator[list[asyncio.Task[None]]]:
        await asyncio.sleep(self.server.settling_s())
        async with traffic.load(self.seen, self.server.ws_url, self.choose.randrange(2**32)) as tasks:
            yield tasks

    async def acknowledges(self) -> None:
        """Orders are taken (again): the load may have to come back first."""
        async with self.flow():
            await traffic.until_acknowledged(self.seen)

    async def history_answers(self) -> bool:
        """A follower that was killed as it began comes back after a pause."""
        async with ExchangeClient(self.server.http_url, self.seen.accounts["alice"].keypair) as alice:
            try:
                await alice.fills(limit=1)
            except ExchangeError as refusal:
                if refusal.transient:
                    return False
                raise
        return True

    async def start_again(self) -> None:
        family.kill(self.server, "all")
        assert family.gone(self.server), self.server.log_tail()
        await asyncio.to_thread(self.server.start)

    async def whole(self) -> None:
        """Nothing that anybody was told is untrue, and `exchange verify` agrees."""
        await until_told(self.history_answers, AGAIN_WITHIN_S)
        found = await proof.problems(self.seen, self.server.http_url, self.deposits)
        assert not found, f"{len(found)} contradictions\n" + "\n".join(found[:20]) + self.server.log_tail()
        assert self.server.stop() == 0, self.server.log_tail()
        verify(self.server)


@asynccontextmanager
async def running(server: Server) -> AsyncIterator[Run]:
    await asyncio.to_thread(server.start)
    one = Run(server)
    try:
        await one.begin()
        yield one
    finally:
        for pid in family.members(server).values():
            os.kill(pid, signal.SIGKILL)
        server.kill()


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[Run]:
    async with running(Server(tmp_path / "data", traffic.SETTINGS)) as one:
        yield one


# --- the processes that are always there ---------------------------------------------------------------------


@pytest.mark.parametrize("module", [family.CORE, family.WRITER, family.FOLLOWER])
async def test_one_is_killed(run: Run, module: str) -> None:
    for _ in range(3):
        async with run.flow() as tasks:
            await traffic.until_acknowledged(run.seen)
            pid = family.members(run.server)[module]
            os.kill(pid, signal.SIGKILL)
            if module == family.FOLLOWER:
                await family.appears(run.server, module, AGAIN_WITHIN_S, instead_of=pid)
                await traffic.until_acknowledged(run.seen)
            else:
                await asyncio.wait_for(asyncio.gather(*tasks), family.GONE_WITHIN_S)
        if module != family.FOLLOWER:
            assert family.gone(run.server), run.server.log_tail()
            await asyncio.to_thread(run.server.start)
    await run.whole()


@pytest.mark.parametrize("module", [family.CORE, family.WRITER, family.FOLLOWER])
async def test_one_is_held_still_and_goes_on(run: Run, module: str) -> None:
    """It goes on, or the exchange has ended meanwhile and says why: either way it comes back with everything."""
    async with run.flow():
        await traffic.until_acknowledged(run.seen)
        with family.held(family.members(run.server)[module]):
            await asyncio.sleep(HELD_S)
        await asyncio.sleep(1.0)
    if run.server.process is not None and run.server.process.poll() is not None:
        assert family.gone(run.server), run.server.log_tail()
        await asyncio.to_thread(run.server.start)
    await run.acknowledges()
    await run.start_again()
    await run.whole()


@pytest.mark.parametrize("module", [family.CORE, family.WRITER, family.FOLLOWER])
async def test_one_is_killed_while_it_stands_still(run: Run, module: str) -> None:
    async with run.flow():
        await traffic.until_acknowledged(run.seen)
        pid = family.members(run.server)[module]
        with family.held(pid):
            await asyncio.sleep(1.0)
            os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(1.0)
    await run.start_again()
    await run.acknowledges()
    await run.whole()


async def test_a_writer_that_stands_still_outlives_the_core_and_keeps_the_journal_to_itself(run: Run) -> None:
    async with run.flow() as tasks:
        await traffic.until_acknowledged(run.seen)
        writer = family.members(run.server)[family.WRITER]
        with family.held(writer):
            await asyncio.sleep(0.3)
            run.server.kill()
            await asyncio.wait_for(asyncio.gather(*tasks), family.GONE_WITHIN_S)
            with pytest.raises(RuntimeError, match="did not start"):
                await asyncio.to_thread(run.server.start)
            assert run.server.process is not None
            assert run.server.process.returncode == Exit.DATA_LOCKED
    assert family.gone(run.server), run.server.log_tail()
    await asyncio.to_thread(run.server.start)
    await run.whole()


# --- those that are started for one piece of work -------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["killed", "held"])
async def test_the_snapshot_of_a_stop(run: Run, fault: str) -> None:
    await run.acknowledges()
    assert run.server.process is not None
    run.server.process.send_signal(signal.SIGTERM)
    pid = await family.appears(run.server, family.SNAPSHOTTER)
    if fault == "killed":
        os.kill(pid, signal.SIGKILL)
    else:
        with family.held(pid):
            await asyncio.sleep(3.0)
    assert await asyncio.to_thread(run.server.process.wait, AGAIN_WITHIN_S) == 0, run.server.log_tail()
    await asyncio.to_thread(run.server.start)
    await run.acknowledges()
    await run.whole()


def admin(server: Server, *words: str, key: str = "admin") -> Any:
    where = ("--data", str(server.data), "--url", server.http_url, "--key", str(server.data / "keys" / f"{key}.json"))
    done = subprocess.run(
        [sys.executable, "-m", "exchange.cli", "admin", *where, "--json", *words], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["events"]


async def until_window(server: Server, window: int, holds: Any) -> None:
    async with asyncio.timeout(AGAIN_WITHIN_S):
        async with httpx.AsyncClient(base_url=server.http_url) as client:
            while True:
                shown = (await client.get("/api/v1/maintenance")).json()
                if holds(next(each for each in shown["windows"] if each["id"] == window)):
                    return
                await asyncio.sleep(0.1)


@pytest.mark.parametrize("module", [family.CLOSING, family.GATES])
@pytest.mark.parametrize("fault", ["killed", "held", "killed with all"])
async def test_the_certificates_of_a_window(run: Run, module: str, fault: str) -> None:
    """The venue stays shut until the work is done by another: no evidence, no opening."""
    server = run.server
    async with run.flow():
        await traffic.until_acknowledged(run.seen)
        times = ("--offline-at", "+5s", "--post-only-at", "+1s", "--full-at", "+1s")
        [planned] = await asyncio.to_thread(admin, server, "window", "plan", *times, "--reason", "an upgrade")
        window = planned["window"]
        pid = await family.appears(server, module)
        if fault == "killed":
            os.kill(pid, signal.SIGKILL)
        elif fault == "held":
            with family.held(pid):
                await asyncio.sleep(3.0)
        else:
            for one in family.members(server).values():
                os.kill(one, signal.SIGKILL)
    if fault == "killed with all":
        assert family.gone(server), server.log_tail()
        await asyncio.to_thread(server.start)
    await until_window(server, window, lambda shown: shown["opening"]["awaits"] == "approvals")
    async with httpx.AsyncClient(base_url=server.http_url) as client:
        assert {market["orderBookState"] for market in (await client.get("/api/v1/markets")).json()} == {"Closed"}
    for key in ("admin", "admin-2"):
        await asyncio.to_thread(admin, server, "approve", "--reason", "I have read the report", key=key)
    await until_window(server, window, lambda shown: shown["stage"] == "completed")
    await run.acknowledges()
    await run.whole()
