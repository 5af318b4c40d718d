"""The processes of one running exchange: core, journal writer, follower, and those they start for one piece of work."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.server import Server

GONE_WITHIN_S = 10.0
CORE = "exchange.cli"
WRITER = "exchange.journal.writer"
FOLLOWER = "exchange.runtime.follower.process"
SNAPSHOTTER = "exchange.runtime.follower.snapshotter"
CLOSING = "exchange.maintenance.evidence.closing"
GATES = "exchange.maintenance.evidence.gates"


def members(server: Server) -> dict[str, int]:
    """Pids of all living processes of the family, by module: all that work on this exchange's data."""
    ours = f"EXCHANGE_DATA={server.data}".encode()
    found: dict[str, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if ours not in (entry / "environ").read_bytes().split(b"\0"):
                continue
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            arguments = (entry / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue  # it ended meanwhile
        if state != "Z" and "-m" in arguments:
            found[arguments[arguments.index("-m") + 1]] = int(entry.name)
    return found


async def appears(server: Server, module: str, within_s: float = 60.0, instead_of: int | None = None) -> int:
    """The pid of a process that is started again, or for one piece of work, as soon as it is there."""
    deadline = time.monotonic() + within_s
    while (pid := members(server).get(module)) in (None, instead_of):
        assert time.monotonic() < deadline, f"{module} was not started within {within_s} s\n{server.log_tail()}"
        await asyncio.sleep(0.005)
    assert pid is not None
    return pid


@contextmanager
def held(pid: int) -> Iterator[None]:
    """A process stands still (SIGSTOP), as on a machine that swaps or a disk that hangs."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass  # it was killed meanwhile


def kill(server: Server, target: str) -> None:
    """SIGKILL one process of the family (`core`, `writer`, `follower`) or, at one blow, `all` of them."""
    assert server.process is not None
    core = server.process.pid
    if target == "all":
        os.killpg(core, signal.SIGKILL)
    elif target == "core":
        os.kill(core, signal.SIGKILL)
    else:
        os.kill(members(server)[WRITER if target == "writer" else FOLLOWER], signal.SIGKILL)


def gone(server: Server) -> bool:
    """Whether nothing of the family lives any more, within GONE_WITHIN_S."""
    assert server.process is not None
    deadline = time.monotonic() + GONE_WITHIN_S
    while members(server):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
        server.process.poll()
    server.process.wait()
    return True
