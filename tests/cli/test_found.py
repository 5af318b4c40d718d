"""Founding a venue, and keys."""

import subprocess
import sys
from pathlib import Path

import pytest

from exchange.cli.exits import Exit
from exchange.cli.keys import read_key
from exchange.journal.store import JournalReader
from exchange.values.enums import Role
from exchange.values.process.commands import Genesis


def exchange(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "exchange.cli", *arguments], cwd=folder, capture_output=True, text=True, timeout=30
    )


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """A folder with the example's settings file."""
    (tmp_path / "exchange.toml").write_text(exchange(tmp_path, "init", "--example").stdout)
    return tmp_path


def test_the_first_record_founds_the_venue_with_its_first_admin(settings: Path) -> None:
    ended = exchange(settings, "init")
    assert ended.returncode == Exit.OK, ended.stderr
    with JournalReader(settings / "data") as journal:
        (record,) = journal.records()
    assert isinstance(record.command, Genesis)
    (admin,) = record.command.admins
    assert admin.public_key == read_key(settings / "data/keys/admin.json").api_key
    assert set(admin.roles) == set(Role)
    assert record.command.venue_public_key == read_key(settings / "data/keys/venue.json").api_key
    assert [market.spec.symbol for market in record.command.markets] == ["SOL_USDC", "BTC_USDC", "ETH_USDC"]


def test_a_venue_is_founded_once(settings: Path) -> None:
    assert exchange(settings, "init").returncode == Exit.OK
    again = exchange(settings, "init")
    assert again.returncode == Exit.USAGE
    assert "already" in again.stderr


def test_nothing_is_founded_without_listings_or_on_inexact_ones(settings: Path) -> None:
    assert exchange(settings, "init", "--config", "nowhere.toml").returncode == Exit.USAGE
    (settings / "bare.toml").write_text("http_port = 1")
    assert "genesis" in exchange(settings, "init", "--config", "bare.toml").stderr
    inexact = (settings / "exchange.toml").read_text().replace('tick = "0.1"', 'tick = "0.01"')
    (settings / "inexact.toml").write_text(inexact)
    ended = exchange(settings, "init", "--config", "inexact.toml")
    assert ended.returncode == Exit.USAGE
    assert "BTC_USDC: tick x step" in ended.stderr
    assert not (settings / "data" / "journal.sqlite").exists()


def test_a_key_is_never_written_over(tmp_path: Path) -> None:
    made = exchange(tmp_path, "keygen", "key.json", "--name", "erin")
    assert made.stdout.strip() == read_key(tmp_path / "key.json").api_key
    assert read_key(tmp_path / "key.json").name == "erin"
    assert (tmp_path / "key.json").stat().st_mode & 0o777 == 0o600
    assert exchange(tmp_path, "keygen", "key.json").returncode == Exit.USAGE
    assert made.stdout.strip() == read_key(tmp_path / "key.json").api_key
