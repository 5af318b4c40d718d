"""The disk refuses from some step of sealing, attaching or archiving on: nothing is lost, and the next try does it."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exchange.journal.lines import Lines
from exchange.journal.sealing import archive, attach, seal
from exchange.journal.segments import manifest
from exchange.journal.store import JournalReader
from exchange.journal.verify import verify
from tests.journal.kept import keep
from tests.journal.timeline import Timeline

SEGMENT = 40


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with two segments and room for a third; not to be changed."""
    data = tmp_path_factory.mktemp("kept") / "data"
    timeline = Timeline()
    timeline.trade(2 * SEGMENT - timeline.state.seq)
    keep(data, timeline)
    seal(data, SEGMENT, 0)
    timeline.trade(SEGMENT)
    keep(data, timeline)
    return data


def seal_one(data: Path) -> None:
    seal(data, SEGMENT, 0)


def attach_one(data: Path) -> None:
    attach(data, manifest(data)[0], "index", b"which records touch whom")


def archive_one(data: Path) -> None:
    archive(data, data.parent / "archive", SEGMENT)


class Disk:
    """Refuses every step from the `at`th on."""

    STEPS = ("fsync", "replace", "fchmod", "unlink")

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
        self.left = at
        for name in self.STEPS:
            monkeypatch.setattr(os, name, self._failing(getattr(os, name)))

    def _failing(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def failing(*arguments: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left <= 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return step(*arguments, **named)

        return failing


@pytest.mark.parametrize("work", [seal_one, attach_one, archive_one])
def test_nothing_is_lost_and_the_next_try_does_it(kept: Path, tmp_path: Path, work: Callable[[Path], None]) -> None:
    with JournalReader(kept) as reader:
        lines = list(reader.lines())
    at = 0
    while True:
        at += 1
        data = shutil.copytree(kept, tmp_path / str(at) / "data")
        with pytest.MonkeyPatch.context() as patch:
            disk = Disk(patch, at)
            try:
                work(data)
            except OSError as error:
                assert error.errno == errno.ENOSPC  # noqa: PT017
        if disk.left > 0:
            break
        whole(data, lines)
        work(data)
        whole(data, lines)
        assert not list(data.parent.rglob("*.tmp"))
        assert len(list(data.parent.rglob("1-40.jsonl.gz"))) == 1
    assert at > 5


def whole(data: Path, lines: list[bytes]) -> None:
    with JournalReader(data) as reader:
        assert list(reader.lines()) == lines
    reading = Lines(data)
    assert reading.lines(range(1, len(lines) + 1)) == lines
    reading.close()
    report = verify(data, from_genesis=True)
    assert report.ok, report.text()
