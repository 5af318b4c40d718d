"""What operators get wrong is told in a sentence and changes nothing: no traceback, whatever the command."""

import os
import sys
from pathlib import Path

import pytest

from exchange import cli
from exchange.cli.exits import Exit
from exchange.cli.found import example_settings, found
from exchange.cli.settings import load
from exchange.journal import backup
from exchange.journal.errors import NotPrivate

HUGE = "9" * 23


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A founded venue's data folder."""
    folder = tmp_path / "data"
    settings = load(example_settings(), data=folder)
    assert settings.genesis is not None
    found(settings, settings.genesis)
    monkeypatch.setenv("EXCHANGE_DATA", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


def files_in(data: Path) -> list[Path]:
    """Without those that come and go as SQLite reads."""
    return sorted(path for path in data.rglob("*") if not path.name.endswith(("-wal", "-shm")))


def ended(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit code of the command as a shell starts it. What it doesn't catch comes out of here."""
    monkeypatch.setattr(sys, "argv", ["exchange", *arguments])
    mask = os.umask(0o022)
    try:
        with pytest.raises(SystemExit) as end:
            cli.main()
    finally:
        os.umask(mask)
    return int(end.value.code or 0)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["backup", "/proc/x"], Exit.USAGE, "/proc/x: No such file"),
        (["keygen", "/proc/x/key.json"], Exit.USAGE, "/proc/x: No such file"),
        (["incident", "report", "--from", "1", "--out", "/proc/x"], Exit.USAGE, "can't write the report"),
        (["journal", "show", "--from", HUGE], Exit.USAGE, "--from"),
        (["journal", "show", "--last", HUGE], Exit.USAGE, "--last"),
        (["journal", "show", "--account", HUGE], Exit.USAGE, "--account"),
        (["journal", "show", "--from", "-1"], Exit.USAGE, "--from"),
        (["journal", "show", "--from", "100"], Exit.USAGE, "the last record is 1: there is none from 100 on"),
        (["journal", "show", "--from", "2"], Exit.USAGE, "the last record is 1: there is none from 2 on"),
        (["journal", "show", "--from", "10", "--to", "5"], Exit.USAGE, "there are no records from 10 to 5"),
        (["explain", "order", HUGE], Exit.USAGE, ""),
        (["explain", "account", HUGE], Exit.USAGE, ""),
        (["explain", "asset", "\x1b[31m"], Exit.USAGE, ""),
        (["admin", "mode", "OFFLINE", "--reason", "\udcff\udcfe"], Exit.USAGE, "is not text in UTF-8"),
        (["verify", "--config", "/proc/none"], Exit.USAGE, "there is no settings file"),
    ],
)
def test_it_is_told_and_nothing_else(
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: Exit,
    said: str,
) -> None:
    before = files_in(data)
    assert ended(monkeypatch, *arguments) == code
    shown = "".join(capsys.readouterr())
    assert said in shown
    assert "Traceback" not in shown
    assert "pydantic" not in shown
    assert files_in(data) == before


def test_a_backup_and_a_report_are_nobody_elses_to_replace(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = tmp_path / "ours"
    ours.mkdir()
    ours.chmod(0o777)
    assert ended(monkeypatch, "backup", str(ours)) == Exit.OK
    assert ours.stat().st_mode & 0o777 == 0o700
    opened = tmp_path / "opened"
    opened.mkdir()
    opened.chmod(0o777)
    assert ended(monkeypatch, "backup", str(opened / "backup")) == Exit.NOT_PRIVATE
    assert ended(monkeypatch, "incident", "report", "--from", "1", "--out", str(opened)) == Exit.NOT_PRIVATE
    assert "chmod o-w" in capsys.readouterr().err
    assert not [path for path in opened.rglob("*") if path.is_file()]
    assert (
        ended(monkeypatch, "incident", "report", "--from", "1", "--out", str(tmp_path / "new" / "reports")) == Exit.OK
    )
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_a_backup_goes_into_no_folder_of_somebody_else(data: Path, tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give a folder away")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    os.chown(theirs, 65534, 65534)
    with pytest.raises(NotPrivate, match="chown"):
        backup.backup(data, theirs)


@pytest.mark.parametrize(
    "command",
    [
        ["verify"],
        ["journal", "show"],
        ["explain", "asset", "USDC"],
        ["backup", "b"],
        ["incident", "report", "--from", "1"],
    ],
)
def test_no_command_reads_through_a_link(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    (tmp_path / "elsewhere").write_bytes(b"")
    (data / "read.sqlite").symlink_to(tmp_path / "elsewhere")
    assert ended(monkeypatch, *command) == Exit.NOT_PRIVATE
