"""Moving old records out of the database into sealed segments, and segments into an archive.

Runs beside a live writer: `python -m exchange.journal.sealing` (the writer starts it itself, at the lowest
priority, when many records have gathered). A segment is checked record by record, written, synced and read back, and
the snapshot of the state at its end put beside it, before the manifest names them; only then does the writer delete the
rows. A crash at any point leaves every record in at least one place.

That snapshot is the fold of the segment from the one before, so the snapshots of all segments are a way from genesis to
now in legs; each is kept as long as its segment.
"""

import argparse
import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from exchange.core import State
from exchange.journal import blocks, snapshots
from exchange.journal.chain import CheckedBatch
from exchange.journal.errors import SegmentError
from exchange.journal.layout import copy_whole, hash_bytes, hash_file, segments_dir, whole_file
from exchange.journal.privacy import UMASK, make_folder, open_private
from exchange.journal.recovery import fold_batch, replay, without_collection
from exchange.journal.segments import (
    RECORDS,
    Sealed,
    Segment,
    Side,
    entry,
    manifest,
    require_whole,
    write_manifest,
)
from exchange.journal.store import JournalReader
from exchange.values.record import GENESIS_CHAIN, follow, head

#: Records in one segment.
SEGMENT_RECORDS: Final = 100_000
#: Records that stay in the database.
TAIL_RECORDS: Final = 100_000


def seal(
    data_dir: Path, segment_records: int = SEGMENT_RECORDS, tail_records: int = TAIL_RECORDS
) -> tuple[Segment, ...]:
    """Seal all whole segments that leave `tail_records` in the database; returns the new ones.

    None reaches over a declared loss: there the one before it is shorter.

    Raises:
        JournalDamaged: nothing damaged is sealed, nor what can't be folded. SegmentError: another process is sealing.
    """
    with _alone(data_dir), without_collection(), JournalReader(data_dir) as reader:
        held = manifest(data_dir)
        first_new = len(held)
        last_seq, _ = reader.last()
        state: State | None = None
        while True:
            first_seq = reader.next_seq(held[-1].last_seq) if held else 1
            end_seq = first_seq + segment_records - 1
            if end_seq > last_seq - tail_records:
                break
            end_seq = min(end_seq, reader.last_before_loss(first_seq) or end_seq)
            if state is None:
                state = replay(data_dir, reader, held[-1].last_seq).state if held else State()
            held = (*held, _write(data_dir, reader, first_seq, end_seq, held[-1] if held else None, state))
            write_manifest(data_dir, held)
    return held[first_new:]


def archive(data_dir: Path, folder: Path, up_to_seq: int) -> tuple[Segment, ...]:
    """Move the segments that end at or before `up_to_seq` to another folder; returns those moved.

    The manifest remembers the folder, so readers find them there as long as it can be reached. The newest segment
    stays: the snapshot of the next is made from its.

    Raises:
        SegmentError: one is not what was sealed; it and those after it stay where they are.
    """
    folder = folder.absolute()
    make_folder(folder)
    moved: list[Segment] = []
    with _alone(data_dir):
        for segment in manifest(data_dir)[:-1]:
            if segment.last_seq > up_to_seq:
                continue
            if segment.home(data_dir).absolute() == folder:
                _remove_left_behind(data_dir, segment)
                continue
            moved.append(msgspec.structs.replace(segment, folder=str(folder)))
            for kind in segment.files():
                copy_whole(segment.path(data_dir, kind), moved[-1].path(data_dir, kind))
            require_whole(segment, folder)
            write_manifest(
                data_dir,
                tuple(moved[-1] if held.first_seq == segment.first_seq else held for held in manifest(data_dir)),
            )
            for kind in segment.files():
                segment.path(data_dir, kind).unlink()
    return tuple(moved)


