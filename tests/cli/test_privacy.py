"""Nobody else on the machine reads the exchange's files or stops it through them, and no link is followed."""

import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from exchange.cli.exits import Exit
from exchange.cli.found import example_settings
from exchange.journal.errors import NotPrivate
from exchange.journal.layout import whole_file, witness_path
from exchange.journal.privacy import keep_private, make_folder
from exchange.journal.store import JournalReader, open_writing
from exchange.journal.writer import locked
from exchange.runtime.follower.read_models.schema import open_for_writing
from tests.server import Server

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")

#: Run as another user: what it can read, lock or put in place; nothing is as it should be.
_TRY = """
import fcntl, os, sys
os.setgid({nobody}); os.setuid({nobody})
for path in sys.argv[1:]:
    try:
        os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(1)
        print("read", path)
    except PermissionError:
        pass
    try:
        fcntl.lockf(open(path, "rb"), fcntl.LOCK_SH | fcntl.LOCK_NB)
        print("locked", path)
    except (PermissionError, IsADirectoryError):
        pass
"""


def exchange(*arguments: str | Path, umask: int = -1) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "exchange.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, umask=umask)


def wide(folder: Path) -> list[Path]:
    """What group or others may touch in any way."""
    return [path for path in (folder, *folder.rglob("*")) if stat.S_IMODE(path.lstat().st_mode) & 0o077]


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that everybody may look into, as /var/lib is."""
    folder = Path(tempfile.mkdtemp(prefix="exchange-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("founded")
    ended = exchange("init", "--config", example_settings(), "--data", folder / "data")
    assert ended.returncode == Exit.OK, ended.stderr
    return folder / "data"


@pytest.fixture
def founded(template: Path, tmp_path: Path) -> Path:
    """The data folder of a venue that was founded and never ran."""
    return Path(shutil.copytree(template, tmp_path / "data"))


def test_whoever_starts_it_with_a_wide_umask_opens_nothing_to_others(public: Path) -> None:
    server = Server(public / "data", {"EXCHANGE_WITNESS": str(public / "elsewhere" / "witness")})
    before = os.umask(0)
    try:
        server.start()
        assert {"journal.sqlite-wal", "journal.sqlite-shm", "read.sqlite-wal"} <= {
            p.name for p in server.data.iterdir()
        }
        assert not wide(server.data)
        if os.geteuid() == 0:
            paths = [str(server.data), *map(str, server.data.rglob("*")), str(public / "elsewhere")]
            tried = [sys.executable, "-c", _TRY.format(nobody=NOBODY), *paths]
            assert subprocess.run(tried, capture_output=True, text=True, timeout=60, check=True).stdout == ""
        os.environ |= server.settings
        made = exchange("backup", public / "backup", "--data", server.data)
        assert made.returncode == Exit.OK, made.stderr
        assert server.stop() == Exit.OK
        assert exchange("verify", "--sign", "--data", server.data).returncode == Exit.OK
        reported = exchange("incident", "report", "--data", server.data, "--out", public / "elsewhere")
        assert reported.returncode == Exit.OK, reported.stderr
        assert exchange("restore", public / "backup", "--data", public / "again").returncode == Exit.OK
    finally:
        os.umask(before)
        os.environ.pop("EXCHANGE_WITNESS", None)
        if server.process is not None and server.process.poll() is None:
            server.kill()
    made_by_us = [server.data, public / "backup", public / "again", public / "elsewhere"]
    assert not [path for folder in made_by_us for path in wide(folder)]


def private(data: Path) -> list[Path]:
    return keep_private(data, witness_path(data))


def test_what_was_open_to_others_is_narrowed_and_said_once(founded: Path) -> None:
    for path in (founded, *founded.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert "files_were_open_to_others" in exchange("recover", "--data", founded).stderr
    assert not wide(founded)
    assert private(founded) == []


def test_a_start_refuses_a_link_and_leaves_what_it_points_at_alone(founded: Path, tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"somebody's")
    (founded / "journal.lock").unlink()
    (founded / "journal.lock").symlink_to(tmp_path / "target")
    ended = exchange("serve", "--data", founded)
    assert ended.returncode == Exit.NOT_PRIVATE, ended.stderr
    assert "journal.lock is a symbolic link" in ended.stderr
    assert (tmp_path / "target").read_bytes() == b"somebody's"
    with pytest.raises(NotPrivate), locked(founded):  # nor does the writer, if the link comes later
        pass
    assert (tmp_path / "target").read_bytes() == b"somebody's"


@pytest.mark.parametrize(
    "name",
    ["journal.sqlite", "journal.sqlite-wal", "read.sqlite", "segments", "witness/witness", "keys/venue.json", "x"],
)
def test_no_link_in_the_data_folder_is_followed(founded: Path, tmp_path: Path, name: str) -> None:
    target = tmp_path / "target"
    if (founded / name).exists():
        shutil.move(founded / name, target)
    (founded / name).symlink_to(target)
    with pytest.raises(NotPrivate, match=f"{name} is a symbolic link"):
        private(founded)
    if name.startswith("journal"):
        with pytest.raises(NotPrivate):
            JournalReader(founded)
        with pytest.raises(NotPrivate):
            open_writing(founded)


def test_the_data_folder_itself_may_be_a_link(founded: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(founded)
    assert private(tmp_path / "link") == []


@as_root
def test_what_belongs_to_somebody_else_is_refused_with_the_command_that_helps(founded: Path) -> None:
    os.chown(founded / "journal.sqlite", NOBODY, NOBODY)
    with pytest.raises(NotPrivate) as refused:
        private(founded)
    command = re.search(r"chown -R \d+ \S+", str(refused.value))
    assert command is not None, refused.value
    subprocess.run(command[0].split(), check=True)
    private(founded)


def test_a_folder_above_that_everybody_may_write_to_is_refused(founded: Path) -> None:
    founded.parent.chmod(0o777)
    with pytest.raises(NotPrivate, match=f"chmod o-w {founded.parent}"):
        private(founded)
    founded.parent.chmod(0o1777)
    private(founded)


def test_a_file_is_private_whatever_the_mask_and_what_a_killed_process_left(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "report.json"
    before = os.umask(0)
    try:
        make_folder(path.parent)
        path.with_name("report.json.tmp").touch(0o666)
        with whole_file(path):
            assert not wide(tmp_path / "new")
    finally:
        os.umask(before)
    assert not wide(tmp_path / "new")


def test_a_database_is_made_private_before_it_holds_anything(founded: Path) -> None:
    """The files beside it take its mode, whatever the mask of the process is."""
    before = os.umask(0)
    try:
        open_for_writing(founded / "read.sqlite").close()
        with sqlite3.connect(founded / "read.sqlite") as models:
            models.execute("UPDATE progress SET seq = 0")
            assert not wide(founded)
    finally:
        os.umask(before)
