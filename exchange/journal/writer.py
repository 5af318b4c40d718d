"""The journal writer: a process of its own, `python -m exchange.journal.writer`.

It holds the journal's lock from its first moment to its last, takes all records that have gathered,
makes them durable with one transaction and one sync, sees that the files are still those that bear their names,
notes the end in the witness, then acknowledges. It ends when the core is gone. If it can't write it says why and
ends; it never acknowledges what is not durable.
"""

import argparse
import errno
import fcntl
import gc
import math
import os
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from exchange.journal import blocks, frames
from exchange.journal.errors import (
    DatabaseDamaged,
    JournalDamaged,
    JournalError,
    JournalLocked,
    LogGone,
    OutOfSequence,
    SegmentError,
)
from exchange.journal.held import HeldJournal
from exchange.journal.layout import journal_path, lock_path, witness_path
from exchange.journal.privacy import UMASK, make_folder, open_private
from exchange.journal.rows import is_damaged
from exchange.journal.segments import RECORDS, Segment, manifest, manifest_path
from exchange.journal.store import Journal, open_writing
from exchange.journal.witness import SYNC_INTERVAL_S, Witness

#: Most bytes taken from the socket into one transaction.
GATHER_BYTES: Final = 1 << 22
#: The write-ahead log is moved into the database each time this much was written.
_CHECKPOINT_BYTES: Final = 1 << 22
#: Old records are sealed when this many are in the database.
SEAL_AT_RECORDS: Final = 500_000
#: Sealed rows deleted between two commits.
_DROPPED_ROWS: Final = 8
#: Segments that are looked at before rows are deleted, oldest first; rows that lie in others wait.
_LOOKED_AT: Final = 2
#: The files without which no record of a segment is found.
_NEEDED: Final = (RECORDS, blocks.KIND)


def main() -> None:
    parser = argparse.ArgumentParser(description="The journal writer; started by the exchange itself.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--witness", type=Path)
    parser.add_argument("--socket", type=int, required=True, help="file descriptor of the socket to the core")
    arguments = parser.parse_args()
    # The signals that end an exchange go to all its processes; the writer stays until the core has had its last word.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.umask(UMASK)
    gc.freeze()
    core = socket.socket(fileno=arguments.socket)
    sys.exit(run(core, arguments.data, witness_path(arguments.data, arguments.witness)))


def run(core: socket.socket, data_dir: Path, witness: Path) -> int:
    """Serve until the core is gone (0) or the journal can't be written (1)."""
    try:
        with locked(data_dir) as lock, closing(open_writing(data_dir)) as journal:
            held = HeldJournal(data_dir, lock)
            _reply(core, frames.STARTED, frames.END.pack(journal.last_seq, journal.last_chain))
            serve(core, journal, held, Witness(witness), Upkeep(data_dir, journal))
    except ConnectionError:  # the core is gone
        return 0
    except (JournalError, sqlite3.Error, OSError) as error:
        print(f"journal writer: {error}", file=sys.stderr)  # noqa: T201
        with suppress(ConnectionError):
            _reply(core, _kind(error), _told(error, data_dir).encode())
        return 1
    return 0


def _kind(error: Exception) -> int:
    if isinstance(error, JournalLocked):
        return frames.LOCKED
    return frames.DAMAGED if isinstance(error, JournalDamaged) or is_damaged(error) else frames.FAILED


def _told(error: Exception, data_dir: Path) -> str:
    if isinstance(error, sqlite3.Error) and is_damaged(error):
        return str(DatabaseDamaged(journal_path(data_dir), error))
    full = (isinstance(error, OSError) and error.errno == errno.ENOSPC) or (
        # The module's own errors have no code.
        isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    )
    if full:
        return (
            f"the disk that holds {data_dir} is full: what was acknowledged is there; free some space and start again"
        )
    return f"{type(error).__name__}: {error}"


