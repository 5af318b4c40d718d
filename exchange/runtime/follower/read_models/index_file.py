"""The index file of a sealed segment: what its records add to the read models, so that a rebuild needn't fold them.

`python -m exchange.runtime.follower.read_models.index_file DATA FIRST_SEQ` makes one from the records alone, in a
process that takes only time nobody else wants, and puts it beside the segment: it is sealed, backed up and archived
with it. It is gzip over one MessagePack map; a field of a newer build in it is passed over.
"""

import argparse
import gzip
import os
import signal
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from exchange.core import fold
from exchange.journal.errors import JournalError, SegmentError, UnknownFormat
from exchange.journal.layout import hash_bytes
from exchange.journal.recovery import replay
from exchange.journal.sealing import attach
from exchange.journal.segments import Segment, manifest
from exchange.journal.store import JournalReader
from exchange.runtime.follower.read_models.rows import Rows
from exchange.runtime.follower.read_models.writer import ReadModelWriter
from exchange.values.ids import AccountId, OrderId

FORMAT: Final = 1
#: The kind of side file it is.
KIND: Final = "index.gz"
_GZIP_LEVEL: Final = 2


class _Index(msgspec.Struct, frozen=True, omit_defaults=True):
    """`Rows` of the records after `after_seq` up to `seq`, in the order of the tables' keys or of the records."""

    format: int
    after_seq: int
    seq: int
    time_us: int
    kept: bytes
    lists: list[tuple[AccountId, bytes]] = []
    touches: list[Any] = []
    client_ids: list[tuple[AccountId, int, int, OrderId]] = []
    trades: list[Any] = []
    markets: list[tuple[int, str, bytes]] = []
    assets: list[tuple[int, str]] = []


def packed(rows: Rows, after_seq: int) -> bytes:
    """The content of a file; `rows` were begun after `after_seq`."""
    index = _Index(
        FORMAT,
        after_seq,
        rows.seq,
        rows.time_us,
        bytes(rows.kept),
        [(account, bytes(entries)) for account, entries in sorted(rows.lists.items())],
        rows.touches,
        [(*key, order_id) for key, order_id in sorted(rows.client_ids.items())],
        rows.trades,
        rows.new_markets,
        rows.new_assets,
    )
    return gzip.compress(msgspec.msgpack.encode(index), _GZIP_LEVEL, mtime=0)


def unpack(content: bytes, rows: Rows) -> None:
    """Put what a file holds into rows that are begun where it begins.

    Raises:
        SegmentError: it is no index file, or begins elsewhere. UnknownFormat
    """
    try:
        index = msgspec.msgpack.decode(gzip.decompress(content), type=_Index)
    except (msgspec.MsgspecError, EOFError, OSError, zlib.error) as error:
        raise SegmentError(f"an index file can't be read: {error}") from error
    if index.format != FORMAT:
        raise UnknownFormat(Path(KIND), index.format, FORMAT)
    if index.after_seq != rows.seq:
        raise SegmentError(f"an index file begins behind record {index.after_seq}, not behind {rows.seq}")
    rows.seq, rows.time_us = index.seq, index.time_us
    rows.kept += index.kept
    for _, symbol in index.assets:
        rows.list_asset(symbol)
    for _, symbol, spec in index.markets:
        rows.list_market(symbol, spec)
    for account, entries in index.lists:
        rows.lists[account] += entries
    rows.touches += index.touches
    for account, market, client_id, order_id in index.client_ids:
        rows.client_ids[account, market, client_id] = order_id
    for trade in index.trades:
        rows.add_trade(tuple(trade))


def make(data_dir: Path, segment: Segment) -> bytes:
    """The content of a segment's index file, from its records and the state before them.

    Raises:
        JournalError: they can't be read.
    """
    after_seq = max((one.last_seq for one in manifest(data_dir) if one.last_seq < segment.first_seq), default=0)
    with JournalReader(data_dir) as reader:
        before = replay(data_dir, reader, after_seq)
        state, chain = before.state, before.chain
        rows = Rows(after_seq, _numbers(state.markets), _numbers(state.assets))
        for batch in reader.checked_batches(segment.first_seq, segment.last_seq, chain):
            for record, line in zip(batch.records, batch.lines, strict=True):
                rows.add(state, record, line)
                fold(state, record)
    return packed(rows, after_seq)


def _numbers(listed: dict[str, Any]) -> dict[str, int]:
    return {symbol: number for number, symbol in enumerate(listed)}


def unindexed(data_dir: Path) -> Segment | None:
    """The first sealed segment without an index file. Raises SegmentError, UnknownFormat."""
    return next((segment for segment in manifest(data_dir) if segment.side(KIND) is None), None)


def take_up(models: ReadModelWriter, data_dir: Path, show_life: Callable[[int, int], None]) -> None:
    """Bring read models forward over the sealed segments whose index files are there and whole, as far as they follow.

    Raises:
        JournalError: the manifest can't be read. sqlite3.Error, FilesReplaced: as `models.write`.
    """
    segments = manifest(data_dir)
    for place, segment in enumerate(segments):
        if segment.last_seq <= models.seq:
            continue
        side, path = segment.side(KIND), segment.path(data_dir, KIND)
        if models.seq != (segments[place - 1].last_seq if place else 0) or side is None or not path.exists():
            return
        content, rows = path.read_bytes(), models.rows()
        if hash_bytes(content) != side.hash:
            return
        unpack(content, rows)
        models.write(rows, bytes.fromhex(segment.sealed.chain))
        show_life(models.seq, segments[-1].last_seq)


class Indexer:
    """A process that makes one index file, seen by who started it."""

    def __init__(self, data_dir: Path, segment: Segment) -> None:
        command = [sys.executable, "-m", __name__, str(data_dir), str(segment.first_seq)]
        # In a session of its own Ctrl-C does not reach it, not even before it can ignore signals.
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)

    def ended(self) -> int | None:
        """How it ended (0: the file is there); None while it runs."""
        return self._process.poll()

    def kill(self) -> None:
        """End it if it runs."""
        self._process.kill()
        self._process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes the index file of a segment; started by the follower.")
    parser.add_argument("data", type=Path)
    parser.add_argument("first_seq", type=int)
    arguments = parser.parse_args()
    # Who stops the exchange signals all of its processes; the follower ends this one when it must.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    try:
        for segment in manifest(arguments.data):
            if segment.first_seq == arguments.first_seq:
                attach(arguments.data, segment, KIND, make(arguments.data, segment))
    except JournalError as error:
        sys.exit(f"index of segment {arguments.first_seq}: {error}")


if __name__ == "__main__":
    main()
