"""Why a journal can't be opened, trusted or written. Each has a name, and none is passed over in silence."""

from pathlib import Path


class JournalError(Exception):
    """Base of all errors of this package; its text is fit for the person who runs the exchange."""


class JournalDamaged(JournalError):
    """The journal is not what was written; `seq` is the first record that can't be trusted."""

    def __init__(self, seq: int, reason: str) -> None:
        super().__init__(f"the journal is damaged at seq {seq}: {reason}")
        self.seq = seq
        self.reason = reason


class NoJournal(JournalError):
    """There is no journal in this folder."""


class UnknownFormat(JournalError):
    """A file of a format this build does not know."""

    def __init__(self, path: Path, found: object, known: int) -> None:
        super().__init__(f"{path.name} has format {found!r}; this build reads format {known}")


class JournalLocked(JournalError):
    """Another writer holds the journal."""


class OutOfSequence(JournalError):
    """A batch was handed over that does not begin where the journal ends."""


class WriterFailed(JournalError):
    """The writer process could not start."""


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


class BackupError(JournalError):
    """A backup is not whole, or there is no empty folder to restore it into."""
