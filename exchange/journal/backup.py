"""Backup of a running exchange, and its restoration.

A backup is a folder: the database as of one moment, the sealed segments, snapshots, checkpoints and the witness, and
`backup.json` with the hash of every file. It is read back and checked, record by record, before it counts. It holds no
keys: those are kept apart. Read models are made again from the journal.

What was recorded after a backup is not in it, and nobody there can tell that it ever was: a restored folder carries a
marker until a start has seen to it that the venue does not open by itself.
"""

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Final

import msgspec

from exchange.journal import segments, snapshots
from exchange.journal.errors import BackupError, JournalError, SnapshotDamaged, UnknownFormat
from exchange.journal.formats import release, require_format
from exchange.journal.layout import (
    checkpoints_dir,
    copy_whole,
    hash_file,
    journal_path,
    restored_path,
    segments_dir,
    snapshots_dir,
    sync_dir,
    whole_file,
    witness_path,
)
from exchange.journal.privacy import make_folder, private_folder, refuse_links_in
from exchange.journal.recovery import Progress
from exchange.journal.store import JournalReader
from exchange.values.record import GENESIS_CHAIN

FORMAT: Final = 1
_STATEMENT: Final = "backup.json"


class File(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file of the backup: `hash` is BLAKE2b-256 in hex."""

    path: str
    file_bytes: int
    hash: str


class Backup(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a backup holds: the journal with identity `genesis` up to `seq` with `chain` (hex)."""

    format: int
    build: str
    genesis: str
    seq: int
    chain: str
    made_us: int
    files: tuple[File, ...]


class Restored(msgspec.Struct, frozen=True):
    """The marker in a restored data folder: the backup ends at record `seq`."""

    format: int
    seq: int


def backup(
    data_dir: Path, target: Path, *, witness_dir: Path | None = None, progress: Progress | None = None
) -> Backup:
    """Copy a journal, also while its exchange runs, into a new or empty folder, and check the copy.

    Raises:
        NoJournal, BackupError: `target` is not empty, or the copy is not whole.
        NotPrivate: others can replace what is in `target`.
        SegmentError: a segment or the manifest is away or damaged. DatabaseDamaged
    """
    _require_empty(target)
    private_folder(target)
    # The witness first: it must not have seen more than the copy of the journal holds.
    if witness_path(data_dir, witness_dir).exists():
        copy_whole(witness_path(data_dir, witness_dir), witness_path(target))
    with JournalReader(data_dir) as reader:
        reader.require_sealed()
        try:
            reader.copy_to(journal_path(target))
        except sqlite3.Error as error:
            raise BackupError(f"the database can't be copied: {error}") from error
    # Rows leave the database only for segments, so those are copied after it.
    held = segments.manifest(data_dir)
    for segment in held:
        segments.require_whole(segment, segment.home(data_dir))
        for kind in segment.files():
            path = segment.path(data_dir, kind)
            copy_whole(path, segments_dir(target) / path.name)
    if held:
        segments.write_manifest(target, tuple(msgspec.structs.replace(segment, folder="") for segment in held))
    with JournalReader(target) as reader:
        seq, chain = reader.last()
        genesis = reader.genesis()
    _copy_states(data_dir, target, seq)
    files = tuple(_file(target, path) for path in _paths(target))
    statement = Backup(FORMAT, release(), genesis, seq, chain.hex(), time.time_ns() // 1000, files)
    with whole_file(target / _STATEMENT) as file:
        file.write(msgspec.json.format(msgspec.json.encode(statement)) + b"\n")
    sync_dir(target)
    check(target, progress)
    return statement


def check(folder: Path, progress: Progress | None = None) -> Backup:
    """Check a backup: every file by its hash, every record by the chain, segments and snapshots by their own.

    Raises:
        BackupError, UnknownFormat. NotPrivate: there is a link in it.
    """
    if not is_backup(folder):
        raise BackupError(f"there is no {_STATEMENT} in {folder}: it is no backup, or one that was never finished")
    refuse_links_in(folder)
    try:
        content = (folder / _STATEMENT).read_bytes()
        require_format(folder / _STATEMENT, content, FORMAT)
        statement = msgspec.json.decode(content, type=Backup)
    except (OSError, msgspec.MsgspecError) as error:
        raise BackupError(f"{folder} holds no whole backup: {error}") from error
    for file in statement.files:
        path = folder / file.path
        if ".." in path.parts or PurePath(file.path).is_absolute():
            raise BackupError(f"the backup in {folder} names a file outside of it: {file.path}")
        if not path.exists() or (path.stat().st_size, hash_file(path)) != (file.file_bytes, file.hash):
            raise BackupError(f"{file.path} is missing from the backup, or not what was written")
    chain = GENESIS_CHAIN
    try:
        with JournalReader(folder) as reader:
            seq = 0
            for batch in reader.checked_batches(1, statement.seq, chain):
                chain, seq = batch.chain, batch.records[-1].seq
                if progress is not None:
                    progress(seq, statement.seq)
        for segment in segments.manifest(folder):
            segments.require_whole(segment, segment.home(folder))
        for path in snapshots.newest_first(folder):
            snapshots.read(path)
    except JournalError as error:
        raise BackupError(f"the backup in {folder} is not whole: {error}") from error
    if (seq, chain.hex()) != (statement.seq, statement.chain):
        raise BackupError(f"the backup in {folder} ends at seq {seq}, not as stated at {statement.seq}")
    return statement


def is_backup(folder: Path) -> bool:
    """Whether a folder is a backup itself, not what was made of one by `restore`."""
    return os.path.lexists(folder / _STATEMENT)


def restore(
    folder: Path, data_dir: Path, *, witness_dir: Path | None = None, progress: Progress | None = None
) -> Backup:
    """Put a backup into a new or empty data folder; the backup is checked first.

    A witness that is in `witness_dir` already stays: if it has seen more than the backup holds, the start will be
    refused and name what is missing. Keys have to be put back by hand. The marker that is left (`restored_seq`) keeps
    the venue from opening by itself.

    Raises:
        BackupError: the backup is not whole, or `data_dir` is not empty. NotPrivate: there is a link in the backup.
    """
    _require_empty(data_dir)
    statement = check(folder, progress)
    draft = data_dir.with_name(data_dir.name + ".restoring")
    shutil.rmtree(draft, ignore_errors=True)
    for file in statement.files:
        path = folder / file.path
        if path == witness_path(folder):
            if not witness_path(data_dir, witness_dir).exists():
                copy_whole(path, witness_path(draft) if witness_dir is None else witness_path(data_dir, witness_dir))
        else:
            copy_whole(path, draft / file.path)
    with whole_file(restored_path(draft)) as marker:
        marker.write(msgspec.json.encode(Restored(FORMAT, statement.seq)) + b"\n")
    make_folder(data_dir)
    os.replace(draft, data_dir)
    sync_dir(data_dir.parent)
    return statement


def restored_seq(data_dir: Path) -> int | None:
    """Up to which record the backup went that was put here and not started since; None: no such thing was.

    Raises:
        BackupError, UnknownFormat: there is a marker that can't be read.
    """
    path = restored_path(data_dir)
    try:
        content = path.read_bytes()
        require_format(path, content, FORMAT)
        return msgspec.json.decode(content, type=Restored).seq
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise BackupError(
            f"{path}, which says up to which record this restored journal goes, can't be read: {error};"
            " restore the backup into a new folder again"
        ) from error


def started(data_dir: Path) -> None:
    """Take the marker away, once it is on record that the venue does not open by itself."""
    restored_path(data_dir).unlink(missing_ok=True)
    sync_dir(data_dir)


def _copy_states(data_dir: Path, target: Path, up_to_seq: int) -> None:
    """Copy snapshots and checkpoints that the copied journal reaches; damaged ones stay behind."""
    for path in snapshots.newest_first(data_dir):
        if int(path.stem) <= up_to_seq:
            try:
                snapshots.read(path)
            except (SnapshotDamaged, UnknownFormat):
                continue
            copy_whole(path, snapshots_dir(target) / path.name)
    for path in checkpoints_dir(data_dir).glob("*.json"):
        if int(path.name.partition(".")[0]) <= up_to_seq:
            copy_whole(path, checkpoints_dir(target) / path.name)


def _require_empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BackupError(f"{folder} is not empty")


def _paths(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != _STATEMENT)


def _file(folder: Path, path: Path) -> File:
    return File(str(path.relative_to(folder)), path.stat().st_size, hash_file(path))
