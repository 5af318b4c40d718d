"""Moving old records out of the database into sealed segments, and segments into an archive.

Runs beside a live writer: `python -m exchange.journal.sealing` (the writer starts it itself, at the lowest
priority, when `SEAL_AT_RECORDS` have gathered). A segment is checked record by record, written, synced and read
back before the manifest names it; only then does the writer delete the rows. A crash at any point leaves
every record in at least one place.
"""

import argparse
import fcntl
import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Final

import msgspec

from exchange.journal.errors import SegmentError
from exchange.journal.layout import copy_whole, segments_dir, whole_file
from exchange.journal.privacy import UMASK, make_folder, open_private
from exchange.journal.segments import Segment, manifest, require_whole, write_manifest
from exchange.journal.store import JournalReader
from exchange.values.record import GENESIS_CHAIN

#: Records in one segment.
SEGMENT_RECORDS: Final = 100_000
#: The writer has sealing done when this many records are in the database.
SEAL_AT_RECORDS: Final = 500_000
#: Records that stay in the database.
TAIL_RECORDS: Final = 100_000
# The lines of JSON become a sixth at this level, five times faster than at the best one.
_GZIP_LEVEL: Final = 2


def seal(
    data_dir: Path, segment_records: int = SEGMENT_RECORDS, tail_records: int = TAIL_RECORDS
) -> tuple[Segment, ...]:
    """Seal all whole segments that leave `tail_records` in the database; returns the new ones.

    None reaches over a declared loss: there the one before it is shorter.

    Raises:
        JournalDamaged: nothing damaged is sealed. SegmentError: another process is sealing.
    """
    with _alone(data_dir), JournalReader(data_dir) as reader:
        held = manifest(data_dir)
        first_new = len(held)
        last_seq, _ = reader.last()
        while True:
            first_seq = reader.next_seq(held[-1].last_seq) if held else 1
            end_seq = first_seq + segment_records - 1
            if end_seq > last_seq - tail_records:
                break
            end_seq = min(end_seq, reader.last_before_loss(first_seq) or end_seq)
            chain = bytes.fromhex(held[-1].chain) if held else GENESIS_CHAIN
            segment = _write(data_dir, reader, first_seq, end_seq, chain)
            held = (*held, segment.linked(held[-1].link if held else ""))
            write_manifest(data_dir, held)
    return held[first_new:]


def archive(data_dir: Path, folder: Path, up_to_seq: int) -> tuple[Segment, ...]:
    """Move the segments that end at or before `up_to_seq` to another folder; returns those moved.

    The manifest remembers the folder, so readers find them there as long as it can be reached.

    Raises:
        SegmentError: one is not what was sealed; it and those after it stay where they are.
    """
    folder = folder.absolute()
    make_folder(folder)
    moved: list[Segment] = []
    with _alone(data_dir):
        for segment in manifest(data_dir):
            source = segment.path(data_dir)
            if segment.last_seq > up_to_seq or source.parent == folder:
                continue
            copy_whole(source, folder / segment.name)
            require_whole(segment, folder / segment.name)
            moved.append(msgspec.structs.replace(segment, folder=str(folder)))
            write_manifest(
                data_dir,
                tuple(moved[-1] if held.first_seq == segment.first_seq else held for held in manifest(data_dir)),
            )
            source.unlink()
    return tuple(moved)


@contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    make_folder(segments_dir(data_dir))
    with open(open_private(segments_dir(data_dir) / "lock", os.O_RDWR | os.O_CREAT), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SegmentError("another process is sealing or archiving") from error
        yield


def _write(data_dir: Path, reader: JournalReader, first_seq: int, last_seq: int, chain: bytes) -> Segment:
    segment = Segment(first_seq, last_seq, 0, "", "")
    with whole_file(segment.path(data_dir)) as file:
        with gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0, compresslevel=_GZIP_LEVEL) as packed:
            for batch in reader.checked_batches(first_seq, last_seq, chain):
                packed.write(b"\n".join(batch.lines) + b"\n")
                chain = batch.chain
        file.seek(0)
        content = file.read()
        unpacked = gzip.decompress(content)
        if unpacked.count(b"\n") != last_seq - first_seq + 1 or not unpacked.endswith(
            b'"%b"}\n' % chain.hex().encode()
        ):
            raise SegmentError(f"segment {segment.name} does not read back as it was written")
    digest = blake2b(content, digest_size=32).hexdigest()
    return msgspec.structs.replace(segment, file_bytes=len(content), hash=digest, chain=chain.hex())


def main() -> None:
    parser = argparse.ArgumentParser(description="Seal old records into segments; started by the journal writer.")
    parser.add_argument("--data", type=Path, required=True)
    os.umask(UMASK)
    os.nice(19)
    seal(parser.parse_args().data)


if __name__ == "__main__":
    main()
