"""The witness: the highest (seq, chain) that was made durable, kept apart from the journal.

A journal whose end was lost, or that was put back from an older copy, is whole in itself; only
something outside it can tell. The witness is one small file, best on other storage than the journal.

It is written after the journal's fsync and before the acknowledgement, so nothing was ever shown
that the witness has not seen. It is itself synced at most once every `SYNC_INTERVAL_S`: a kill of
processes loses nothing of it, and after a loss of power it may lag the journal by that much. So a loss
of power that also takes synced records of that last second from the journal could go unseen; nothing else can.
"""

import os
import time
from hashlib import blake2b
from pathlib import Path
from typing import Final

import msgspec

from exchange.journal.errors import BehindWitness, UnknownFormat, WitnessDamaged, WitnessDisagrees, WitnessMissing
from exchange.journal.layout import sync_dir
from exchange.journal.store import JournalReader

FORMAT: Final = 1
#: The published lag of the witness behind the journal after a loss of power.
SYNC_INTERVAL_S: Final = 1.0
# Each slot in a block of its own: a torn write reaches one of them.
_SLOT_BYTES: Final = 4096


class Seen(msgspec.Struct, frozen=True):
    """What the witness has seen: a journal (by its identity), a seq in it and the chain value there (hex)."""

    format: int
    genesis: str
    seq: int
    chain: str
    check: str = ""


class Witness:
    """The writer's hand on the witness file; it is made at the first write, not before."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1
        self._slot = 0
        self._unsynced = False
        self._synced_at = 0.0

    def write(self, genesis: str, seq: int, chain: bytes) -> None:
        """Note what has become durable. Raises OSError."""
        if self._file < 0:
            self._open()
        os.pwrite(self._file, _pack(genesis, seq, chain), self._slot * _SLOT_BYTES)
        self._unsynced = True
        self.sync_if_due()

    def sync_if_due(self) -> None:
        """To be called at least every `SYNC_INTERVAL_S`. Raises OSError."""
        if self._unsynced and time.monotonic() - self._synced_at >= SYNC_INTERVAL_S:
            self.sync()

    def sync(self) -> None:
        """Make what was written durable; the next writes go to the other slot, so a synced one is always left alone."""
        if self._unsynced:
            os.fdatasync(self._file)
            self._slot ^= 1
            self._unsynced = False
            self._synced_at = time.monotonic()

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        slots = _slots(self._path)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if not slots:
            os.pwrite(self._file, bytes(2 * _SLOT_BYTES), 0)
        newest = max((0, 1), key=lambda slot: slots[slot].seq if slot in slots else -1)
        os.fsync(self._file)
        sync_dir(self._path.parent)
        self._slot = newest ^ 1


def read(path: Path) -> Seen | None:
    """What the witness has seen; None if there is no witness.

    Raises:
        WitnessDamaged, UnknownFormat
    """
    if not path.exists():
        return None
    slots = _slots(path)
    if not slots:
        raise WitnessDamaged(f"neither slot of {path} can be read")
    seen = max(slots.values(), key=lambda one: one.seq)
    if seen.format != FORMAT:
        raise UnknownFormat(path, seen.format, FORMAT)
    return seen


def require_agreement(path: Path, reader: JournalReader, *, accept_missing: bool = False) -> Seen | None:
    """Hold the journal against the witness; returns what it has seen.

    A missing witness is in order while there are no records, or when the caller says so.

    Raises:
        WitnessMissing, WitnessDamaged, BehindWitness, WitnessDisagrees, UnknownFormat
    """
    seen, (last_seq, _) = read(path), reader.last()
    if seen is None:
        if last_seq and not accept_missing:
            raise WitnessMissing(f"the journal has {last_seq} records, but there is no witness at {path}")
        return None
    if last_seq and seen.genesis != reader.genesis():
        raise WitnessDisagrees(f"the witness at {path} belongs to another journal")
    if seen.seq > last_seq:
        raise BehindWitness(last_seq, seen.seq)
    if reader.chain_at(seen.seq).hex() != seen.chain:
        raise WitnessDisagrees(f"record {seen.seq} is not the one the witness has seen")
    return seen


def _pack(genesis: str, seq: int, chain: bytes) -> bytes:
    seen = Seen(FORMAT, genesis, seq, chain.hex())
    seen = msgspec.structs.replace(seen, check=_check(seen))
    return msgspec.json.encode(seen) + b"\n"


def _check(seen: Seen) -> str:
    return blake2b(msgspec.json.encode(msgspec.structs.replace(seen, check="")), digest_size=16).hexdigest()


def _slots(path: Path) -> dict[int, Seen]:
    """The slots that can be trusted."""
    slots = {}
    content = path.read_bytes() if path.exists() else b""
    for slot in (0, 1):
        line = content[slot * _SLOT_BYTES : (slot + 1) * _SLOT_BYTES].partition(b"\n")[0]
        try:
            seen = msgspec.json.decode(line, type=Seen)
        except msgspec.MsgspecError:
            continue
        if seen.check == _check(seen):
            slots[slot] = seen
    return slots
