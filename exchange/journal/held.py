"""The files the writer has open must be the ones that bear their names.

A file that was removed, replaced or moved away can be written and synced for as long as it is open, and is gone with
the process: so the writer looks after each sync, before it acknowledges. A look costs some microseconds.
"""

import os
from pathlib import Path

from exchange.journal.errors import FilesReplaced, LogGone
from exchange.journal.layout import journal_path, lock_path


class HeldFile:
    """A file that is open under a name."""

    def __init__(self, path: Path, descriptor: int | None = None) -> None:
        """`descriptor` is the open file, where we have it: otherwise the name is believed once. Raises OSError.

        `identity` is its device and inode.
        """
        self.path = path.absolute()
        self._text = str(self.path)
        found = os.stat(self._text) if descriptor is None else os.fstat(descriptor)
        self.identity = (found.st_dev, found.st_ino)

    def look(self) -> os.stat_result:
        """What the name leads to.

        Raises:
            FilesReplaced: not to the file that is open.
        """
        try:
            found = os.stat(self._text)
        except OSError as error:
            raise FilesReplaced(f"{self.path} is gone while the exchange runs: {error.strerror}") from error
        if (found.st_dev, found.st_ino) != self.identity:
            raise FilesReplaced(f"{self.path} was replaced by another file while the exchange runs")
        return found


class HeldJournal:
    """The journal's lock and its database, with the files SQLite keeps beside it."""

    def __init__(self, data_dir: Path, lock: int) -> None:
        """To be made when the database is open. `lock` is the descriptor of the lock. Raises OSError."""
        database = journal_path(data_dir)
        self._lock = HeldFile(lock_path(data_dir), lock)
        self._database = HeldFile(database)
        self._log = HeldFile(database.with_name(database.name + "-wal"))
        self._index = HeldFile(database.with_name(database.name + "-shm"))
        self._log_bytes = 0
        self.moved()

    def moved(self) -> None:
        """To be called when we have written into the database itself: nobody else may. Raises FilesReplaced."""
        found = self._database.look()
        self._database_as_left = (found.st_mtime_ns, found.st_size)

    def require(self) -> None:
        """
        Raises:
            FilesReplaced: what was just synced may be gone with this process, and must not be acknowledged.
            LogGone: the same, but the database is still in its place, and can take up what the log held.
        """
        self._lock.look()
        found = self._database.look()
        if (found.st_mtime_ns, found.st_size) != self._database_as_left:
            raise FilesReplaced(f"another program has written to {self._database.path} while the exchange runs")
        self.require_log()
        self._index.look()

    def require_log(self) -> None:
        """The same of the log alone. To be called before it is written, since one that was cut grows again by that."""
        try:
            log_bytes = self._log.look().st_size
        except FilesReplaced as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise LogGone(str(error)) from error
            raise
        if log_bytes < self._log_bytes:
            raise FilesReplaced(f"another program has cut {self._log.path} while the exchange runs")
        self._log_bytes = log_bytes
