"""Checking kept records against their chain, and saying exactly where it breaks."""

import msgspec

from exchange.journal.errors import JournalDamaged, UnknownRecord
from exchange.values.record import Record, RecordError, decode, decode_lines, follow, head, split

#: Saves decoding: a line without these bytes is no AcceptLoss.
_ACCEPTS_LOSS = b'"type":"AcceptLoss"'


class Batch(msgspec.Struct, frozen=True, gc=False):
    """Contiguous records as kept: `lines` joined by newlines, `chain` (32 bytes) said to be the last one's."""

    first_seq: int
    last_seq: int
    lines: bytes
    chain: bytes

    def chain_at(self, seq: int) -> bytes:
        """The chain value kept with one of its records.

        Raises:
            JournalDamaged
        """
        if seq < self.first_seq:  # never the last ones, counted from the end
            raise JournalDamaged(seq, f"the record is missing; the next one is seq {self.first_seq}")
        lines = self.lines.split(b"\n")
        try:
            return split(lines[seq - self.first_seq])[1]
        except (IndexError, RecordError) as error:
            raise JournalDamaged(seq, "the record is missing or unreadable") from error


class CheckedBatch(msgspec.Struct, frozen=True, gc=False):
    """Records that follow on each other; `chain` is the value after the last one."""

    lines: list[bytes]
    records: list[Record]
    chain: bytes


class Loss(msgspec.Struct, frozen=True):
    """A range of records that is lost for good, as the record behind it says. `witness_chain` (hex) was at its end."""

    from_seq: int
    to_seq: int
    witness_chain: str


class _Command(msgspec.Struct, frozen=True):
    type: str
    witness_chain: str = ""


class _Event(msgspec.Struct, frozen=True):
    type: str
    lost_from_seq: int = 0
    lost_to_seq: int = 0


class _Said(msgspec.Struct, frozen=True):
    """What of a record tells a loss. A newer build's has one too, though this one can't fold it."""

    command: _Command
    events: list[_Event]


_decode_said = msgspec.json.Decoder(_Said).decode


def loss_before(first_line: bytes) -> Loss | None:
    """What the first record of a batch says is lost before it: the one way seqs are not dense.

    Raises:
        RecordError
    """
    if _ACCEPTS_LOSS not in first_line:
        return None
    try:
        said = _decode_said(first_line)
    except msgspec.MsgspecError as error:
        raise RecordError(str(error)) from error
    for event in said.events:
        if said.command.type == "AcceptLoss" and event.type == "EpochStarted":
            return Loss(event.lost_from_seq, event.lost_to_seq, said.command.witness_chain)
    return None


def begins_behind_loss(batch: Batch, expected_seq: int) -> bool:
    """Whether all records from `expected_seq` to the batch are declared lost."""
    if batch.first_seq <= expected_seq:
        return False
    try:
        loss = loss_before(batch.lines.partition(b"\n")[0])
    except RecordError:
        return False
    return loss is not None and (loss.from_seq, loss.to_seq) == (expected_seq, batch.first_seq - 1)


def read_batch(batch: Batch, expected_seq: int, chain: bytes, to_seq: int | None) -> CheckedBatch:
    """Records `expected_seq` to `to_seq` (None: to its end) of a batch; `chain` is the value before the first of them.

    Raises:
        JournalDamaged
    """
    if begins_behind_loss(batch, expected_seq):
        expected_seq = batch.first_seq
    if batch.first_seq > expected_seq:
        raise JournalDamaged(expected_seq, f"the record is missing; the next one is seq {batch.first_seq}")
    lines = batch.lines.split(b"\n")[expected_seq - batch.first_seq :]
    to_its_end = to_seq is None or to_seq >= batch.last_seq
    if to_seq is not None and not to_its_end:
        lines = lines[: to_seq - expected_seq + 1]
    seq = expected_seq
    for line in lines:
        followed = follow(chain, line)
        if followed is None:
            raise JournalDamaged(seq, _why(line, seq))
        chain = followed
        seq += 1
    records = _decode(lines, expected_seq)
    if to_its_end and seq != batch.last_seq + 1:
        raise JournalDamaged(
            seq, "the record is missing" if seq <= batch.last_seq else "the batch holds too many records"
        )
    if to_its_end and chain != batch.chain:
        raise JournalDamaged(seq - 1, "the batch and its last record have different chain values")
    return CheckedBatch(lines, records, chain)


def _decode(lines: list[bytes], first_seq: int) -> list[Record]:
    try:
        records = decode_lines(b"\n".join(lines))
    except RecordError:
        records = []
    if [record.seq for record in records] == list(range(first_seq, first_seq + len(lines))):
        return records
    for seq, line in enumerate(lines, first_seq):
        try:
            found = decode(line).seq
        except RecordError as error:
            raise UnknownRecord(seq, str(error)) from error  # it follows on the one before it, so it was written so
        if found != seq:
            raise JournalDamaged(seq, f"it was written with seq {found}")
    raise AssertionError("lines that read one by one don't read together")


def _why(line: bytes, expected_seq: int) -> str:
    try:
        found = head(line).seq
    except RecordError:
        return "the record can't be read"
    if found == expected_seq:
        return "the record does not follow on the one before it: it was changed"
    return f"the record is missing or out of order; seq {found} stands in its place"
