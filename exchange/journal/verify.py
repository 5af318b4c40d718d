"""`exchange verify`: is the history whole, does it fold, and do all roads lead to the same books?

One pass over the records folds them into two states: one that began at genesis (or at the last signed
checkpoint), and one that begins anew at every snapshot. Where a snapshot was made, both must have its digest;
what was loaded from it then goes on to the next. So every snapshot is shown to lead to the same end.
"""

import time
from pathlib import Path
from typing import Final

import msgspec
from nacl.signing import SigningKey

from exchange.core import State
from exchange.core.digest import digest
from exchange.core.invariants import violations
from exchange.journal import checkpoint, segments, snapshots, witness
from exchange.journal.errors import (
    BehindWitness,
    CheckpointRefused,
    JournalDamaged,
    JournalError,
    SegmentError,
    SnapshotDamaged,
    UnknownFormat,
    UnknownRecord,
    WitnessError,
)
from exchange.journal.judging import Judge
from exchange.journal.layout import witness_path
from exchange.journal.recovery import Progress, fold_batch, without_collection
from exchange.journal.store import JournalReader
from exchange.values.record import GENESIS_CHAIN

#: The invariants are checked at least this often, at every snapshot, and at the end.
CHECK_RECORDS: Final = 200_000


class Problem(msgspec.Struct, frozen=True):
    """What is wrong; `seq` is the first record it concerns, None if it concerns none."""

    what: str
    seq: int | None = None


class Report(msgspec.Struct, frozen=True):
    """What a verification found. Everything up to `to_seq` was folded; `from_seq` 0 is genesis.

    `chain` and `digest` (hex) are those after `to_seq`. `snapshot_seqs` are those that agreed.
    `signed`: commands of admins, each with the good signatures of those who gave it; `unsigned`: those without any.
    `decided`: commands decided again; `certificates`: those on record, held against key and chain.
    `checkpoint_seq`: a signed checkpoint was left there. `read_models_seq`: what users are shown agrees up to there;
    who knows of read models says so.
    """

    ok: bool
    from_seq: int
    to_seq: int
    chain: str
    digest: str
    snapshot_seqs: tuple[int, ...]
    segments: int
    witness_seq: int | None
    first_bad_seq: int | None
    problems: tuple[Problem, ...]
    checkpoint_seq: int | None
    seconds: float
    signed: int = 0
    unsigned: int = 0
    decided: int = 0
    certificates: int = 0
    read_models_seq: int | None = None

    def to_json(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self))

    def text(self) -> str:
        """For a person."""
        began = f"checkpoint {self.from_seq}" if self.from_seq else "genesis"
        rate = (self.to_seq - self.from_seq) / self.seconds if self.seconds else 0
        lines = [
            f"Folded from {began} to seq {self.to_seq} in {self.seconds:.1f} s ({rate:,.0f} records/s)",
            f"Chain      {self.chain}",
            f"Digest     {self.digest}",
            f"Snapshots  {', '.join(map(str, self.snapshot_seqs)) or 'none'} lead to the same state",
            f"Segments   {self.segments} sealed",
            f"Witness    {'has seen seq ' + str(self.witness_seq) if self.witness_seq is not None else 'none'}",
        ]
        lines += [
            f"Admins     {self._admins()}",
            f"Decisions  {self.decided} commands of admins and of the venue itself, decided again",
            f"Certified  {self.certificates} certificates on record, each held against the venue's key and the chain",
        ]
        if self.read_models_seq is not None:
            lines.append(f"History    shown is what the records say, to seq {self.read_models_seq}")
        if self.checkpoint_seq is not None:
            lines.append(f"Checkpoint signed at seq {self.checkpoint_seq}")
        lines += [f"PROBLEM    {problem.what}" for problem in self.problems]
        if self.first_bad_seq is not None:
            lines.append(f"First bad seq: {self.first_bad_seq}")
        lines.append("The journal is whole and its books hold." if self.ok else "The journal does NOT verify.")
        return "\n".join(lines)

    def _admins(self) -> str:
        signed = f"{self.signed} commands, each signed with the keys in force of those who gave it"
        if not self.unsigned:
            return signed if self.signed else "no commands among these records"
        if not self.signed:
            return f"{self.unsigned} commands, none of them signed: nothing here proves who gave them"
        return f"{signed}; {self.unsigned} signed by nobody"


def verify(
    data_dir: Path,
    *,
    witness_dir: Path | None = None,
    from_genesis: bool = False,
    key: SigningKey | None = None,
    progress: Progress | None = None,
) -> Report:
    """Check everything there is; also beside a running exchange, up to where the journal ends when it begins.

    Begins at the last signed checkpoint unless `from_genesis`. With the venue's `key`, a good end is signed.

    Raises:
        NoJournal, UnknownFormat: there is nothing to verify. Whatever else is found is in the report.
    """
    with without_collection(), JournalReader(data_dir) as reader:
        return _Verification(data_dir, reader, progress).run(witness_path(data_dir, witness_dir), from_genesis, key)


def _founded_signed(reader: JournalReader) -> bool:
    """Whether the venue promises that every command of an admin is signed; if that can't be read, it does."""
    try:
        return any(record.signed for record in reader.records(1, 1))
    except JournalError:
        return True


