"""`exchange verify`, `backup`, `restore`, `journal show` and `journal archive`, as a person calls them."""

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from exchange.cli.exits import Exit
from exchange.journal.layout import journal_path
from exchange.journal.sealing import seal
from tests.server import Server


def exchange(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "exchange.cli", *arguments], capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def running(fresh_server: Callable[..., Server]) -> Server:
    return fresh_server()


def opening_of(server: Server, name: str) -> tuple[str, str]:
    """The seq of the record that opened an account, and the account's id."""
    shown = exchange("journal", "show", "--data", str(server.data)).stdout
    found = re.search(rf"#(\d+) .* OpenAccount .*label={name}\n +AccountOpened account=(\d+)", shown)
    assert found is not None
    return found[1], found[2]


def test_a_running_exchange_is_verified_and_a_stopped_one(running: Server) -> None:
    assert exchange("verify", "--data", str(running.data)).returncode == Exit.OK
    assert running.stop() == Exit.OK
    ended = exchange("verify", "--data", str(running.data), "--sign", "--json")
    assert ended.returncode == Exit.OK, ended.stderr
    report = json.loads(ended.stdout)
    assert report["ok"]
    assert report["snapshot_seqs"]  # a stop in order leaves one
    again = json.loads(exchange("verify", "--data", str(running.data), "--json").stdout)
    assert again["from_seq"] == report["to_seq"]


def test_damage_is_named_by_its_record(running: Server) -> None:
    assert running.stop() == Exit.OK
    opening = opening_of(running, "alice")
    with sqlite3.connect(journal_path(running.data)) as journal:
        journal.execute("UPDATE batches SET lines = CAST(replace(lines, 'alice', 'malic') AS BLOB)")
    ended = exchange("verify", "--data", str(running.data))
    assert ended.returncode == Exit.JOURNAL_DAMAGED
    assert f"First bad seq: {opening[0]}\n" in ended.stdout


def test_a_backup_of_a_running_exchange_starts_elsewhere(running: Server, tmp_path: Path) -> None:
    made = exchange("backup", str(tmp_path / "backup"), "--data", str(running.data))
    assert made.returncode == Exit.OK, made.stderr
    restored = exchange("restore", str(tmp_path / "backup"), "--data", str(tmp_path / "elsewhere"))
    assert restored.returncode == Exit.OK, restored.stderr
    assert exchange("verify", "--data", str(tmp_path / "elsewhere")).returncode == Exit.OK
    # What a backup doesn't hold, its owner puts back by hand.
    shutil.copytree(running.data / "keys", tmp_path / "elsewhere" / "keys")
    shutil.copy(running.data / "demo-accounts.json", tmp_path / "elsewhere")
    elsewhere = Server(tmp_path / "elsewhere")
    elsewhere.start()
    assert elsewhere.stop() == Exit.OK


def test_a_backup_never_goes_over_something(running: Server, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    assert exchange("backup", str(tmp_path / "taken"), "--data", str(running.data)).returncode == Exit.BACKUP_FAILED
    assert exchange("restore", str(tmp_path / "taken"), "--data", str(running.data)).returncode == Exit.BACKUP_FAILED


def test_records_are_shown_by_seq_account_and_order(running: Server) -> None:
    shown = exchange("journal", "show", "--data", str(running.data), "--from", "1", "--to", "1").stdout
    assert "Genesis" in shown
    assert "#2 " not in shown
    _, account = opening_of(running, "alice")
    of_alice = exchange("journal", "show", "--data", str(running.data), "--account", account).stdout
    assert "AccountOpened" in of_alice
    assert "Genesis" not in of_alice
    kept = exchange("journal", "show", "--data", str(running.data), "--account", account, "--json").stdout
    assert json.loads(kept.splitlines()[0])["command"]["type"] == "OpenAccount"
    assert exchange("journal", "show", "--data", str(running.data / "nowhere")).returncode == Exit.NOT_FOUNDED


def test_old_records_move_to_an_archive_under_a_running_exchange(running: Server, tmp_path: Path) -> None:
    assert len(seal(running.data, 10, 0)) > 3
    data = ("--data", str(running.data))
    moved = exchange("journal", "archive", str(tmp_path / "archive"), "--up-to", "25", *data)
    assert moved.returncode == Exit.OK, moved.stderr
    assert "Records 1 to 20 are in" in moved.stdout
    assert "there already" in exchange("journal", "archive", str(tmp_path / "archive"), "--up-to", "25", *data).stdout
    assert exchange("verify", "--from-genesis", *data).returncode == Exit.OK
    (tmp_path / "a file").touch()
    for folder in (tmp_path / "a file", tmp_path / "a file" / "below"):
        refused = exchange("journal", "archive", str(folder), "--up-to", "30", *data)
        assert refused.returncode != Exit.OK
        assert "Traceback" not in refused.stderr
    (tmp_path / "archive").rename(tmp_path / "away")
    away = exchange("verify", "--from-genesis", *data)
    assert away.returncode == Exit.JOURNAL_DAMAGED
    assert "bring it back" in away.stdout
