"""Snapshots made by recovering, in a process of their own: `python -m exchange.runtime.follower.snapshotter`.

Each takes the last snapshot from disk, folds the journal on, and is written only if it is the very
state its caller holds at that seq: so every snapshot proves that recovery from the one before works,
and neither trading nor history waits for it.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import msgspec

from exchange.core.digest import digest
from exchange.core.invariants import violations
from exchange.journal import snapshots
from exchange.journal.recovery import replay
from exchange.journal.store import JournalReader
from exchange.runtime.follower.messages import NOT_MADE, Check, FromFollower, Mismatch, encode

#: A snapshot that takes longer is given up.
TIMEOUT_S: Final = 900.0
#: Broken invariants that are named; one is enough to stop on.
_NAMED_VIOLATIONS: Final = 3
_NICE: Final = 10


def make(data_dir: Path, seq: int, expected_digest: str) -> FromFollower:
    """Recover the state at `seq`, and write it as a snapshot if it is what it should be.

    Raises:
        JournalError, OSError
    """
    with JournalReader(data_dir) as reader:
        recovered = replay(data_dir, reader, seq)
    for skipped in recovered.skipped:
        print(f"snapshotter: {skipped}", file=sys.stderr)  # noqa: T201
    found_digest = digest(recovered.state)
    if found_digest != expected_digest:
        return _refuse(Mismatch(Check.RECOVERY, seq, expected_digest, found_digest))
    broken = violations(recovered.state)
    if broken:
        return _refuse(Mismatch(Check.INVARIANT, seq, "", "; ".join(broken[:_NAMED_VIOLATIONS])))
    snapshots.write(data_dir, recovered.state, recovered.chain)
    return FromFollower(snapshot=seq)


def _refuse(mismatch: Mismatch) -> FromFollower:
    return FromFollower(snapshot=NOT_MADE, mismatch=mismatch)


class Snapshotter:
    """A running snapshotter, seen by who started it. `fileno` is readable when it has an answer, or is gone."""

    def __init__(self, data_dir: Path, seq: int, expected_digest: str) -> None:
        command = [
            sys.executable,
            "-m",
            "exchange.runtime.follower.snapshotter",
            str(data_dir),
            str(seq),
            expected_digest,
        ]
        # In a session of its own Ctrl-C does not reach it, not even before it can ignore signals.
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True
        )
        self._give_up_at_s = time.monotonic() + TIMEOUT_S

    def fileno(self) -> int:
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def answer(self) -> FromFollower:
        """What became of it; waits for its end. Why it failed it has said on stderr."""
        said, _ = self._process.communicate()
        if self._process.returncode:
            return FromFollower(snapshot=NOT_MADE, fault=f"the snapshotter ended with {self._process.returncode}")
        return msgspec.json.decode(said, type=FromFollower)

    def kill(self) -> None:
        """End it if it runs; the answer is then that it failed."""
        self._process.kill()

    def late(self) -> bool:
        return time.monotonic() > self._give_up_at_s


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes one snapshot; started by the follower.")
    parser.add_argument("data", type=Path)
    parser.add_argument("seq", type=int)
    parser.add_argument("digest")
    arguments = parser.parse_args()
    # Who stops the exchange signals all of its processes; the follower ends this one when it must.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.nice(_NICE)
    sys.stdout.buffer.write(encode(make(arguments.data, arguments.seq, arguments.digest)))


if __name__ == "__main__":
    main()
