"""What is inside a sealed segment: blocks of at most `BLOCK_RECORDS` lines that unpack alone.

Each block is a gzip member of its own, so `zcat` reads the whole file, and one record costs one block. Where they begin
is in the segment's side file `.blocks`: JSON, a row for each. A field of a newer build in it is passed over. It can be
found again from the segment alone, by unpacking it.
"""

import gzip
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from exchange.journal.chain import Batch
from exchange.journal.errors import JournalDamaged, SegmentDamaged
from exchange.journal.formats import release, require_format
from exchange.journal.layout import hash_bytes
from exchange.journal.segments import Segment, manifest
from exchange.values.record import RecordError, split

FORMAT: Final = 1
#: The kind of side file the table is.
KIND: Final = "blocks"
#: Unpacked at a time where the table is found again.
_PIECE_BYTES: Final = 1 << 16
#: Most records in one block.
BLOCK_RECORDS: Final = 256
# The lines of JSON become a sixth at this level, five times faster than at the best one.
GZIP_LEVEL: Final = 2


class Block(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`file_bytes` bytes at `offset` of the segment's file: the records from `first_seq` up to the next block's."""

    first_seq: int
    offset: int
    file_bytes: int


class Table(msgspec.Struct, frozen=True, omit_defaults=True):
    """The blocks of one segment that ends with record `last_seq`, in order; there is at least one."""

    format: int
    build: str
    last_seq: int
    blocks: tuple[Block, ...]

    def at(self, seq: int) -> int:
        """The index of the block with a record of the segment."""
        return bisect_right(self.blocks, seq, key=_first_seq) - 1


def _first_seq(block: Block) -> int:
    return block.first_seq


def write(file: BinaryIO, first_seq: int, lines: Iterator[bytes]) -> Table:
    """Write the lines of records `first_seq` and on, at least one, as blocks; returns the table of them."""
    blocks: list[Block] = []
    next_seq = first_seq
    while gathered := list(islice(lines, BLOCK_RECORDS)):
        packed = gzip.compress(b"\n".join(gathered) + b"\n", GZIP_LEVEL, mtime=0)
        blocks.append(Block(next_seq, file.tell(), len(packed)))
        file.write(packed)
        next_seq += len(gathered)
    return Table(FORMAT, release(), next_seq - 1, tuple(blocks))


def encode(table: Table) -> bytes:
    return msgspec.json.encode(table)


def table(segment: Segment, data_dir: Path) -> Table:
    """Where the blocks of a segment begin.

    Raises:
        SegmentAway, UnknownFormat. SegmentDamaged: the table is not what was written.
    """
    path, side = segment.path(data_dir, KIND), segment.side(KIND)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise segment.away(data_dir, KIND) from None
    if side is None or hash_bytes(content) != side.hash:
        raise SegmentDamaged(path, "its hash differs")
    try:
        require_format(path, content, FORMAT)
        return msgspec.json.decode(content, type=Table)
    except msgspec.MsgspecError as error:
        raise SegmentDamaged(path, f"it can't be read: {error}") from error


def found_again(segment: Segment, data_dir: Path) -> Table:
    """The same from the segment's own file, which is unpacked for it: about 70 ms for 100,000 records.

    Raises:
        SegmentAway. SegmentDamaged: it can't be unpacked to its end, or holds other records.
    """
    path = segment.path(data_dir)
    blocks: list[Block] = []
    next_seq, offset = segment.first_seq, 0
    try:
        content = memoryview(path.read_bytes())
        while offset < len(content):
            file_bytes, records = _member(content[offset:])
            blocks.append(Block(next_seq, offset, file_bytes))
            next_seq, offset = next_seq + records, offset + file_bytes
    except FileNotFoundError:
        raise segment.away(data_dir) from None
    except (EOFError, OSError, zlib.error) as error:
        raise SegmentDamaged(path, f"it can't be unpacked from record {next_seq} on: {error}") from error
    if next_seq != segment.last_seq + 1:
        raise SegmentDamaged(path, f"it ends before record {next_seq}")
    return Table(FORMAT, release(), segment.last_seq, tuple(blocks))


def _member(content: memoryview) -> tuple[int, int]:
    """How many bytes the gzip member has that these begin with, and how many lines it holds."""
    unpacking, lines, at = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16), 0, 0
    while not unpacking.eof:
        if at >= len(content):
            raise EOFError("it breaks off")
        piece = content[at : at + _PIECE_BYTES]
        lines += unpacking.decompress(piece).count(b"\n")
        at += len(piece)
    return at - len(unpacking.unused_data), lines


def unpack(file: BinaryIO, name: str, held: Table, index: int) -> list[bytes]:
    """The lines of one block of a segment's open file; `name` is what an error calls it.

    Raises:
        JournalDamaged: names the first record that can't be had.
    """
    block = held.blocks[index]
    end_seq = held.blocks[index + 1].first_seq if index + 1 < len(held.blocks) else held.last_seq + 1
    try:
        file.seek(block.offset)
        lines = gzip.decompress(file.read(block.file_bytes)).split(b"\n")
    except (EOFError, OSError, zlib.error) as error:
        raise JournalDamaged(block.first_seq, f"segment {name} can't be unpacked there: {error}") from error
    if lines.pop() or len(lines) != end_seq - block.first_seq:
        raise JournalDamaged(block.first_seq, f"segment {name} breaks off there, or holds other records")
    return lines


def batches(data_dir: Path, from_seq: int) -> Iterator[Batch]:
    """What the segment with record `from_seq`, or the next one, holds from there on, unchecked.

    Raises:
        JournalDamaged: no segment has it, or it can't be unpacked.
        SegmentError: a file is not where it should be, or not what was sealed.
    """
    for segment in manifest(data_dir):
        if from_seq <= segment.last_seq:
            yield from _batches(segment, data_dir, max(from_seq, segment.first_seq))
            return
    raise JournalDamaged(from_seq, "the record is missing")


def _batches(segment: Segment, data_dir: Path, from_seq: int) -> Iterator[Batch]:
    held = table(segment, data_dir)
    try:
        with open(segment.path(data_dir), "rb") as file:
            for index in range(held.at(from_seq), len(held.blocks)):
                first_seq = held.blocks[index].first_seq
                lines = unpack(file, segment.name, held, index)[max(0, from_seq - first_seq) :]
                yield _batch(max(from_seq, first_seq), lines)
    except FileNotFoundError:
        raise segment.away(data_dir) from None


def _batch(first_seq: int, lines: list[bytes]) -> Batch:
    try:
        chain = split(lines[-1])[1]
    except RecordError:
        chain = b""  # the check against the chain will name the record
    return Batch(first_seq, first_seq + len(lines) - 1, b"\n".join(lines), chain)
