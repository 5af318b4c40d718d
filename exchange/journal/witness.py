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

from exchange.journal.errors import (
    BehindWitness,
    FilesReplaced,
    WitnessDamaged,
    WitnessDisagrees,
    WitnessMissing,
)
from exchange.journal.formats import release, require_format
from exchange.journal.held import HeldFile
from exchange.journal.layout import whole_file
from exchange.journal.privacy import open_private
from exchange.journal.store import JournalReader

FORMAT: Final = 1
#: The published lag of the witness behind the journal after a loss of power.
SYNC_INTERVAL_S: Final = 1.0
# Each slot in a block of its own: a torn write reaches one of them.
_SLOT_BYTES: Final = 4096


class Seen(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the witness has seen: a journal (by its identity), a seq in it and the chain value there (hex)."""

    format: int
    genesis: str
    seq: int
    chain: str
    build: str


class _Slot(msgspec.Struct, frozen=True, omit_defaults=True):
    """`check` (BLAKE2b-128, hex) covers what was seen as it stands there: a newer build's field is passed over."""

    seen: msgspec.Raw
    check: str


class Witness:
    """The writer's hand on the witness file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1
        self._held: HeldFile
        self._as_left = (0, 0)
        self._slot = 0
        self._unsynced = False
        self._synced_at = 0.0

    def begin(self, genesis: str, seq: int, chain: bytes) -> None:
        """Take the file in hand, before anything is added to a journal that ends at `seq`; later calls do nothing.

        If there is no witness it is made, durably: so a journal with records but without a witness has lost it.

        Raises:
            OSError, WitnessDamaged, BehindWitness, WitnessDisagrees: the journal must not be added to.
        """
        if self._file >= 0:
            return
        if self._path.exists():
            seen = read(self._path)
            if seen is not None and seen.seq > seq:
                raise BehindWitness(seq, seen.seq)
            if seen is not None and seen.seq and seen.genesis != genesis:
                raise WitnessDisagrees(f"the witness at {self._path} belongs to another journal")
        else:
            with whole_file(self._path) as file:
                file.write(_pack(genesis, seq, chain).ljust(2 * _SLOT_BYTES, b"\0"))
        slots = _slots(self._path)
        self._slot = min((0, 1), key=lambda slot: slots[slot].seq if slot in slots else -1)
        self._file = open_private(self._path, os.O_RDWR)
        self._held = HeldFile(self._path, self._file)
        self._note()
        os.fdatasync(self._file)  # the slot that is now left alone may have come from a process that was killed

    def write(self, genesis: str, seq: int, chain: bytes) -> None:
        """Note what has become durable. Raises OSError, FilesReplaced."""
        self.require()  # a write of ours would hide one of somebody else's
        os.pwrite(self._file, _pack(genesis, seq, chain), self._slot * _SLOT_BYTES)
        self._note()
        self._unsynced = True
        self.sync_if_due()
        self.require()

    def _note(self) -> None:
        """How we leave the file."""
        found = os.fstat(self._file)
        self._as_left = (found.st_mtime_ns, found.st_size)

    def require(self) -> None:
        """Raises FilesReplaced: the file in hand is not the one that bears its name, or not as we left it."""
        if self._file >= 0:
            found = self._held.look()
            if (found.st_mtime_ns, found.st_size) != self._as_left:
                raise FilesReplaced(f"another program has written to {self._held.path} while the exchange runs")

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
    return max(slots.values(), key=lambda one: one.seq)


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
    if seen.seq and last_seq and seen.genesis != reader.genesis():
        raise WitnessDisagrees(f"the witness at {path} belongs to another journal")
    if seen.seq > last_seq:
        raise BehindWitness(last_seq, seen.seq)
    loss = reader.loss_at(seen.seq)
    if (loss.witness_chain if loss is not None else reader.chain_at(seen.seq).hex()) != seen.chain:
        raise WitnessDisagrees(f"record {seen.seq} is not the one the witness has seen")
    return seen


def _pack(genesis: str, seq: int, chain: bytes) -> bytes:
    seen = msgspec.json.encode(Seen(FORMAT, genesis, seq, chain.hex(), release()))
    return msgspec.json.encode(_Slot(msgspec.Raw(seen), _check(seen))) + b"\n"


def _check(seen: bytes | msgspec.Raw) -> str:
    return blake2b(seen, digest_size=16).hexdigest()


def _slots(path: Path) -> dict[int, Seen]:
    """The slots that can be trusted. Raises UnknownFormat"""
    slots = {}
    content = path.read_bytes() if path.exists() else b""
    for slot in (0, 1):
        line = content[slot * _SLOT_BYTES : (slot + 1) * _SLOT_BYTES].partition(b"\n")[0]
        try:
            held = msgspec.json.decode(line, type=_Slot)
            if held.check == _check(held.seen):
                require_format(path, held.seen, FORMAT)
                slots[slot] = msgspec.json.decode(held.seen, type=Seen)
        except msgspec.MsgspecError:
            continue
    return slots
