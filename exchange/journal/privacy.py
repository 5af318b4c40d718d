"""Nobody but the exchange's own user reads its files, or stops it through them.

Folders are made with mode 0700 and files with 0600, from their first byte. What is wider at a start and is ours is
narrowed; what we can't narrow is refused with the command that does it. Inside the data folder no
symbolic link is followed: whoever could put one there would choose which file of ours is written over.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from exchange.journal.errors import NotPrivate

#: What every process of the exchange takes away from the modes of what it makes.
UMASK: Final = 0o077
FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600
#: Bits beyond those for others that no file here needs.
_SPECIAL: Final = stat.S_ISUID | stat.S_ISGID
_DATABASE_FILES: Final = ("", "-wal", "-shm", "-journal")


def make_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing, for its owner alone; one that is there stays as it is."""
    missing = []
    while not path.exists():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        with suppress(FileExistsError):
            folder.mkdir(mode=FOLDER_MODE)


def private_folder(path: Path) -> None:
    """Make a folder for its owner alone, or make the one that is there so.

    Raises:
        NotPrivate: it can't be, and by which command it can. OSError
    """
    make_folder(path)
    path = path.resolve()
    require_safe_parents(path)
    _narrow(path, [])


def open_private(path: Path, flags: int) -> int:
    """A descriptor of a file, made with mode 0600 where `flags` make one; never what a link points at.

    Raises:
        OSError. NotPrivate: there is a link in its place.
    """
    try:
        return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _a_link(path) from error
        raise


def refuse_links(database: Path) -> None:
    """To be asked before SQLite opens a database, since it follows links.

    Raises:
        NotPrivate: the file, or one that SQLite keeps beside it, is a link.
    """
    for ending in _DATABASE_FILES:
        path = database.with_name(database.name + ending)
        if path.is_symlink():
            raise _a_link(path)


def prepare_database(database: Path) -> None:
    """Make an empty file for SQLite to fill; those that it keeps beside a database take over its mode.

    Raises:
        OSError, NotPrivate
    """
    refuse_links(database)
    os.close(open_private(database, os.O_RDWR | os.O_CREAT))


def keep_private(data_dir: Path, witness: Path) -> list[Path]:
    """Narrow all that lies in a data folder, and the witness with its folder, to their owner; returns what was wider.

    The data folder itself may be a link: that is the operator's word.

    Raises:
        NotPrivate: it can't be made private, and by which command it can. OSError
    """
    narrowed: list[Path] = []
    if data_dir.exists():
        data_dir = data_dir.resolve()
        require_safe_parents(data_dir)
        for path in _tree(data_dir):
            _narrow(path, narrowed)
    if witness.parent.exists():
        folder = witness.parent.resolve()
        require_safe_parents(folder)
        for path in (folder, folder / witness.name):
            _narrow(path, narrowed)
    return narrowed


def refuse_links_in(data_dir: Path) -> None:
    """To be asked before a data folder is read. Raises NotPrivate: there is a link in it."""
    for path in _tree(data_dir.resolve()):
        if path.is_symlink():
            raise _a_link(path)


def _tree(folder: Path) -> Iterator[Path]:
    """A folder and everything in it, without following a link; files that go meanwhile are passed over."""
    yield folder
    with suppress(FileNotFoundError, PermissionError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _tree(Path(entry.path))
            else:
                yield Path(entry.path)


def _narrow(path: Path, narrowed: list[Path]) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISLNK(found.st_mode):
        raise _a_link(path)
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        raise NotPrivate(f"{path} is neither a file nor a folder; nothing of the kind belongs there: rm {path}")
    wide = stat.S_IMODE(found.st_mode) & (UMASK | _SPECIAL)
    if found.st_uid == os.geteuid():
        if wide:
            path.chmod(stat.S_IMODE(found.st_mode) & ~wide)
            narrowed.append(path)
    elif wide or found.st_uid != 0:  # what root keeps to itself (lost+found) is nobody's way in
        raise NotPrivate(
            f"{path} belongs to user {found.st_uid}, and this is user {os.geteuid()}: run it as that user, or"
            f" chown -R {os.geteuid()} {path}"
        )


def require_safe_parents(path: Path) -> None:
    """Who may write to a folder above what is ours can put something else in its place. Raises NotPrivate."""
    for parent in path.parents:
        mode = parent.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise NotPrivate(f"everybody may write to {parent}, and so replace {path}: chmod o-w {parent}")


def _a_link(path: Path) -> NotPrivate:
    return NotPrivate(
        f"{path} is a symbolic link, and the exchange follows none inside its data folder:"
        " put what it points at in its place"
    )
