"""A file of the data folder that is gone, cut off or written over: its name, what to do, and a code of its own."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from exchange.cli import app
from exchange.cli.exits import Exit
from exchange.journal import snapshots
from exchange.journal.layout import checkpoints_dir, journal_path
from exchange.journal.sealing import seal
from exchange.journal.segments import manifest_path
from exchange.journal.store import open_writing
from exchange.journal.verify import verify
from tests.journal.kept import keep
from tests.journal.timeline import VENUE_KEY, Timeline

#: Commands that need every record there was.
CHECKED = ["verify", "rehearse", "backup", "journal show", "serve"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Records 1 to 800 are in two segments and no more in the database; 801 to 1,300 are."""
    timeline = Timeline()
    timeline.trade(800)
    keep(tmp_path / "data", timeline)
    snapshots.write(tmp_path / "data", timeline.state, timeline.chain)
    timeline.trade(500)
    keep(tmp_path / "data", timeline)
    seal(tmp_path / "data", 400, 400)
    journal = open_writing(tmp_path / "data")
    journal.drop_sealed(800, 1_000)
    journal.close()
    return tmp_path / "data"


def ended(command: str, data: Path) -> tuple[int, str]:
    where = "--journal" if command == "rehearse" else "--data"
    target = [str(data.parent / "backup")] if command == "backup" else []
    done = CliRunner().invoke(app, [*command.split(), *target, where, str(data)])
    return done.exit_code, done.output


def gone(path: Path) -> None:
    path.unlink()


def without_the_last_line(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def within_a_line(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-60])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("harm", [gone, without_the_last_line, within_a_line, emptied])
@pytest.mark.parametrize("command", CHECKED)
def test_the_manifest_of_segments(data: Path, harm: Callable[[Path], None], command: str) -> None:
    harm(manifest_path(data))
    code, output = ended(command, data)
    assert code == Exit.JOURNAL_DAMAGED, output
    assert str(manifest_path(data)) in output
    assert "bring it back from the newest backup" in output


def cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def cut_in_its_head(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50])


def written_over(path: Path) -> None:
    path.write_bytes(b"this is no database, and never was\n" * 1_000)


@pytest.mark.parametrize("harm", [cut_in_half, cut_in_its_head, written_over])
@pytest.mark.parametrize("command", CHECKED)
def test_the_database(data: Path, harm: Callable[[Path], None], command: str) -> None:
    harm(journal_path(data))
    code, output = ended(command, data)
    assert code == Exit.JOURNAL_DAMAGED, output
    assert f"{journal_path(data)} is damaged" in output
    assert "exchange restore a backup into a new folder" in output


@pytest.mark.parametrize("command", CHECKED)
def test_a_journal_without_a_record_is_no_damaged_one(tmp_path: Path, command: str) -> None:
    (tmp_path / "data").mkdir()
    journal_path(tmp_path / "data").touch()
    code, output = ended(command, tmp_path / "data")
    assert code == Exit.NOT_FOUNDED, output
    assert "has no first record: the venue was not founded" in output
    open_writing(tmp_path / "data").close()
    assert ended(command, tmp_path / "data") == (code, output)


@pytest.mark.parametrize("ending", [".json", ".signed.json"])
def test_a_checkpoint(data: Path, ending: str) -> None:
    seq = verify(data, key=VENUE_KEY).checkpoint_seq
    path = checkpoints_dir(data) / f"{seq}{ending}"
    path.unlink()
    if ending == ".signed.json":
        path.mkdir()
    code, output = ended("verify", data)
    assert code == Exit.JOURNAL_DAMAGED
    assert f"checkpoint {seq} can't be read: " in output
    assert "verify from an older one or from genesis" in output
