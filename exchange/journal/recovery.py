"""Getting the state back: the newest good snapshot, and the fold of the records after it.

Recovery repeats what was recorded and decides nothing. A start takes `recover`, which also holds the
journal against the witness and the clock; who only wants the state at some seq takes `replay`.
"""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from exchange.core import State, fold
from exchange.core.invariants import violations
from exchange.journal import segments, snapshots, witness
from exchange.journal.chain import CheckedBatch
from exchange.journal.errors import (
    ClockBehind,
    InvariantBroken,
    JournalDamaged,
    JournalGone,
    NoJournal,
    SegmentError,
    SnapshotDamaged,
    UnknownFormat,
    UnknownRecord,
)
from exchange.journal.layout import witness_path
from exchange.journal.store import JournalReader
from exchange.values.record import GENESIS_CHAIN, Record

#: Called with the seq reached and the last one.
Progress = Callable[[int, int], None]


class Recovered(msgspec.Struct, frozen=True):
    """A state and how it was come by.

    `chain` is the journal's value after record `seq`; `snapshot_seq` where the fold began (0: genesis); `clean`:
    the process before ended in order; `skipped` says of each newer snapshot why it could not be used: report it.
    """

    state: State
    seq: int
    chain: bytes
    snapshot_seq: int
    clean: bool
    skipped: tuple[str, ...]


def require_journal(data_dir: Path, witness_dir: Path | None = None) -> None:
    """Tell a folder in which nothing was recorded from one that has lost its journal.

    Raises:
        NoJournal: no record was ever made here, as far as anything here knows.
        JournalGone: there are no records, but there were. SegmentError: what has left the database can't be found.
        UnknownFormat, DatabaseDamaged, JournalDamaged, WitnessDamaged, NotPrivate
    """
    try:
        with JournalReader(data_dir) as reader:
            if reader.last()[0]:
                reader.require_sealed()
                return
        none = NoJournal(f"the journal in {data_dir} has no first record: the venue was not founded")
    except NoJournal as error:
        none = error
    seen = witness.read(witness_path(data_dir, witness_dir))
    sealed = segments.manifest(data_dir)
    known = max(
        (seen.seq if seen is not None else 0, "the witness"),
        (max((int(path.stem) for path in snapshots.newest_first(data_dir)), default=0), "a snapshot"),
        (sealed[-1].last_seq if sealed else 0, "a sealed segment"),
    )
    if known[0]:
        raise JournalGone(data_dir, *known)
    raise none


def recover(
    data_dir: Path,
    progress: Progress | None = None,
    *,
    witness_dir: Path | None = None,
    accept_missing_witness: bool = False,
    now_us: Callable[[], int] | None = lambda: time.time_ns() // 1000,
) -> Recovered:
    """The state at the journal's end, proved as far as a start needs; hold the journal's lock (`client`) while calling.

    With `now_us` None the clock is the caller's matter.
    Leaves all it loaded outside the garbage collector's sight (`gc.freeze`).

    Raises:
        NoJournal, UnknownFormat, JournalDamaged, SegmentError, InvariantBroken, ClockBehind, and `WitnessError`s
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        with JournalReader(data_dir) as reader:
            reader.require_sealed()
            witness.require_agreement(
                witness_path(data_dir, witness_dir), reader, accept_missing=accept_missing_witness
            )
            recovered = replay(data_dir, reader, progress=progress)
        state = recovered.state
        if now_us is not None and (now := now_us()) < state.time_us:
            raise ClockBehind(now, state.time_us)
        if broken := violations(state):
            raise InvariantBroken(state.seq, broken)
        gc.freeze()
    finally:
        if collecting:
            gc.enable()
    return recovered


def replay(
    data_dir: Path, reader: JournalReader, to_seq: int | None = None, progress: Progress | None = None
) -> Recovered:
    """The state after record `to_seq` (None: the last), every folded record checked against the chain.

    Raises:
        JournalDamaged, SegmentError, UnknownRecord: names the build that wrote it.
    """
    last_seq, last_chain = reader.last()
    end_seq = last_seq if to_seq is None else to_seq
    state, chain, skipped = _newest_state(data_dir, reader, end_seq)
    snapshot_seq = state.seq
    try:
        for batch in reader.checked_batches(snapshot_seq + 1, end_seq, chain):
            fold_batch(state, batch)
            chain = batch.chain
            if progress is not None:
                progress(state.seq, end_seq)
    except UnknownRecord as error:
        raise error.by(state.build) from error
    if state.seq == last_seq and chain != last_chain:
        raise JournalDamaged(last_seq, "the record is not the one the snapshot was made at")
    return Recovered(state, state.seq, chain, snapshot_seq, state.stopped, tuple(skipped))


@contextmanager
def without_collection() -> Iterator[None]:
    """No garbage collection while many objects are made that will live: it would find nothing, again and again."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def fold_batch(state: State, batch: CheckedBatch, before: Callable[[State, Record], None] | None = None) -> None:
    """Fold checked records, showing each to `before` first, with the state it will be folded into.

    Raises:
        JournalDamaged: one can't be folded; the state is spoilt.
    """
    for record in batch.records:
        if before is not None:
            before(state, record)
        try:
            fold(state, record)
        except Exception as error:
            raise JournalDamaged(record.seq, f"the record can't be folded: {error!r}") from error


def _newest_state(data_dir: Path, reader: JournalReader, end_seq: int) -> tuple[State, bytes, list[str]]:
    """The newest good snapshot at or before `end_seq` that belongs to this journal, or the empty state."""
    skipped: list[str] = []
    # In this order: beside a running exchange a snapshot made between the two would seem to be ahead of its journal.
    there = snapshots.all_there(data_dir)
    last_seq, _ = reader.last()
    for seq, path in there:
        if seq > last_seq:
            raise JournalDamaged(last_seq + 1, f"snapshot {path.name} was made after it, but the record is missing")
        if seq > end_seq:
            continue
        try:
            header, state = snapshots.load(path)
        except (SnapshotDamaged, UnknownFormat) as error:
            skipped.append(str(error))
            continue
        if belongs(header, reader):
            return state, bytes.fromhex(header.chain), skipped
        skipped.append(f"snapshot {path.name} was not made at this journal's record {header.seq}")
    return State(), GENESIS_CHAIN, skipped


def belongs(header: snapshots.Header, reader: JournalReader) -> bool:
    """Whether a snapshot was made at this journal's record of its seq; if that lies in an archive that is
    away, the record after it will tell.

    Raises:
        JournalDamaged
    """
    try:
        return reader.loss_at(header.seq) is None and reader.chain_at(header.seq).hex() == header.chain
    except SegmentError:
        return True
