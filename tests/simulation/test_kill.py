"""SIGKILL at random moments under load: nobody was told anything that isn't true after the restart."""

import asyncio
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from exchange_client.signing import Keypair
from tests.server import Server
from tests.simulation import family, proof, traffic
from tests.simulation.seen import Seen, SeenAccount

KILLS = 12
TORTURE_KILLS = 20
TORTURE_ROUNDS = 5
#: The load runs this long at least and at most before the blow falls.
BLOW_S = (0.15, 0.6)
TARGETS = ("all", "core", "writer", "follower")
NAMES = ("alice", "bob", "carol", "dave")


def seed() -> int:
    """SEED of the environment repeats a run's choices (not its timing)."""
    return int(os.environ.get("SEED") or random.randrange(2**32))


def verify(server: Server) -> None:
    """`exchange verify` on the stopped exchange's data."""
    done = subprocess.run(
        [sys.executable, "-m", "exchange.cli", "verify", "--data", str(server.data)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


async def blow(server: Server, seen: Seen, choose: random.Random, target: str) -> None:
    """Load, and after a moment the end of one process or of all."""
    await asyncio.sleep(server.settling_s())
    async with traffic.load(seen, server.ws_url, choose.randrange(2**32)) as tasks:
        await traffic.until_acknowledged(seen)
        await asyncio.sleep(choose.uniform(*BLOW_S))
        family.kill(server, target)
        if target != "follower":
            # The exchange is gone, and everybody notices.
            await asyncio.wait_for(asyncio.gather(*tasks), family.GONE_WITHIN_S)
        else:
            await asyncio.sleep(choose.uniform(*BLOW_S))


async def torment(server: Server, chosen: int, kills: int) -> None:
    choose = random.Random(chosen)
    seen = Seen({name: SeenAccount(name, Keypair(server.accounts[name].api_secret)) for name in NAMES})
    deposits = {name: await proof.totals(server.http_url, account) for name, account in seen.accounts.items()}
    for number in range(kills):
        target = TARGETS[number % len(TARGETS)]
        where = f"SEED={chosen}, kill {number + 1} of {kills} ({target})"
        try:
            await blow(server, seen, choose, target)
        except AssertionError as error:
            raise AssertionError(f"{where}: {error}\n{server.log_tail()}") from None
        if target == "follower":
            family.kill(server, "all")
        assert family.gone(server), f"{where}: a process outlived the others\n{server.log_tail()}"
        server.start()
        found = await proof.problems(seen, server.http_url, deposits)
        assert not found, f"{where}: {len(found)} contradictions\n" + "\n".join(found[:20])
    assert server.stop() == 0, server.log_tail()
    verify(server)


@pytest.mark.timeout(600)  # restarts, each of them proved; a busy machine takes minutes
async def test_killed_at_random_moments(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", traffic.SETTINGS)
    server.start()
    try:
        await torment(server, seed(), KILLS)
    finally:
        server.kill()


@pytest.mark.torture
@pytest.mark.parametrize("round_number", range(TORTURE_ROUNDS))
async def test_killed_over_and_over(tmp_path: Path, round_number: int) -> None:
    server = Server(tmp_path / "data", traffic.SETTINGS)
    server.start()
    try:
        await torment(server, seed() + round_number, TORTURE_KILLS)
    finally:
        server.kill()
