"""Nothing is acknowledged onto files that are gone from under the writer."""

import shutil
import socket
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from exchange.journal import frames, writer
from exchange.journal.layout import journal_path, lock_path, witness_path
from exchange.journal.store import JournalReader
from tests.journal.live import started
from tests.journal.records import bodies
from tests.journal.test_disk_faults import read_reply


def log_path(data: Path) -> Path:
    return data / "journal.sqlite-wal"


def replaced(path: Path) -> None:
    """By a copy of itself, under the same name."""
    shutil.copy(path, path.with_name("copy"))
    path.with_name("copy").rename(path)


def overwritten(path: Path) -> None:
    """In place, with what it held: the file stays the same one."""
    path.write_bytes(path.read_bytes())


def cut(path: Path) -> None:
    path.write_bytes(b"")


def folder_moved(data: Path) -> None:
    data.rename(data.with_name("moved"))


def folder_copied(data: Path) -> None:
    data.rename(data.with_name("moved"))
    shutil.copytree(data.with_name("moved"), data)


HARMS: dict[str, Callable[[Path], None]] = {
    "database removed": lambda data: journal_path(data).unlink(),
    "database replaced by a copy": lambda data: replaced(journal_path(data)),
    "database written over": lambda data: overwritten(journal_path(data)),
    "log removed": lambda data: log_path(data).unlink(),
    "log replaced by a copy": lambda data: replaced(log_path(data)),
    "log cut": lambda data: cut(log_path(data)),
    "log's index removed": lambda data: (data / "journal.sqlite-shm").unlink(),
    "lock removed": lambda data: lock_path(data).unlink(),
    "lock replaced": lambda data: replaced(lock_path(data)),
    "witness removed": lambda data: witness_path(data).unlink(),
    "witness replaced by a copy": lambda data: replaced(witness_path(data)),
    "witness written over": lambda data: overwritten(witness_path(data)),
    "witness cut": lambda data: cut(witness_path(data)),
    "witness's folder moved": lambda data: folder_moved(witness_path(data).parent),
    "folder moved away": folder_moved,
    "folder replaced by a copy": folder_copied,
}


class Writing:
    """A writer's loop at work over a real journal."""

    def __init__(self, data: Path) -> None:
        self.core, theirs = socket.socketpair()
        self._replies = self.core.makefile("rb")
        self._thread = threading.Thread(target=self._run, args=(theirs, data))
        self._thread.start()
        assert read_reply(self._replies)[0] == frames.STARTED

    def _run(self, theirs: socket.socket, data: Path) -> None:
        with theirs:
            writer.run(theirs, data, witness_path(data))

    def append(self, first_seq: int, count: int) -> tuple[int, str]:
        """The writer's answer: its kind, and why it failed."""
        records = b"\n".join(bodies(first_seq, count))
        with suppress(ConnectionError):
            self.core.sendall(frames.BATCH.pack(len(records), first_seq) + records)
        return self.hear()

    def hear(self) -> tuple[int, str]:
        kind, payload = read_reply(self._replies)
        return kind, payload.decode(errors="replace") if kind == frames.FAILED else ""

    def close(self) -> None:
        self._replies.close()
        self.core.close()
        self._thread.join(20)
        assert not self._thread.is_alive()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.mark.parametrize("harm", HARMS, ids=str)
def test_after_a_file_is_gone_nothing_is_acknowledged(data: Path, harm: str) -> None:
    with closing(Writing(data)) as writing:
        for first_seq in range(1, 51, 10):
            assert writing.append(first_seq, 10) == (frames.DURABLE, "")
        HARMS[harm](data)
        kind, why = writing.append(51, 10)
        assert kind == frames.FAILED
        assert "while the exchange runs" in why


def test_without_harm_it_goes_on_through_checkpoints_and_readers(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_CHECKPOINT_BYTES", 4_000)
    with closing(Writing(data)) as writing:
        for first_seq in range(1, 501, 10):
            assert writing.append(first_seq, 10) == (frames.DURABLE, "")
            with JournalReader(data) as reader:
                assert reader.last()[0] == first_seq + 9


def test_what_was_acknowledged_outlives_a_log_that_was_removed(data: Path) -> None:
    """The log is open still, so what it held goes into the database, also while others read."""
    with closing(Writing(data)) as writing:
        assert writing.append(1, 50) == (frames.DURABLE, "")
        with JournalReader(data) as reading:
            assert reading.last()[0] == 50
            log_path(data).unlink()
            assert writing.append(51, 10)[0] == frames.FAILED
            shutil.copy(journal_path(data), data / "as-it-is.sqlite")
    with JournalReader(data) as reader:
        assert [record.seq for record in reader.records()][:50] == list(range(1, 51))
    (data / "copy").mkdir()
    (data / "as-it-is.sqlite").rename(journal_path(data / "copy"))
    with JournalReader(data / "copy") as reader:
        assert reader.last()[0] >= 50


@pytest.mark.parametrize("gone", [lock_path, witness_path, journal_path])
async def test_a_writer_with_nothing_to_write_notices_too(data: Path, gone: Callable[[Path], Path]) -> None:
    client, heard = await started(data)
    client.append(1, bodies(1, 10))
    await heard.until_durable(10)
    gone(data).unlink()
    await heard.until(lambda: bool(heard.failed))
    assert f"{gone(data).name} is gone" in heard.failed[0]
    await client.close()
