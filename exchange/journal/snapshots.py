"""Snapshots: the whole state at one seq in a file, so that a start folds only what came after.

`<data>/snapshots/<seq>.json`: a header in one line of JSON, then the state (`core.snapshot`). A snapshot is
never the only place of anything: a damaged one is reported and the one before it, or genesis, taken instead.
"""

from hashlib import blake2b
from pathlib import Path
from typing import Final

import msgspec

from exchange.core import State
from exchange.core.digest import digest
from exchange.core.snapshot import SnapshotError, dump
from exchange.core.snapshot import load as load_state
from exchange.journal.errors import SnapshotDamaged, UnknownFormat
from exchange.journal.layout import snapshots_dir, whole_file

FORMAT: Final = 1
#: Snapshots kept; older ones are deleted when a new one is written.
KEPT_SNAPSHOTS: Final = 5


class Header(msgspec.Struct, frozen=True):
    """`chain` (hex) is the journal's value after record `seq`; `hash` (BLAKE2b-256, hex) covers header and state."""

    format: int
    seq: int
    time_us: int
    chain: str
    digest: str
    build: str
    state_bytes: int
    hash: str = ""


def write(data_dir: Path, state: State, chain: bytes, *, folder: Path | None = None) -> Path:
    """Write the snapshot of a state whose last record has chain value `chain`, and delete the oldest ones.

    `folder` is for a snapshot that is kept apart from those.
    """
    content = dump(state)
    header = Header(FORMAT, state.seq, state.time_us, chain.hex(), digest(state), state.build, state_bytes=len(content))
    header = msgspec.structs.replace(header, hash=_hash(header, content))
    path = (folder or snapshots_dir(data_dir)) / f"{state.seq}.json"
    with whole_file(path) as file:
        file.write(msgspec.json.encode(header) + b"\n")
        file.write(content)
    for old in newest_first(data_dir)[KEPT_SNAPSHOTS:]:
        old.unlink()
    return path


def newest_first(data_dir: Path) -> list[Path]:
    """The snapshot files there are, good or not."""
    paths = [path for path in snapshots_dir(data_dir).glob("*.json") if path.stem.isdigit()]
    return sorted(paths, key=lambda path: int(path.stem), reverse=True)


def load(path: Path) -> tuple[Header, State]:
    """Read a snapshot and check it against its own hash.

    Raises:
        SnapshotDamaged, UnknownFormat
    """
    header, content = read(path)
    try:
        return header, load_state(content)
    except SnapshotError as error:
        raise SnapshotDamaged(f"snapshot {path.name} can't be loaded: {error}") from error


def read(path: Path) -> tuple[Header, bytes]:
    """The header and the state's bytes, checked against the hash.

    Raises:
        SnapshotDamaged, UnknownFormat
    """
    try:
        line, _, content = path.read_bytes().partition(b"\n")
        header = msgspec.json.decode(line, type=Header)
    except (OSError, msgspec.MsgspecError) as error:
        raise SnapshotDamaged(f"snapshot {path.name} can't be read: {error}") from error
    if header.format != FORMAT:
        raise UnknownFormat(path, header.format, FORMAT)
    if len(content) != header.state_bytes or header.hash != _hash(header, content):
        raise SnapshotDamaged(f"snapshot {path.name} is not what was written: its hash differs")
    return header, content


def _hash(header: Header, content: bytes) -> str:
    hashed = blake2b(msgspec.json.encode(msgspec.structs.replace(header, hash="")), digest_size=32)
    hashed.update(content)
    return hashed.hexdigest()
