"""A wall clock that is set while the exchange runs, or between two starts, as it really is (libfaketime, preloaded).

The core's time never falls and never jumps; the venue brakes where the clocks differ; nothing acknowledged is lost.
"""

import importlib.util
import json
import subprocess
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from exchange.cli.exits import Exit
from exchange.journal.store import JournalReader
from tests.clients.until import until
from tests.server import Server
from tests.simulation import family, traffic
from tests.simulation.test_processes import Run, running

FOUND = importlib.util.find_spec("libfaketime")
pytestmark = [
    pytest.mark.torture,
    pytest.mark.timeout(300),
    pytest.mark.skipif(FOUND is None, reason="libfaketime isn't installed: make torture does it"),
]
BRAKES_WITHIN_S = 20.0


class WallClock:
    """What a process started with `environment` takes for the wall clock; its other clocks are the machine's."""

    def __init__(self, folder: Path) -> None:
        assert FOUND is not None
        assert FOUND.origin is not None
        self._file = folder / "offset"
        self.set("+0")
        library = Path(FOUND.origin).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set(self, offset: str) -> None:
        """Such as +1d, -1h."""
        self._file.write_text(offset + "\n")


@pytest.fixture
def wall(tmp_path: Path) -> WallClock:
    return WallClock(tmp_path)


@pytest.fixture
async def run(tmp_path: Path, wall: WallClock) -> AsyncIterator[Run]:
    async with running(Server(tmp_path / "data", traffic.SETTINGS | wall.environment)) as one:
        yield one


def states(server: Server) -> set[str]:
    with urllib.request.urlopen(f"{server.http_url}/api/v1/markets", timeout=5) as answer:
        return {market["orderBookState"] for market in json.load(answer)}


@pytest.mark.parametrize("offset", ["+1d", "-1h", "+2s", "-2s"])
async def test_set_while_it_runs(run: Run, wall: WallClock, offset: str) -> None:
    async with run.flow():
        await traffic.until_acknowledged(run.seen)
        wall.set(offset)
        await until(lambda: states(run.server) == {"CancelOnly"}, BRAKES_WITHIN_S)
        assert "clock_diverged" in run.server.log_tail()
    wall.set("+0")
    await run.start_again()
    times_never_fall(run.server)
    await run.whole()


async def test_set_back_between_two_starts(run: Run, wall: WallClock) -> None:
    await run.acknowledges()
    family.kill(run.server, "all")
    assert family.gone(run.server)
    wall.set("-2h")
    assert refused_start(run.server) == Exit.CLOCK_BEHIND
    wall.set("+0")
    run.server.start()
    await run.acknowledges()
    times_never_fall(run.server)
    await run.whole()


async def test_a_start_a_day_ahead_is_no_dead_end(run: Run, wall: WallClock) -> None:
    """The demo believes its clock: its start is recorded tomorrow, and the next one is today."""
    await run.acknowledges()
    family.kill(run.server, "all")
    assert family.gone(run.server)
    wall.set("+1d")
    run.server.start()
    family.kill(run.server, "all")
    assert family.gone(run.server)
    wall.set("+0")
    assert refused_start(run.server) == Exit.CLOCK_BEHIND
    run.server.start()
    assert states(run.server) == {"CancelOnly"}
    await run.whole()


def refused_start(server: Server) -> int:
    """The exit code of `exchange serve`, which takes no clock on trust."""
    command = [*server.program, "serve"]
    return subprocess.run(command, env=server.environment(), capture_output=True, timeout=60).returncode


def times_never_fall(server: Server) -> None:
    with JournalReader(server.data) as reader:
        times = [record.time_us for record in reader.records()]
    assert times == sorted(times)
    # A jump of the wall clock is none of the records'.
    assert times[-1] - times[0] < 300 * 1_000_000
