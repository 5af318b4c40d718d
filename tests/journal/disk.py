"""A disk that loses, tears or refuses what was not synced, under the real SQLite.

An SQLite VFS around the operating system's. Every write goes through to real files (what processes see: the page
cache) and is followed here by sectors (what the platter holds): a sector is dirty from its write until a sync. At a
chosen step the power fails, or the disk refuses. `image` then makes what is found after power comes back.
"""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apsw

SECTOR = 512


class _Sectors:
    """One file: what processes see, what is durable, and which sectors differ because nobody synced them."""

    def __init__(self) -> None:
        self.seen = bytearray()
        self.durable = bytearray()
        self.dirty: set[int] = set()
        #: Its name is in the folder for good.
        self.named = False

    def write(self, data: bytes, offset: int) -> None:
        self.seen.extend(bytes(max(0, offset + len(data) - len(self.seen))))
        self.seen[offset : offset + len(data)] = data
        self.dirty.update(range(offset // SECTOR, (offset + len(data) - 1) // SECTOR + 1))

    def truncate(self, size: int) -> None:
        del self.seen[size:]
        self.dirty.update(range(size // SECTOR, len(self.durable) // SECTOR + 1))

    def sync(self) -> None:
        for sector in self.dirty:
            self._persist(self.durable, sector)
        del self.durable[len(self.seen) :]
        self.dirty.clear()

    def forget(self) -> None:
        """A failed sync as kernels do it: the pages are clean now, though they never reached the disk."""
        self.dirty.clear()

    def after_power_loss(self, survives: random.Random | None) -> bytes:
        """What was synced, and of the dirty sectors those that chance let through (None: none)."""
        found = bytearray(self.durable)
        if survives is not None:
            for sector in sorted(self.dirty):
                if survives.random() < 0.5:
                    self._persist(found, sector)
        return bytes(found)

    def _persist(self, onto: bytearray, sector: int) -> None:
        start = sector * SECTOR
        data = self.seen[start : start + SECTOR]
        if data:
            onto.extend(bytes(max(0, start + len(data) - len(onto))))
            onto[start : start + len(data)] = data


class Disk(apsw.VFS):
    """The VFS. Steps are its writes, truncations, syncs, creations and deletions, counted from 1."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "")
        self.name = name
        self.files: dict[str, _Sectors] = {}
        self.steps = 0
        self.log: list[str] = []
        #: Step at which to fail, and how: "power", "full", "write error", "sync error".
        self.fail_at = 0
        self.failure = ""
        self.failed = False
        self._deleted: dict[str, _Sectors] = {}

    def xOpen(self, name: Any, flags: list[int]) -> "_File":
        return _File(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self.step("delete")
        super().xDelete(filename, syncdir)
        name = Path(filename).name
        self._deleted[name] = self.files.pop(name)
        if syncdir:
            self.sync_folder()

    def sync_folder(self) -> None:
        self._deleted.clear()
        for file in self.files.values():
            file.named = True

    def step(self, kind: str) -> None:
        """Raises apsw's error if the disk fails at this step, or has failed for good."""
        self.steps += 1
        self.log.append(kind)
        if self.steps == self.fail_at:
            self.failed = True
        if not self.failed:
            return
        if self.failure == "power":
            raise apsw.IOError("no power")
        if self.failure == "full" and kind == "write":
            raise apsw.FullError("no space left")
        if self.failure == f"{kind} error":
            raise apsw.IOError("the disk does not answer")

    def fail(self, failure: str) -> None:
        self.failed, self.failure = True, failure

    def repair(self) -> None:
        self.fail_at = 0
        self.failed = False

    def image(self, folder: Path, survives: random.Random | None) -> None:
        """Write what is found after a power loss now; `survives` decides on what was not synced."""
        folder.mkdir(parents=True)
        for name, file in (self._deleted | self.files).items():
            gone = name in self._deleted and (survives is None or survives.random() < 0.5)
            unnamed = not file.named and (survives is None or survives.random() < 0.5)
            if not gone and not unnamed:
                (folder / name).write_bytes(file.after_power_loss(survives))


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        path = Path(name.filename() if isinstance(name, apsw.URIFilename) else name)
        self._disk = disk
        if path.name not in disk.files:
            disk.step("create")
            disk.files[path.name] = _Sectors()
        self._sectors = disk.files[path.name]
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        self._disk.step("write")
        super().xWrite(data, offset)
        self._sectors.write(data, offset)

    def xTruncate(self, newsize: int) -> None:
        self._disk.step("truncate")
        super().xTruncate(newsize)
        self._sectors.truncate(newsize)

    def xSync(self, flags: int) -> None:
        try:
            self._disk.step("sync")
        except apsw.IOError:
            if self._disk.failure == "sync error":
                self._sectors.forget()
            raise
        self._sectors.sync()
        if not self._sectors.named:  # SQLite syncs the folder with the first sync of a log
            self._disk.sync_folder()


class Connection:
    """An apsw connection that raises what the standard library's does; a kill leaves a `lasting` one open."""

    def __init__(self, connection: apsw.Connection, error: type[Exception], lasting: bool) -> None:
        self._connection = connection
        self._error = error
        self._lasting = lasting

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        try:
            return list(self._connection.execute(sql, parameters))
        except apsw.Error as error:
            raise self._error(str(error)) from error

    def close(self) -> None:
        if self._lasting:
            return
        try:
            self._connection.close()
        except apsw.Error as error:
            raise self._error(str(error)) from error
