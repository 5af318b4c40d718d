"""The processes of one running exchange: the core, the journal writer and the follower."""

import os
import signal
import time
from pathlib import Path

from tests.server import Server

GONE_WITHIN_S = 10.0
WRITER = "exchange.journal.writer"
FOLLOWER = "exchange.runtime.follower"


def members(server: Server) -> dict[str, int]:
    """Pids of all living processes of the family, by module."""
    assert server.process is not None
    found: dict[str, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            state, _parent, group = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
            arguments = (entry / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue  # it ended meanwhile
        if int(group) == server.process.pid and state != "Z" and "-m" in arguments:
            found[arguments[arguments.index("-m") + 1]] = int(entry.name)
    return found


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
