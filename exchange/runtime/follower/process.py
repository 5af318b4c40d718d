"""The follower: a process of its own, `python -m exchange.runtime.follower.process`, that interrupts nobody.

It folds the durable journal as it grows and feeds the read models. Meanwhile it doubts: it decides
every recorded command again and compares, compares its state with the core's, and has snapshots made by
recovering. It changes nothing but the read models and the snapshots, and ends when the core is gone.
"""

import argparse
import gc
import os
import select
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from exchange.core import State, fold
from exchange.core.digest import digest, partition_digest
from exchange.core.rehearsal import decided_otherwise
from exchange.journal import snapshots
from exchange.journal.recovery import replay
from exchange.journal.store import JournalReader
from exchange.runtime.follower.messages import Check, Digest, FromFollower, Lines, Mismatch, ToFollower, encode
from exchange.runtime.follower.read_models import FILE_NAME, ReadModelWriter
from exchange.runtime.follower.read_models.index_file import Indexer, take_up, unindexed
from exchange.runtime.follower.read_models.proof import Prover, clear_scratch, put_in_place
from exchange.runtime.follower.snapshotter import Snapshotter
from exchange.values.record import Record

#: Most records folded and written between two looks at the socket.
BATCH_RECORDS: Final = 4_096
#: A snapshot is made each time this many records have come.
SNAPSHOT_RECORDS: Final = 100_000
#: Digests of the core's held until their seq is folded; older ones go first.
MAX_DIGESTS: Final = 1_000
#: Mismatches told; after so many, more say nothing new.
MAX_MISMATCHES: Final = 100
#: Longest text of an event list in a mismatch.
_MAX_TEXT: Final = 2_000
#: The read models are held against the records this long after they have caught up, and again after a proof that had to
#: be given up.
PROOF_DELAY_S: Final = 30.0
PROOF_RETRY_S: Final = 600.0
#: How often it is looked whether a sealed segment lacks its index file, and how long one that could not be made waits.
INDEX_LOOK_S: Final = 10.0
INDEX_RETRY_S: Final = 600.0
_RECEIVE_BYTES: Final = 1 << 16
_LOOK_S: Final = 1.0


class ModelsUntrue(Exception):
    """The read models were not what the records say."""


