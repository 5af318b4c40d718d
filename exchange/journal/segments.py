"""Sealed segments: old records in files of their own, which can be moved to an archive.

`<data>/segments/<first>-<last>.jsonl.gz` holds the lines as they were in the database; `manifest.json` beside
them holds of each its hash, size and where it lies, each entry linked to the one before.
"""

import gzip
import zlib
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Final

import msgspec

from exchange.journal.chain import Batch
from exchange.journal.errors import JournalDamaged, SegmentError, UnknownFormat
from exchange.journal.layout import hash_file, segments_dir, whole_file
from exchange.values.record import RecordError, split

FORMAT: Final = 1
#: Records handed on at a time.
_BATCH_RECORDS: Final = 256


class Segment(msgspec.Struct, frozen=True):
    """Records `first_seq` to `last_seq` in a file of `file_bytes` bytes and BLAKE2b-256 `hash` (hex).

    `chain` (hex) is the journal's value after the last one. `link` (hex) covers the entry before and this one
    without `folder`: where the file lies if not beside the manifest.
    """

    first_seq: int
    last_seq: int
    file_bytes: int
    hash: str
    chain: str
    link: str = ""
    folder: str = ""

    @property
    def name(self) -> str:
        return f"{self.first_seq}-{self.last_seq}.jsonl.gz"

    def path(self, data_dir: Path) -> Path:
        return (Path(self.folder) if self.folder else segments_dir(data_dir)) / self.name

    def linked(self, previous: str) -> "Segment":
        content = msgspec.json.encode(msgspec.structs.replace(self, link="", folder=""))
        return msgspec.structs.replace(self, link=blake2b(previous.encode() + content, digest_size=32).hexdigest())


class _Manifest(msgspec.Struct, frozen=True):
    format: int
    segments: tuple[Segment, ...]


def manifest_path(data_dir: Path) -> Path:
    return segments_dir(data_dir) / "manifest.json"


def manifest(data_dir: Path) -> tuple[Segment, ...]:
    """The sealed segments, oldest first; none if there is no manifest.

    Raises:
        SegmentError: it is not what was written. UnknownFormat
    """
    path = manifest_path(data_dir)
    try:
        held = msgspec.json.decode(path.read_bytes(), type=_Manifest)
    except FileNotFoundError:
        return ()
    except msgspec.MsgspecError as error:
        raise SegmentError(f"the manifest of segments can't be read: {error}") from error
    if held.format != FORMAT:
        raise UnknownFormat(path, held.format, FORMAT)
    link, next_seq = "", 1
    for segment in held.segments:
        link = segment.linked(link).link
        # A gap is a declared loss, or will be found missing when the records are read.
        if segment.link != link or segment.first_seq < next_seq:
            raise SegmentError(f"the manifest of segments is not what was written, from segment {segment.name} on")
        next_seq = segment.last_seq + 1
    return held.segments


def write_manifest(data_dir: Path, held: tuple[Segment, ...]) -> None:
    with whole_file(manifest_path(data_dir)) as file:
        file.write(msgspec.json.format(msgspec.json.encode(_Manifest(FORMAT, held))) + b"\n")


def require_whole(segment: Segment, path: Path) -> None:
    """Check a segment's file against its hash and size.

    Raises:
        SegmentError
    """
    if not path.exists():
        raise SegmentError(f"segment {segment.name} is not in {path.parent}; bring it back, or its archive")
    if path.stat().st_size != segment.file_bytes or hash_file(path) != segment.hash:
        raise SegmentError(f"segment {segment.name} in {path.parent} is not what was sealed: its hash differs")


def batches(data_dir: Path, from_seq: int) -> Iterator[Batch]:
    """What the segment with record `from_seq`, or the next one, holds from there on, unchecked.

    Raises:
        JournalDamaged: no segment has it, or its file breaks off.
        SegmentError: the file is not where it should be.
    """
    for segment in manifest(data_dir):
        if from_seq <= segment.last_seq:
            yield from _read(segment, segment.path(data_dir), max(from_seq, segment.first_seq))
            return
    raise JournalDamaged(from_seq, "the record is missing")


def _read(segment: Segment, path: Path, from_seq: int) -> Iterator[Batch]:
    if not path.exists():
        raise SegmentError(f"segment {segment.name} is not in {path.parent}; bring it back, or its archive")
    first_seq, lines, broken = from_seq, list[bytes](), ""
    with gzip.open(path) as file:
        try:
            for seq, line in enumerate(file, segment.first_seq):
                if seq < from_seq:
                    continue
                lines.append(line.rstrip(b"\n"))
                if len(lines) == _BATCH_RECORDS:
                    yield _batch(first_seq, lines)
                    first_seq, lines = seq + 1, []
        except (EOFError, OSError, zlib.error) as error:
            broken = str(error)
    if lines:
        yield _batch(first_seq, lines)
        first_seq += len(lines)
    if first_seq != segment.last_seq + 1:
        raise JournalDamaged(first_seq, f"segment {segment.name} breaks off: {broken or 'it ends before'}")


def _batch(first_seq: int, lines: list[bytes]) -> Batch:
    try:
        chain = split(lines[-1])[1]
    except RecordError:
        chain = b""  # the check against the chain will name the record
    return Batch(first_seq, first_seq + len(lines) - 1, b"\n".join(lines), chain)
