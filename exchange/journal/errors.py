"""Why a journal can't be opened, trusted or written. Each has a name, and none is passed over in silence."""

import sqlite3
from pathlib import Path

from exchange.values.times import utc_text


class JournalError(Exception):
    """Base of all errors of this package; its text is fit for the person who runs the exchange."""


class JournalDamaged(JournalError):
    """The journal is not what was written; `seq` is the first record that can't be trusted."""

    def __init__(self, seq: int, reason: str) -> None:
        super().__init__(f"the journal is damaged at seq {seq}: {reason}")
        self.seq = seq
        self.reason = reason


class DatabaseDamaged(JournalError):
    """The journal's file is not what SQLite wrote: cut off, or written over."""

    def __init__(self, path: Path, error: sqlite3.Error) -> None:
        super().__init__(
            f"{path} is damaged ({error}): put it and its -wal back from a copy, or exchange restore a backup into a"
            " new folder, and keep this one: what came after the backup may be in it"
        )


class UnknownRecord(JournalDamaged):
    """A record that is what was written, and holds a command, an event or a field that this build doesn't know.

    `build` wrote it: "" if that isn't known.
    """

    def __init__(self, seq: int, reason: str, build: str = "") -> None:
        by = f", written by build {build}," if build else ""
        JournalError.__init__(self, f"record {seq}{by} holds what this build doesn't know: {reason}")
        self.seq = seq
        self.reason = reason
        self.build = build

    def by(self, build: str) -> "UnknownRecord":
        """The same, written by `build` if nobody knew better."""
        return UnknownRecord(self.seq, self.reason, self.build or build)


class NoJournal(JournalError):
    """There is no journal in this folder."""


class UnknownFormat(JournalError):
    """A file of a format this build does not know; `build` wrote it, "" if that isn't known."""

    def __init__(self, path: Path, found: object, known: int, build: str = "") -> None:
        by = f", written by build {build}" if build else ""
        super().__init__(f"{path.name} has format {found!r}{by}; this build reads format {known}")


class JournalLocked(JournalError):
    """Another writer holds the journal."""


class NotPrivate(JournalError):
    """Others on this machine can get at the exchange's files; the text names the command that ends it."""


class OutOfSequence(JournalError):
    """A batch was handed over that does not begin where the journal ends."""


class WriterFailed(JournalError):
    """The writer process could not start."""


class FilesReplaced(JournalError):
    """A file of the journal is gone, or another one stands in its place, while it is being written."""


class LogGone(FilesReplaced):
    """The write-ahead log is gone, and its database is still there."""


class WitnessError(JournalError):
    """Base: the journal and the witness do not agree."""


class WitnessMissing(WitnessError):
    """There are records, but no witness to say that none is missing at their end."""


class WitnessDamaged(WitnessError):
    """A witness is there, but neither of its slots can be read."""


class BehindWitness(WitnessError):
    """The journal has lost records: the witness has seen a higher seq."""

    def __init__(self, journal_seq: int, witness_seq: int) -> None:
        super().__init__(
            f"the journal ends at seq {journal_seq}, but the witness has seen seq {witness_seq}: "
            f"records {journal_seq + 1} to {witness_seq} are missing"
        )
        self.journal_seq = journal_seq
        self.witness_seq = witness_seq


class JournalGone(WitnessError):
    """Records were made in this folder, and the journal that held them isn't there."""

    def __init__(self, data_dir: Path, known_seq: int, known_by: str) -> None:
        super().__init__(
            f"there is no journal in {data_dir}, but {known_by} knows of seq {known_seq}: records 1 to {known_seq} are"
            " missing; put journal.sqlite and its -wal back from where they went, or restore a backup into a new folder"
        )
        self.known_seq = known_seq


class WitnessDisagrees(WitnessError):
    """At the witness's seq the journal has another record, or the witness belongs to another journal."""


class ClockBehind(JournalError):
    """The wall clock stands before the journal's last record."""

    def __init__(self, now_us: int, last_time_us: int) -> None:
        super().__init__(
            f"the clock is {(last_time_us - now_us) / 1e6:.6f} s behind the journal's last record;"
            " set it right and start again"
        )


class InvariantBroken(JournalError):
    """The folded books don't hold together."""

    def __init__(self, seq: int, violations: list[str]) -> None:
        shown = "; ".join(violations[:3])
        super().__init__(f"at seq {seq} {len(violations)} invariants are broken: {shown}")
        self.seq = seq
        self.violations = violations


class SnapshotDamaged(JournalError):
    """A snapshot file is not what was written."""


class CheckpointRefused(JournalError):
    """A signed checkpoint is not to be believed."""


class SegmentError(JournalError):
    """A sealed segment, or the manifest of them, is missing or not what was sealed."""


class SegmentDamaged(SegmentError):
    """A sealed segment's file, or one beside it, is not what was sealed; `segment` is the file's name."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"segment {path.name} in {path.parent} is not what was sealed: {reason}")
        self.segment = path.name


class SegmentAway(SegmentError):
    """A sealed segment, or a file beside it, is not where the manifest says: its archive can't be reached.

    `segment` is the file's name; its records are of `first_time_us` to `last_time_us` (µs since 1970, UTC).
    """

    def __init__(self, path: Path, first_time_us: int, last_time_us: int) -> None:
        super().__init__(
            f"segment {path.name} is not in {path.parent}; bring it back, or its archive:"
            f" its records are of {utc_text(first_time_us)} to {utc_text(last_time_us)}"
        )
        self.segment = path.name
        self.first_time_us = first_time_us
        self.last_time_us = last_time_us


class NoSuchRecord(JournalError):
    """The journal has no record `seq`, and never will have had: it is declared lost, or not written yet."""

    def __init__(self, seq: int, reason: str) -> None:
        super().__init__(f"there is no record {seq}: {reason}")
        self.seq = seq


class BackupError(JournalError):
    """A backup is not whole, or there is no empty folder to restore it into."""
