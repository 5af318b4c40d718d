"""Where things lie in a data folder, and how a file is put there so that a crash leaves the old one or the new one."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

from exchange.journal.privacy import FILE_MODE, make_folder, open_private


def journal_path(data_dir: Path) -> Path:
    return data_dir / "journal.sqlite"


def lock_path(data_dir: Path) -> Path:
    return data_dir / "journal.lock"


def segments_dir(data_dir: Path) -> Path:
    return data_dir / "segments"


def snapshots_dir(data_dir: Path) -> Path:
    return data_dir / "snapshots"


def checkpoints_dir(data_dir: Path) -> Path:
    return data_dir / "checkpoints"


def witness_path(data_dir: Path, witness_dir: Path | None = None) -> Path:
    """The witness does its work when `witness_dir` is on other storage than the journal."""
    return (witness_dir or data_dir / "witness") / "witness"


def restored_path(data_dir: Path) -> Path:
    """The marker that a backup was put here and has not been started since (`backup.Restored`)."""
    return data_dir / "restored.json"


def sync_dir(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file durably and for its owner alone: after a crash there is the old one or the new one, never a part."""
    make_folder(path.parent)
    draft = path.with_name(path.name + ".tmp")
    with open(open_private(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC), "w+b") as file:
        os.fchmod(file.fileno(), FILE_MODE)  # a draft of a process that was killed may have been wider
        yield file
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
    sync_dir(path.parent)


def copy_whole(source: Path, target: Path) -> None:
    """Copy a file durably."""
    with open(source, "rb") as original, whole_file(target) as copy:
        shutil.copyfileobj(original, copy)


def hash_bytes(content: bytes) -> str:
    """BLAKE2b-256 in hex."""
    return blake2b(content, digest_size=32).hexdigest()


def hash_file(path: Path) -> str:
    """The same of a file's content."""
    hashed = blake2b(digest_size=32)
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            hashed.update(chunk)
    return hashed.hexdigest()