def _remove_left_behind(data_dir: Path, segment: Segment) -> None:
    """Of a segment in an archive, the files that a crash while it was moved has left. Raises SegmentError."""
    here = msgspec.structs.replace(segment, folder="")
    left = [path for kind in segment.files() if (path := here.path(data_dir, kind)).exists()]
    if left and here.home(data_dir).absolute() != segment.home(data_dir).absolute():
        require_whole(segment, segment.home(data_dir))
        for path in left:
            path.unlink()


@contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    make_folder(segments_dir(data_dir))
    with open(open_private(segments_dir(data_dir) / "lock", os.O_RDWR | os.O_CREAT), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SegmentError("another process is sealing or archiving") from error
        yield


def attach(data_dir: Path, segment: Segment, kind: str, content: bytes) -> None:
    """Put a side file beside a sealed segment; from then on it is archived, backed up and verified with it.

    One of this kind that is there stays as it is: `content` has to be equal, and mends it if it is damaged.

    Raises:
        SegmentError: another process is sealing (try again), the manifest has no such segment, or this one has another
            file of the kind. SegmentAway: its archive can't be reached.
    """
    with _alone(data_dir):
        held = manifest(data_dir)
        place = next((place for place, one in enumerate(held) if one.kept == segment.kept), None)
        if place is None or kind == RECORDS:
            raise SegmentError(f"there is no segment {segment.name} for a file {kind}")
        found = held[place]
        path, side = found.path(data_dir, kind), found.side(kind)
        if side is not None and (side.file_bytes, side.hash) != (len(content), hash_bytes(content)):
            raise SegmentError(f"segment {segment.name} has another {path.name} already")
        if not path.parent.exists():
            raise found.away(data_dir, kind)
        written = _write_side(path, kind, content)
        if side is None:
            found = msgspec.structs.replace(found, sides=(*found.sides, written))
            write_manifest(data_dir, (*held[:place], found, *held[place + 1 :]))


def _write(
    data_dir: Path, reader: JournalReader, first_seq: int, last_seq: int, previous: Segment | None, state: State
) -> Segment:
    """Write the files of one segment and read them back; the manifest doesn't name it yet.

    `state` is the one before it, and becomes the one at its end.
    """
    name = f"{first_seq}-{last_seq}."
    path = segments_dir(data_dir) / (name + RECORDS)
    chain = bytes.fromhex(previous.sealed.chain) if previous else GENESIS_CHAIN
    with whole_file(path) as file:
        table = blocks.write(file, first_seq, _folding(reader.checked_batches(first_seq, last_seq, chain), state))
        file_bytes = file.tell()
        for index in range(len(table.blocks)):
            for line in blocks.unpack(file, path.name, table, index):
                followed = follow(chain, line)
                if followed is None:
                    raise SegmentError(f"segment {path.name} does not read back as it was written")
                chain = followed
        first, last = blocks.unpack(file, path.name, table, 0)[0], line
    sealed = Sealed(
        first_seq, last_seq, head(first).time_us, head(last).time_us, file_bytes, hash_file(path), chain.hex()
    )
    sides = (
        _write_side(path.with_name(name + blocks.KIND), blocks.KIND, blocks.encode(table)),
        _write_side(path.with_name(name + snapshots.KIND), snapshots.KIND, snapshots.packed(state, chain)),
    )
    return entry(sealed, previous.link if previous else "", sides)


def _folding(batches: Iterable[CheckedBatch], state: State) -> Iterator[bytes]:
    """The lines of records, each batch folded as it passes."""
    for batch in batches:
        fold_batch(state, batch)
        yield from batch.lines


def _write_side(path: Path, kind: str, content: bytes) -> Side:
    with whole_file(path) as file:
        file.write(content)
    return Side(kind, len(content), hash_bytes(content))


def main() -> None:
    parser = argparse.ArgumentParser(description="Seal old records into segments; started by the journal writer.")
    parser.add_argument("--data", type=Path, required=True)
    os.umask(UMASK)
    os.nice(19)
    seal(parser.parse_args().data)


if __name__ == "__main__":
    main()
