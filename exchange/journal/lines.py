"""Record lines by their seqs, in any number of places of the journal at once: what shown history is made from.

A line comes out of the database's row that holds it, or out of its sealed segment's block; both hold at most 256
records. What was read last stays unpacked, up to `CACHED_BYTES`.
"""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Final

import msgspec
import structlog

from exchange.journal import blocks
from exchange.journal.errors import JournalDamaged, JournalError, NoSuchRecord, SegmentAway, SegmentError
from exchange.journal.segments import Segment, manifest, manifest_path
from exchange.journal.store import JournalReader
from exchange.values.record import RecordError, split

#: Bytes of lines kept unpacked; what one call reads comes on top.
CACHED_BYTES: Final = 32 << 20
#: Segments whose tables of blocks are kept.
CACHED_TABLES: Final = 64

_log = structlog.get_logger(__name__)


class _Piece(msgspec.Struct, frozen=True, gc=False):
    """Lines of contiguous records, as one row or block holds them."""

    first_seq: int
    lines: list[bytes]
    line_bytes: int


class Lines:
    """Reads beside a live writer, sealing and archiving. Threads may share it; they unpack side by side."""

    def __init__(self, data_dir: Path, cached_bytes: int = CACHED_BYTES) -> None:
        """Raises NoJournal, UnknownFormat."""
        self._data_dir = data_dir
        self._reader = JournalReader(data_dir, shared=True)
        self._lock = Lock()
        self._cached_bytes = cached_bytes
        self._held_bytes = 0
        #: By (segment or not, first seq): a row and a block may begin at one record, and hold different ones.
        self._pieces: OrderedDict[tuple[bool, int], _Piece] = OrderedDict()
        self._tables: OrderedDict[int, blocks.Table] = OrderedDict()
        self._segments: tuple[Segment, ...] = ()
        #: Segments whose lost tables have been told of; no more than there are.
        self._told: set[int] = set()
        self._manifest_as_read = (0, 0)

    def close(self) -> None:
        with self._lock:
            self._reader.close()

    def lines(self, seqs: Sequence[int]) -> list[bytes]:
        """The kept lines of records, one for each of `seqs`; those that rise are read fastest.

        Each holds its seq and ends in a chain value. Whether it is the one that was written, only who kept a hash of it
        or follows the chain can say.

        Raises:
            NoSuchRecord: one is declared lost, or not durable yet.
            SegmentAway: one is in an archive that can't be reached; it says which, and its time span.
            JournalDamaged: names the record that is missing or unreadable. UnknownFormat, SegmentError
            SegmentDamaged: neither the table of its blocks nor the segment can be read; it names the file.
        """
        found: list[bytes] = []
        piece: _Piece | None = None
        for seq in seqs:
            if piece is None or not piece.first_seq <= seq < piece.first_seq + len(piece.lines):
                piece = self._row(seq) or self._block(seq)
                if piece is None:
                    raise self._why_not(seq)
            found.append(_checked(piece, seq))
        return found

    def _row(self, seq: int) -> _Piece | None:
        """The database's row with a record; it is deleted some time after the record was sealed."""
        with self._lock:
            first_seq = self._reader.rows.starting(seq)
            if first_seq is None:
                return None
            held = self._cached((False, first_seq))
            batch = self._reader.rows.row(first_seq) if held is None else None
        if batch is None:
            return held
        lines = batch.lines.split(b"\n")
        if len(lines) != batch.last_seq - first_seq + 1:
            raise JournalDamaged(first_seq, f"the row that begins there holds {len(lines)} records, not what it says")
        return self._keep((False, first_seq), lines)

    def _block(self, seq: int) -> _Piece | None:
        """The segment's block with a record. To be asked after `_row`: a row goes once the manifest names it."""
        segment = self._segment(seq)
        if segment is None:
            return None
        try:
            return self._unpacked(segment, seq)
        except SegmentAway:
            moved = self._segment(seq)
            if moved is None or moved.folder == segment.folder:
                raise
            return self._unpacked(moved, seq)  # to an archive, just now

    def _unpacked(self, segment: Segment, seq: int) -> _Piece:
        table = self._table(segment)
        index = table.at(seq)
        key = (True, table.blocks[index].first_seq)
        with self._lock:
            held = self._cached(key)
        if held is not None:
            return held
        try:
            with open(segment.path(self._data_dir), "rb") as file:
                return self._keep(key, blocks.unpack(file, segment.name, table, index))
        except FileNotFoundError:
            raise segment.away(self._data_dir) from None

    def _segment(self, seq: int) -> Segment | None:
        with self._lock:
            with suppress(FileNotFoundError):
                found = manifest_path(self._data_dir).stat()
                if (found.st_ino, found.st_mtime_ns) != self._manifest_as_read:
                    self._segments = manifest(self._data_dir)
                    self._manifest_as_read = (found.st_ino, found.st_mtime_ns)
            index = bisect_right(self._segments, seq, key=lambda segment: segment.first_seq) - 1
            return self._segments[index] if index >= 0 and seq <= self._segments[index].last_seq else None

    def _table(self, segment: Segment) -> blocks.Table:
        with self._lock:
            table = self._tables.get(segment.first_seq)
        if table is None:
            try:
                table = blocks.table(segment, self._data_dir)
            except SegmentError as error:
                table = blocks.found_again(segment, self._data_dir)
                self._tell_once(segment, error)
            with self._lock:
                while len(self._tables) >= CACHED_TABLES:
                    self._tables.pop(next(iter(self._tables)))
                self._tables[segment.first_seq] = table
        return table

    def _tell_once(self, segment: Segment, error: SegmentError) -> None:
        with self._lock:
            told = segment.first_seq in self._told
            self._told.add(segment.first_seq)
        if not told:
            _log.error("blocks_found_again", segment=segment.name, reason=str(error))

    def _cached(self, key: tuple[bool, int]) -> _Piece | None:
        piece = self._pieces.get(key)
        if piece is not None:
            self._pieces.move_to_end(key)
        return piece

    def _keep(self, key: tuple[bool, int], lines: list[bytes]) -> _Piece:
        piece = _Piece(key[1], lines, sum(map(len, lines)))
        with self._lock:
            if key not in self._pieces:  # another thread may have been quicker
                self._pieces[key] = piece
                self._held_bytes += piece.line_bytes
            while self._held_bytes > self._cached_bytes:
                _, oldest = self._pieces.popitem(last=False)
                self._held_bytes -= oldest.line_bytes
        return piece

    def _why_not(self, seq: int) -> JournalError:
        with self._lock:
            last_seq, _ = self._reader.last()
            if not 1 <= seq <= last_seq:
                return NoSuchRecord(seq, f"the journal ends at {last_seq}")
            loss = self._reader.loss_at(seq)
        if loss is not None:
            return NoSuchRecord(seq, f"records {loss.from_seq} to {loss.to_seq} are lost for good")
        return JournalDamaged(seq, "the record is missing")


def _checked(piece: _Piece, seq: int) -> bytes:
    line = piece.lines[seq - piece.first_seq]
    try:
        split(line)
    except RecordError as error:
        raise JournalDamaged(seq, f"the record can't be read: {error}") from error
    if not line.startswith(b'{"seq":%d,' % seq):
        raise JournalDamaged(seq, "another record stands in its place")
    return line