class _Verification:
    def __init__(self, data_dir: Path, reader: JournalReader, progress: Progress | None) -> None:
        self._data_dir = data_dir
        self._reader = reader
        self._progress = progress
        self._problems: list[Problem] = []
        self._agreed: list[int] = []
        self._state = State()
        self._leg: State | None = None
        self._chain = GENESIS_CHAIN
        self._judge = Judge(reader, _founded_signed(reader))

    def run(self, witness_file: Path, from_genesis: bool, key: SigningKey | None) -> Report:
        started = time.monotonic()
        end_seq, _ = self._reader.last()
        seen = self._check_witness(witness_file)
        if not from_genesis:
            self._begin_at_checkpoint()
        from_seq = self._state.seq
        sealed = self._check_segments(from_seq)
        self._fold(end_seq)
        for seq, problem in self._judge.found:
            self._found(problem, seq)
        ok = not self._problems
        signed = None
        if ok and key is not None and self._state.seq:
            signed = checkpoint.sign(self._data_dir, self._state, self._chain, self._reader.genesis(), key).seq
        return Report(
            ok=ok,
            from_seq=from_seq,
            to_seq=self._state.seq,
            chain=self._chain.hex(),
            digest=digest(self._state),
            snapshot_seqs=tuple(self._agreed),
            segments=sealed,
            witness_seq=seen,
            first_bad_seq=min((p.seq for p in self._problems if p.seq is not None), default=None),
            problems=tuple(self._problems),
            checkpoint_seq=signed,
            seconds=time.monotonic() - started,
            signed=self._judge.signers.proved,
            unsigned=self._judge.signers.unsigned,
            decided=self._judge.decided,
            certificates=self._judge.certificates,
        )

    def _found(self, what: object, seq: int | None = None) -> None:
        self._problems.append(Problem(str(what), seq))

    def _check_witness(self, path: Path) -> int | None:
        try:
            seen = witness.require_agreement(path, self._reader)
        except BehindWitness as error:
            self._found(error, error.journal_seq + 1)
            return error.witness_seq
        except JournalDamaged as error:
            self._found(error, error.seq)
        except (WitnessError, UnknownFormat, SegmentError) as error:
            self._found(error)
        else:
            return seen.seq if seen else None
        return None

    def _begin_at_checkpoint(self) -> None:
        try:
            found = checkpoint.newest(self._data_dir, self._reader.genesis())
        except CheckpointRefused as error:
            self._found(error)
            return
        if found is not None:
            signed, self._state = found
            self._chain = bytes.fromhex(signed.chain)

    def _check_segments(self, from_seq: int) -> int:
        """Hold the files of the segments that will be read against hash and size; returns how many."""
        checked = 0
        try:
            self._reader.require_sealed()
            for segment in segments.manifest(self._data_dir):
                if segment.last_seq > from_seq:
                    segments.require_whole(segment, segment.home(self._data_dir))
                    checked += 1
        except JournalDamaged as error:
            self._found(error, error.seq)
        except (SegmentError, UnknownFormat) as error:
            self._found(error)
        return checked

    def _fold(self, end_seq: int) -> None:
        paths: dict[int, list[Path]] = {}
        for seq, path in snapshots.all_there(self._data_dir):
            paths.setdefault(seq, []).append(path)
        stops = {seq for seq in paths if self._state.seq <= seq <= end_seq}
        between = range(self._state.seq + CHECK_RECORDS, end_seq, CHECK_RECORDS)
        stops |= {seq for seq in between if self._reader.loss_at(seq) is None} | {end_seq}
        for seq in paths:
            if seq > end_seq and self._reader.last()[0] < seq:
                self._found(f"a snapshot was made at seq {seq}, but the journal ends at {end_seq}", end_seq + 1)
        try:
            for stop in sorted(stops):
                self._fold_to(stop, end_seq)
                for broken in violations(self._state):
                    self._found(f"at seq {stop} an invariant is broken: {broken}", stop)
                for path in paths.get(stop, ()):
                    self._compare(path)
            if self._leg is not None and digest(self._leg) != digest(self._state):
                self._found(f"the newest snapshot leads to another state at seq {end_seq}", end_seq)
        except UnknownRecord as error:
            self._found(error.by(self._state.build), error.seq)
        except JournalDamaged as error:
            self._found(error, error.seq)
        except JournalError as error:
            self._found(error)

    def _fold_to(self, stop: int, end_seq: int) -> None:
        if stop == self._state.seq:
            return
        for batch in self._reader.checked_batches(self._state.seq + 1, stop, self._chain):
            fold_batch(self._state, batch, self._judge.see)
            if self._leg is not None:
                fold_batch(self._leg, batch)
            self._chain = batch.chain
            if self._progress is not None:
                self._progress(self._state.seq, end_seq)

    def _compare(self, path: Path) -> None:
        """Hold the snapshot at the seq just reached against both states, and let the second go on from it."""
        seq, reached = self._state.seq, digest(self._state)
        try:
            header, loaded = snapshots.load(path)
        except (SnapshotDamaged, UnknownFormat) as error:
            if path.exists():  # a running exchange deletes its oldest ones
                self._found(error)
            return
        if header.chain != self._chain.hex():
            self._found(f"snapshot {path.name} was not made at this journal's record {seq}")
        elif reached != header.digest or digest(loaded) != header.digest:
            self._found(f"snapshot {path.name} holds another state than the fold from the start", seq)
        elif self._leg is not None and digest(self._leg) != reached:
            self._found(f"the snapshot before {path.name} leads to another state there", seq)
        else:
            if seq not in self._agreed:
                self._agreed.append(seq)
            self._leg = loaded
