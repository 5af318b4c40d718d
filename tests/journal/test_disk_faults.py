"""The real journal code, writer loop included, on a disk that fails at every single step.

`kill -9` proves little: the page cache survives it. Here the power goes with whatever was not synced, whole
or in part, and disks refuse writes and syncs. What was acknowledged must be there, whole, every time.
"""

import itertools
import os
import random
import shutil
import socket
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import apsw
import pytest

from exchange.journal import frames, witness, writer
from exchange.journal.layout import journal_path, witness_path
from exchange.journal.store import Journal, JournalReader, open_writing
from tests.journal.disk import Connection, Disk
from tests.journal.records import bodies

#: Records in each commit; the log is moved into the database after every few of them.
COMMITS = (1, 3, 30, 1, 2, 60, 5, 1)
CHECKPOINT_BYTES = 8_000
_numbers = itertools.count()
_fdatasync = os.fdatasync


class Rig:
    """A data folder whose journal lies on a failing disk, and the writer that serves it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.data.mkdir(parents=True)
        self.disk = Disk(f"disk {next(_numbers)}")
        self.acknowledged = 0
        #: Processes end by being killed: nothing is closed.
        self.killed = True
        self._connections: list[apsw.Connection] = []
        self._witness_synced = b""

        def watched(file: int) -> None:
            _fdatasync(file)
            self._witness_synced = witness_path(self.data).read_bytes()

        monkeypatch.setattr(writer, "open_writing", self._open)
        monkeypatch.setattr(writer, "_CHECKPOINT_BYTES", CHECKPOINT_BYTES)
        monkeypatch.setattr(os, "fdatasync", watched)

    def _open(self, data_dir: Path) -> Journal:
        try:
            connection = apsw.Connection(str(journal_path(data_dir)), vfs=self.disk.name)
        except apsw.Error as error:
            raise sqlite3.OperationalError(str(error)) from error
        self._connections.append(connection)
        journal = Journal(Connection(connection, sqlite3.OperationalError, lasting=self.killed))
        self.disk.sync_folder()
        return journal

    def work(self, commits: tuple[int, ...]) -> str:
        """Run a writer over some commits, each sent after the last one's acknowledgement; returns how it failed."""
        core, theirs = socket.socketpair()
        thread = threading.Thread(target=self._run, args=(theirs,))
        thread.start()
        with core, core.makefile("rb") as replies:
            kind, payload = read_reply(replies)
            if kind == frames.STARTED:
                next_seq = frames.END.unpack(payload)[0] + 1
                assert next_seq > self.acknowledged
                for count in commits:
                    records = b"\n".join(bodies(next_seq, count))
                    with suppress(ConnectionError):  # it failed at work after the last acknowledgement
                        core.sendall(frames.BATCH.pack(len(records), next_seq) + records)
                    kind, payload = read_reply(replies)
                    if kind != frames.DURABLE:
                        break
                    next_seq += count
                    self.acknowledged = frames.END.unpack(payload)[0]
                    assert self.acknowledged == next_seq - 1
            core.shutdown(socket.SHUT_WR)
            thread.join()
            if kind == frames.DURABLE:
                kind, payload = read_reply(replies)
        return payload.decode() if kind == frames.FAILED else ""

    def _run(self, core: socket.socket) -> None:
        with core:
            writer.run(core, self.data, witness_path(self.data))

    def leave_seen(self) -> None:
        """The process was killed without closing anything: the next one finds the files as they are seen now."""
        seen = self.folder / "seen"
        self.data.rename(seen)
        shutil.copytree(seen, self.data, ignore=shutil.ignore_patterns("*-shm"))

    def end(self) -> None:
        """Let go of what killed processes had open; nothing of it may reach the disk."""
        self.disk.fail("power")
        for connection in self._connections:
            with suppress(apsw.Error):
                connection.close()

    def require_everything_after_power_loss(self, survives: random.Random | None) -> None:
        """What is found after a power loss holds every acknowledged record, can be started, and goes on."""
        found = self.folder / f"found {next(_numbers)}"
        self.disk.image(found, survives)
        self._image_witness(found, survives)
        require_whole(found, self.acknowledged)
        shutil.rmtree(found)

    def _image_witness(self, found: Path, survives: random.Random | None) -> None:
        source = witness_path(self.data)
        if not source.exists():
            return
        content = bytearray(self._witness_synced)
        if survives is not None:
            seen = source.read_bytes()
            for start in range(0, len(seen), 512):
                if survives.random() < 0.5:
                    content[start : start + 512] = seen[start : start + 512]
        witness_path(found).parent.mkdir()
        witness_path(found).write_bytes(content)


