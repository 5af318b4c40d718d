"""A journal that is gone is no venue that was never founded."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from exchange.cli import app
from exchange.cli.exits import Exit
from exchange.cli.found import example_settings, found
from exchange.cli.settings import load
from exchange.journal.errors import JournalGone, NoJournal
from exchange.journal.layout import snapshots_dir
from exchange.journal.recovery import require_journal
from exchange.journal.segments import Sealed, entry, write_manifest


@pytest.fixture
def gone(tmp_path: Path) -> Path:
    """A founded venue's data folder without its journal."""
    settings = load(example_settings(), data=tmp_path / "data")
    assert settings.genesis is not None
    found(settings, settings.genesis)
    for path in (tmp_path / "data").glob("journal.sqlite*"):
        path.unlink()
    return tmp_path / "data"


def test_every_command_says_which_records_are_missing(gone: Path, tmp_path: Path) -> None:
    for command in (
        ["init", "--config", str(example_settings())],
        ["demo", "--config", str(example_settings()), "--no-bots"],
        ["serve"],
        ["verify"],
        ["backup", str(tmp_path / "backup")],
        ["recover"],
        ["journal", "show"],
        ["explain", "order", "10"],
        ["explain", "account", "10"],
        ["explain", "asset", "USDC"],
        ["incident", "report", "--from", "1"],
    ):
        ended = CliRunner().invoke(app, [*command, "--data", str(gone)])
        assert ended.exit_code == Exit.BEHIND_WITNESS, (command, ended.output)
        assert "the witness knows of seq 1: records 1 to 1 are missing" in ended.output, command
    assert not (gone / "journal.sqlite").exists()


def test_an_emptied_journal_and_a_snapshot_without_one_are_the_same(gone: Path) -> None:
    (gone / "journal.sqlite").touch()
    with pytest.raises(JournalGone, match="1 to 1"):
        require_journal(gone)
    shutil.rmtree(gone / "witness")
    with pytest.raises(NoJournal):
        require_journal(gone)
    snapshots_dir(gone).mkdir()
    (snapshots_dir(gone) / "57.json").touch()
    with pytest.raises(JournalGone, match="a snapshot knows of seq 57"):
        require_journal(gone)


def test_a_sealed_segment_knows_too(gone: Path) -> None:
    shutil.rmtree(gone / "witness")
    write_manifest(gone, (entry(Sealed(1, 500, 1, 2, 0, "", ""), ""),))
    with pytest.raises(JournalGone, match="a sealed segment knows of seq 500"):
        require_journal(gone)


def test_a_founding_cut_short_before_its_first_record_is_done_again(tmp_path: Path) -> None:
    settings = load(example_settings(), data=tmp_path / "data", witness=tmp_path / "elsewhere")
    assert settings.genesis is not None
    found(settings, settings.genesis)
    assert (tmp_path / "elsewhere" / "witness").exists()
    require_journal(settings.data, settings.witness)