@contextmanager
def locked(data_dir: Path) -> Iterator[int]:
    """Hold the journal's exclusive lock, which also ends with the process; yields the lock's descriptor.

    Raises:
        JournalLocked
    """
    make_folder(data_dir)
    with open(open_private(lock_path(data_dir), os.O_RDWR | os.O_CREAT), "r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise JournalLocked(f"process {lock.read(32).strip()} holds the journal in {data_dir}") from error
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield lock.fileno()


class Upkeep:
    """Has long tails sealed, and deletes rows that lie in sealed segments, a few at a time between commits."""

    def __init__(self, data_dir: Path, journal: Journal) -> None:
        self._data_dir = data_dir
        self._journal = journal
        self._due_at = 0.0
        self._manifest_ns = 0
        self._droppable_seq = 0
        self._segments: tuple[Segment, ...] = ()
        self._first_seq = journal.first_seq()
        self._sealer: subprocess.Popen[bytes] | None = None

    def turn(self) -> None:
        """One step, if any is due. Raises what the journal's connection raises."""
        if self._first_seq <= self._droppable_seq:
            self._journal.drop_sealed(self._sealed_in_place(), _DROPPED_ROWS)
            first_seq = self._journal.first_seq()
            # The last row of all stays, and one that reaches beyond its segment.
            self._droppable_seq = 0 if first_seq == self._first_seq else self._droppable_seq
            self._first_seq = first_seq
        elif (now := time.monotonic()) >= self._due_at:
            self._due_at = now + SYNC_INTERVAL_S
            try:
                self._look()
            except (JournalError, OSError) as error:
                print(f"journal writer: nothing is sealed: {error}", file=sys.stderr)  # noqa: T201
                self._due_at = math.inf

    def _sealed_seq(self) -> int:
        return self._segments[-1].last_seq if self._segments else 0

    def _sealed_in_place(self) -> int:
        """The seq up to which the segments that replace the oldest rows are seen to be there: only those rows go."""
        seen_seq = 0
        for segment in [one for one in self._segments if self._first_seq <= one.last_seq][:_LOOKED_AT]:
            files = segment.files()
            for kind in _NEEDED:
                path = segment.path(self._data_dir, kind)
                if not path.exists() or path.stat().st_size != files.get(kind, (-1, ""))[0]:
                    print(f"journal writer: {path} is not what was sealed; its rows stay", file=sys.stderr)  # noqa: T201
                    self._droppable_seq = seen_seq
                    return seen_seq
            seen_seq = segment.last_seq
        return seen_seq

    def _look(self) -> None:
        if self._sealer is not None:
            if self._sealer.poll() is None:
                return
            if self._sealer.returncode:
                raise SegmentError(f"the sealing process ended with {self._sealer.returncode}")
            self._sealer = None
        path = manifest_path(self._data_dir)
        manifest_ns = path.stat().st_mtime_ns if path.exists() else 0
        if manifest_ns != self._manifest_ns:
            self._manifest_ns = manifest_ns
            self._segments = manifest(self._data_dir)
            self._droppable_seq = self._sealed_seq()
        elif self._journal.last_seq - max(self._first_seq, self._sealed_seq()) >= SEAL_AT_RECORDS:
            arguments = [sys.executable, "-m", "exchange.journal.sealing", "--data", str(self._data_dir)]
            self._sealer = subprocess.Popen(arguments)


def serve(core: socket.socket, journal: Journal, held: HeldJournal, witness: Witness, upkeep: Upkeep) -> None:
    """Write what the core sends until it is gone.

    Raises:
        JournalError, OSError, or what the journal's connection raises: nothing unacknowledged may be trusted.
    """
    # A timeout in the kernel costs no extra call; it paces the work that is due while nothing comes in.
    seconds, rest = divmod(SYNC_INTERVAL_S, 1.0)
    core.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", int(seconds), int(rest * 1e6)))
    gathered = bytearray()
    unmoved_bytes = 0
    while _gather(core, gathered):
        gathered_bytes = len(gathered)
        first_seq, bodies = _take_frames(gathered)
        if bodies:
            witness.begin(journal.genesis, journal.last_seq, journal.last_chain)
            _require_in_place(held.require_log, journal)
            journal.append(first_seq, bodies)
            _require_in_place(held.require, journal)  # before the witness: it shall not vouch for what is gone with us
            witness.write(journal.genesis, journal.last_seq, journal.last_chain)
            _reply(core, frames.DURABLE, frames.END.pack(journal.last_seq, journal.last_chain))
            unmoved_bytes += gathered_bytes
        else:
            _require_in_place(held.require, journal)
            witness.require()
        witness.sync_if_due()
        if unmoved_bytes >= _CHECKPOINT_BYTES:
            journal.checkpoint()
            held.moved()
            unmoved_bytes = 0
        upkeep.turn()
    witness.sync()


def _require_in_place(look: Callable[[], None], journal: Journal) -> None:
    """Raises FilesReplaced: nothing more may be acknowledged."""
    try:
        look()
    except LogGone:
        with suppress(sqlite3.Error):
            journal.rescue()
        raise


def _gather(core: socket.socket, gathered: bytearray) -> bool:
    """Wait for bytes, at most `SYNC_INTERVAL_S`, and take all that are there; False: the core is gone."""
    flags = 0
    try:
        while len(gathered) < GATHER_BYTES or not flags:
            chunk = core.recv(GATHER_BYTES, flags)
            if not chunk:
                return flags != 0
            gathered += chunk
            flags = socket.MSG_DONTWAIT
    except BlockingIOError:
        pass
    except ConnectionError:
        return False
    return True


def _take_frames(gathered: bytearray) -> tuple[int, list[bytes]]:
    """Take the whole frames off the front: the first seq, and all their records.

    Raises:
        OutOfSequence: a frame does not begin where the one before it ended.
    """
    first_seq, at, header = 0, 0, frames.BATCH.size
    bodies: list[bytes] = []
    while len(gathered) - at >= header:
        length, frame_seq = frames.BATCH.unpack_from(gathered, at)
        if len(gathered) - at - header < length:
            break
        first_seq = first_seq or frame_seq
        if frame_seq != first_seq + len(bodies):
            raise OutOfSequence(f"a batch begins at seq {frame_seq} instead of {first_seq + len(bodies)}")
        bodies += bytes(gathered[at + header : at + header + length]).split(b"\n")
        at += header + length
    del gathered[:at]
    return first_seq, bodies


def _reply(core: socket.socket, kind: int, payload: bytes) -> None:
    core.sendall(frames.REPLY.pack(kind, len(payload)) + payload)


if __name__ == "__main__":
    main()