def read_reply(replies: BinaryIO) -> tuple[int, bytes]:
    try:
        head = replies.read(frames.REPLY.size)
    except ConnectionError:
        head = b""
    if len(head) < frames.REPLY.size:
        return 0, b""
    kind, length = frames.REPLY.unpack(head)
    return kind, replies.read(length)


def require_whole(data_dir: Path, acknowledged: int) -> None:
    journal = open_writing(data_dir)
    assert journal.last_seq >= acknowledged
    with JournalReader(data_dir) as reader:
        assert [line[:-76] + b"}" for line in reader.lines()] == bodies(1, journal.last_seq)
        witness.require_agreement(witness_path(data_dir), reader, accept_missing=True)
        journal.append(journal.last_seq + 1, bodies(journal.last_seq + 1, 2))
        assert len(list(reader.records())) == journal.last_seq


def steps_of_a_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a run without faults does to its disk."""
    rig = Rig(folder, monkeypatch)
    assert rig.work(COMMITS) == ""
    assert rig.acknowledged == sum(COMMITS)
    rig.require_everything_after_power_loss(None)
    rig.end()
    return rig.disk.log


def power_fails(folder: Path, monkeypatch: pytest.MonkeyPatch, at: int, chances: int) -> None:
    """The power fails at step `at`; of what was not synced nothing survives, then several times some of it."""
    monkeypatch.setattr(witness, "SYNC_INTERVAL_S", float(at % 2))  # synced each time, or lagging behind
    rig = Rig(folder, monkeypatch)
    rig.disk.fail_at, rig.disk.failure = at, "power"
    failure = rig.work(COMMITS)
    assert failure or rig.acknowledged == sum(COMMITS)
    rig.require_everything_after_power_loss(None)
    for seed in range(chances):
        rig.require_everything_after_power_loss(random.Random(1_000 * at + seed))
    rig.end()


def disk_refuses(folder: Path, monkeypatch: pytest.MonkeyPatch, at: int, failure: str) -> None:
    """From step `at` on the disk refuses; the process ends in order, or is killed; one after it writes on; then
    the power fails."""
    for killed in (False, True):
        rig = Rig(folder / str(killed), monkeypatch)
        rig.disk.fail_at, rig.disk.failure, rig.killed = at, failure, killed
        reported = rig.work(COMMITS)
        assert reported or rig.acknowledged == sum(COMMITS) or not rig.disk.failed
        rig.require_everything_after_power_loss(random.Random(at))
        rig.disk.repair()
        if killed:
            rig.leave_seen()
        for commits in ((2,), COMMITS):
            before = rig.acknowledged
            assert rig.work(commits) == ""
            assert rig.acknowledged >= before + sum(commits)
            rig.require_everything_after_power_loss(None)
        rig.end()


def test_without_faults_everything_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = steps_of_a_run(tmp_path / "run", monkeypatch)
    assert {"create", "write", "sync", "truncate", "delete"} <= set(log)
    require_whole(tmp_path / "run" / "data", sum(COMMITS))


def test_the_power_fails_at_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for at in range(1, len(steps_of_a_run(tmp_path / "run", monkeypatch)) + 1):
        power_fails(tmp_path / str(at), monkeypatch, at, chances=1)


@pytest.mark.torture
def test_the_power_fails_at_every_step_in_many_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for at in range(1, len(steps_of_a_run(tmp_path / "run", monkeypatch)) + 1):
        power_fails(tmp_path / str(at), monkeypatch, at, chances=50)
        shutil.rmtree(tmp_path / str(at))


REFUSALS = ["full", "write error", "sync error", "truncate error"]


def steps_of_kind(log: list[str], failure: str) -> list[int]:
    kind = "write" if failure == "full" else failure.split()[0]
    return [step for step, done in enumerate(log, 1) if done == kind]


@pytest.mark.parametrize("failure", REFUSALS)
def test_the_disk_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: str) -> None:
    steps = steps_of_kind(steps_of_a_run(tmp_path / "run", monkeypatch), failure)
    for at in steps[:: len(steps) // 12 + 1]:
        disk_refuses(tmp_path / str(at), monkeypatch, at, failure)


@pytest.mark.torture
@pytest.mark.parametrize("failure", REFUSALS)
def test_the_disk_refuses_at_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: str) -> None:
    for at in steps_of_kind(steps_of_a_run(tmp_path / "run", monkeypatch), failure):
        disk_refuses(tmp_path / str(at), monkeypatch, at, failure)
        shutil.rmtree(tmp_path / str(at))