class Follower:
    """The state at the seq the read models have reached, and what is to be done about it.

    `tell` is called with everything the core should hear.
    """

    def __init__(self, data_dir: Path, tell: Callable[[FromFollower], None]) -> None:
        """Take up where the read models are.

        Raises:
            JournalError, sqlite3.Error
        """
        self._data_dir = data_dir
        self._tell = tell
        self._shown_s = time.monotonic()
        self._reader = JournalReader(data_dir)
        self._models = ReadModelWriter(data_dir / FILE_NAME)
        if not self._models_belong():
            self._models.empty()
        take_up(self._models, data_dir, self._show_life)
        # The fold from a snapshot at or before the read models, so that not a row is missed.
        recovered = replay(data_dir, self._reader, self._models.seq, self._show_life)
        self._state: State = recovered.state
        self._chain = recovered.chain
        self._durable_seq = self._state.seq
        self._digests: deque[Digest] = deque(maxlen=MAX_DIGESTS)
        self._mismatches = 0
        self._snapshot_asked_seq: int | None = None
        self._snapshot_seq = max((int(path.stem) for path in snapshots.newest_first(data_dir)), default=0)
        self.snapshotter: Snapshotter | None = None
        clear_scratch(data_dir)
        self.prover: Prover | None = None
        self._indexer: Indexer | None = None
        self._index_at_s = time.monotonic()
        self._prove_at_s: float | None = time.monotonic() + PROOF_DELAY_S
        tell(FromFollower(reached=self._state.seq, models=self._models.file))

    def hear(self, message: ToFollower) -> None:
        if message.durable is not None:
            self._durable_seq = max(self._durable_seq, message.durable)
        if message.digest is not None:
            self._digests.append(message.digest)
        if message.snapshot:
            self._snapshot_asked_seq = self._durable_seq

    @property
    def behind(self) -> bool:
        return self._state.seq < self._durable_seq

    def advance(self) -> None:
        """Fold the next batch of durable records and write their rows.

        Raises:
            JournalError, sqlite3.Error, and whatever a bug of ours raises: this follower must not be used after it.
        """
        first_seq = self._state.seq + 1
        if self._durable_seq >= first_seq + BATCH_RECORDS:
            first_seq = self._reader.next_seq(self._state.seq)
        end_seq = min(self._durable_seq, first_seq + BATCH_RECORDS - 1)
        rows = self._models.rows()
        for batch in self._reader.checked_batches(self._state.seq + 1, end_seq, self._chain):
            for record, line in zip(batch.records, batch.lines, strict=True):
                self._rehearse(record)
                rows.add(self._state, record, line)
                fold(self._state, record)
                if self._digests and self._digests[0].seq <= record.seq:
                    self._compare()
            self._chain = batch.chain
        self._models.write(rows, self._chain)
        self._tell(FromFollower(reached=self._state.seq))

    def look_after_models(self) -> None:
        """Raises FilesReplaced: they are gone from under us, and the next follower makes them anew."""
        self._models.require_in_place()

    def look_after_proof(self) -> None:
        """Begin one that is due."""
        if self._prove_at_s is not None and time.monotonic() >= self._prove_at_s and self._state.seq:
            self._prove_at_s = None
            self.prover = Prover(self._data_dir)

    def take_proof_answer(self) -> None:
        """Raises ModelsUntrue: they have been replaced, and the next follower goes on from there."""
        assert self.prover is not None
        proof, self.prover = self.prover.answer(), None
        self._tell(FromFollower(proof=proof))
        if proof.gave_up:
            self._prove_at_s = time.monotonic() + PROOF_RETRY_S
        if proof.differences:
            put_in_place(self._data_dir, proof)
            raise ModelsUntrue("the read models were not what the records say, and are made anew")

    def look_after_indexes(self) -> None:
        """See to it that every sealed segment gets its index file, one after the other."""
        if self._indexer is not None:
            ended = self._indexer.ended()
            if ended is None:
                return
            self._indexer = None
            self._index_at_s = time.monotonic() + (INDEX_RETRY_S if ended else 0.0)
        if time.monotonic() >= self._index_at_s:
            self._index_at_s = time.monotonic() + INDEX_LOOK_S
            segment = unindexed(self._data_dir)
            if segment is not None:
                self._indexer = Indexer(self._data_dir, segment)

    def look_after_snapshots(self) -> None:
        """Begin a snapshot that is due, and end one that takes too long."""
        seq, asked = self._state.seq, self._snapshot_asked_seq
        if self.snapshotter is not None:
            if self.snapshotter.late():
                self.snapshotter.kill()
        elif (asked is not None and seq >= asked) or seq - self._snapshot_seq >= SNAPSHOT_RECORDS:
            # One that fails is not tried again before the next is due.
            self._snapshot_asked_seq, self._snapshot_seq = None, seq
            self.snapshotter = Snapshotter(self._data_dir, seq, digest(self._state))

    def take_snapshot_answer(self) -> None:
        assert self.snapshotter is not None
        self._tell(self.snapshotter.answer())
        self.snapshotter = None

    def _show_life(self, _seq: int, _end_seq: int) -> None:
        """Folding a long past takes its time, but the core should not take it for hanging."""
        now_s = time.monotonic()
        if now_s - self._shown_s >= _LOOK_S:
            self._shown_s = now_s
            self._tell(FromFollower())

    def close(self) -> None:
        if self.snapshotter is not None:
            self.snapshotter.kill()
            self.snapshotter.answer()
        if self.prover is not None:
            self.prover.kill()
            self.prover.answer()
            clear_scratch(self._data_dir)
        if self._indexer is not None:
            self._indexer.kill()
        self._models.close()
        self._reader.close()

    def _models_belong(self) -> bool:
        """Whether the read models were made from this journal: another one may have been restored beside them."""
        seq, (last_seq, _) = self._models.seq, self._reader.last()
        return (
            seq <= last_seq and self._reader.loss_at(seq) is None and self._reader.chain_at(seq) == self._models.chain
        )

    def _rehearse(self, record: Record) -> None:
        """Decide the command again, on the state before it."""
        otherwise = decided_otherwise(self._state, record)
        if otherwise is not None:
            found = repr(otherwise) if isinstance(otherwise, Exception) else str(otherwise)
            self._doubt(Check.REHEARSAL, record.seq, str(record.events), found)

    def _compare(self) -> None:
        """Compare digests that are due, sent in the order of their seqs; one that came late is let go."""
        while self._digests and self._digests[0].seq <= self._state.seq:
            theirs = self._digests.popleft()
            if theirs.seq == self._state.seq:
                ours = partition_digest(self._state, theirs.partition)
                if ours != theirs.value:
                    self._doubt(Check.DIGEST, theirs.seq, theirs.value, ours)

    def _doubt(self, check: Check, seq: int, expected: str, found: str) -> None:
        self._mismatches += 1
        if self._mismatches <= MAX_MISMATCHES:
            self._tell(FromFollower(mismatch=Mismatch(check, seq, expected[:_MAX_TEXT], found[:_MAX_TEXT])))


def serve(core: socket.socket, data_dir: Path) -> int:
    """Follow until the core is gone (0) or something fails (1)."""
    try:
        follower = Follower(data_dir, lambda message: core.sendall(encode(message)))
        gc.freeze()
        _follow(core, follower)
        follower.close()
    except ConnectionError:
        return 0
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        print(f"follower: {text}", file=sys.stderr)  # noqa: T201
        try:
            core.sendall(encode(FromFollower(fault=text)))
        except ConnectionError:
            pass
        return 1
    return 0


def _follow(core: socket.socket, follower: Follower) -> None:
    lines = Lines()
    while True:
        snapshotter, prover = follower.snapshotter, follower.prover
        watched = [one for one in (core, snapshotter, prover) if one is not None]
        readable, _, _ = select.select(watched, [], [], 0 if follower.behind else _LOOK_S)
        if core in readable:
            received = core.recv(_RECEIVE_BYTES)
            if not received:
                return
            for message in lines.take(received, ToFollower):
                follower.hear(message)
        if snapshotter in readable:
            follower.take_snapshot_answer()
        if prover in readable:
            follower.take_proof_answer()
        if follower.behind:
            follower.advance()
        else:
            follower.look_after_models()
            follower.look_after_proof()
        follower.look_after_snapshots()
        follower.look_after_indexes()


def main() -> None:
    parser = argparse.ArgumentParser(description="The follower; started by the exchange itself.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--socket", type=int, required=True, help="file descriptor of the socket to the core")
    arguments = parser.parse_args()
    # The signals that end an exchange go to all its processes; the follower ends with the core.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # It may interrupt nobody, but needs its share: orders are taken at its speed once it is behind.
    if hasattr(os, "SCHED_BATCH"):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    sys.exit(serve(socket.socket(fileno=arguments.socket), arguments.data))


if __name__ == "__main__":
    main()
