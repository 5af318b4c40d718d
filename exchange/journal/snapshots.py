"""Snapshots: the whole state at one seq in a file, so that a start folds only what came after.

`<data>/snapshots/<seq>.json`: a line of JSON with header and hash, then the state (`core.snapshot`). A snapshot is
never the only place of anything: a damaged one is reported and the one before it, or genesis, taken instead.
The newest few are kept there; beside each sealed segment lies the one of its end, packed, as long as the segment does.

The hash covers the header's bytes as they are kept: a newer build's field in it is passed over, and does no harm.
"""

import gzip
import zlib
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Final

import msgspec

from exchange.core import State
from exchange.core.digest import digest
from exchange.core.snapshot import SnapshotError, dump
from exchange.core.snapshot import load as load_state
from exchange.journal.errors import SegmentError, SnapshotDamaged, UnknownFormat
from exchange.journal.formats import require_format
from exchange.journal.layout import snapshots_dir, whole_file
from exchange.journal.segments import manifest

FORMAT: Final = 1
#: Snapshots kept; older ones are deleted when a new one is written.
KEPT_SNAPSHOTS: Final = 5
#: The kind of side file a segment's snapshot is.
KIND: Final = "snapshot.gz"
_GZIP_LEVEL: Final = 2


class Header(msgspec.Struct, frozen=True, omit_defaults=True):
    """`chain` (hex) is the journal's value after record `seq`, `digest` (hex) the state's, made by `build`."""

    format: int
    seq: int
    time_us: int
    chain: str
    digest: str
    build: str
    state_bytes: int


class _Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """The first line: `hash` (BLAKE2b-256, hex) covers the header as it stands there, and the state."""

    header: msgspec.Raw
    hash: str


def write(data_dir: Path, state: State, chain: bytes, *, folder: Path | None = None) -> Path:
    """Write the snapshot of a state whose last record has chain value `chain`, and delete the oldest ones.

    `folder` is for a snapshot that is kept apart from those.
    """
    path = (folder or snapshots_dir(data_dir)) / f"{state.seq}.json"
    with whole_file(path) as file:
        file.writelines(_parts(state, chain))
    for old in newest_first(data_dir)[KEPT_SNAPSHOTS:]:
        old.unlink()
    return path


def packed(state: State, chain: bytes) -> bytes:
    """The same content for a file beside a segment: `zcat` shows it."""
    return gzip.compress(b"".join(_parts(state, chain)), _GZIP_LEVEL, mtime=0)


def _parts(state: State, chain: bytes) -> tuple[bytes, bytes]:
    content = dump(state)
    header = msgspec.json.encode(
        Header(FORMAT, state.seq, state.time_us, chain.hex(), digest(state), state.build, state_bytes=len(content))
    )
    return msgspec.json.encode(_Line(msgspec.Raw(header), _hash(header, content))) + b"\n", content


def newest_first(data_dir: Path) -> list[Path]:
    """The snapshot files in their own folder, good or not."""
    paths = [path for path in snapshots_dir(data_dir).glob("*.json") if path.stem.isdigit()]
    return sorted(paths, key=lambda path: int(path.stem), reverse=True)


def all_there(data_dir: Path) -> list[tuple[int, Path]]:
    """The seq and the file of every snapshot there is, newest first, good or not: those beside segments too.

    Of two of one seq the one beside the segment comes last. Those in an archive that is away are left out, and all
    beside segments if the manifest can't be read: who reads records is told.
    """
    found = [(int(path.stem), path) for path in newest_first(data_dir)]
    with suppress(SegmentError, UnknownFormat):
        for segment in manifest(data_dir):
            path = segment.path(data_dir, KIND)
            if segment.side(KIND) and path.exists():
                found.append((segment.last_seq, path))
    return sorted(found, key=lambda one: one[0], reverse=True)


def load(path: Path) -> tuple[Header, State]:
    """Read a snapshot and check it against its own hash.

    Raises:
        SnapshotDamaged, UnknownFormat
    """
    header, content = read(path)
    try:
        return header, load_state(content)
    except SnapshotError as error:
        raise SnapshotDamaged(
            f"snapshot {path.name}, made by build {header.build}, can't be loaded: {error}"
        ) from error


def read(path: Path) -> tuple[Header, bytes]:
    """The header and the state's bytes, checked against the hash.

    Raises:
        SnapshotDamaged, UnknownFormat
    """
    try:
        held = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        first, _, content = held.partition(b"\n")
        line = msgspec.json.decode(first, type=_Line)
        require_format(path, line.header, FORMAT)
        header = msgspec.json.decode(line.header, type=Header)
    except FileNotFoundError as error:
        raise SnapshotDamaged(f"snapshot {path.name} is missing from {path.parent}") from error
    except (OSError, EOFError, zlib.error, msgspec.MsgspecError) as error:
        raise SnapshotDamaged(f"snapshot {path.name} can't be read: {error}") from error
    if len(content) != header.state_bytes or line.hash != _hash(line.header, content):
        raise SnapshotDamaged(f"snapshot {path.name} is not what was written: its hash differs")
    return header, content


def _hash(header: msgspec.Raw | bytes, content: bytes) -> str:
    hashed = blake2b(header, digest_size=32)
    hashed.update(content)
    return hashed.hexdigest()
