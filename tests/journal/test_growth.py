"""What the journal writes can grow: a build with a new field reads what this one wrote, and the other way round."""

import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from exchange.journal import checkpoint, segments, snapshots
from exchange.journal.backup import check as check_backup
from exchange.journal.errors import (
    CheckpointRefused,
    JournalError,
    SegmentError,
    SnapshotDamaged,
    UnknownFormat,
    UnknownRecord,
)
from exchange.journal.layout import journal_path, witness_path
from exchange.journal.recovery import recover
from exchange.journal.sealing import archive
from exchange.journal.store import JournalReader, open_writing
from exchange.journal.verify import verify
from exchange.journal.witness import read as read_witness
from tests.journal.folder import check, make
from tests.next_build import FIELD, UNUSED, USED, patched_build, run

#: Where a newer build's field is passed over, and carried in the bytes.
CARRIED = {
    "values/record.py": ("Record", "Signed"),
    "journal/formats.py": ("Maker",),
    "journal/segments.py": ("Sealed",),
    "journal/blocks.py": ("Table", "Block"),
    "journal/snapshots.py": ("Header", "_Line"),
    "journal/checkpoint.py": ("Checkpoint", "_File"),
    "journal/witness.py": ("Seen", "_Slot"),
    "journal/backup.py": ("Backup", "File"),
}
#: Where it is refused, since this build writes these anew.
REFUSED = {"journal/segments.py": ("_Line", "Side")}


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder this build made; not to be changed."""
    folder = tmp_path_factory.mktemp("ours")
    make(folder)
    return folder


@pytest.fixture
def mine(ours: Path, tmp_path: Path) -> Path:
    """One to be changed."""
    return shutil.copytree(ours, tmp_path / "mine")


def contents(folder: Path) -> dict[str, object]:
    """All bytes of a folder but those that tell when it was made."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.name == "backup.json":
            found[name] = {**msgspec.json.decode(path.read_bytes()), "made_us": 0}
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


def test_a_new_field_that_nobody_used_changes_no_byte_and_opens_both_ways(ours: Path, tmp_path: Path) -> None:
    everywhere = {name: (*structs, *REFUSED.get(name, ())) for name, structs in CARRIED.items()}
    build = patched_build(tmp_path / "build", everywhere, UNUSED)
    theirs = tmp_path / "theirs"
    for arguments in (("make", str(theirs)), ("check", str(ours))):
        ended = run(build, "tests.journal.folder", *arguments)
        assert not ended.returncode, ended.stderr
    check(theirs)
    assert contents(theirs) == contents(ours)


def test_a_field_in_use_is_carried_under_its_hash_link_chain_or_signature(tmp_path: Path) -> None:
    """Also when this build writes the file anew."""
    build, folder = patched_build(tmp_path / "build", CARRIED, USED), tmp_path / "theirs"
    ended = run(build, "tests.journal.folder", "make", str(folder))
    assert not ended.returncode, ended.stderr
    check(folder)
    lines = segments.manifest_path(folder / "data").read_bytes().splitlines()
    assert all(FIELD.encode() in line for line in lines)
    archive(folder / "data", tmp_path / "archive", 60)
    again = segments.manifest_path(folder / "data").read_bytes().splitlines()
    assert [msgspec.json.decode(line)["sealed"][FIELD] for line in again[1:]] == [7, 7]
    assert verify(folder / "data", from_genesis=True).ok
    for name in ("checkpoints/*.signed.json", "snapshots/*.json", "witness/witness", "segments/*.blocks"):
        for path in (folder / "data").glob(name):
            assert FIELD.encode() in path.read_bytes().partition(b"\n")[0], path


@pytest.mark.parametrize("struct", ["_Line", "Side"])
def test_a_field_in_use_where_this_build_would_lose_it_is_refused_with_who_wrote_it(
    tmp_path: Path, struct: str
) -> None:
    structs = {name: [one for one in wanted if one == struct] for name, wanted in REFUSED.items()}
    build, folder = patched_build(tmp_path / "build", structs, USED), tmp_path / "theirs"
    ended = run(build, "tests.journal.folder", "make", str(folder))
    assert not ended.returncode, ended.stderr
    with pytest.raises(SegmentError, match=rf"written by build 0\.1\.0, can't be read: .*{FIELD}"):
        segments.manifest(folder / "data")


def newer(path: Path) -> None:
    """Make a file one of the next format, by the build "next"."""
    content = path.read_bytes()
    changed = re.sub(rb'"format": ?1', b'"format":2', content, count=1)
    changed = re.sub(rb'"build": ?"[^"]*"', b'"build":"next"', changed, count=1)
    path.write_bytes(changed)


def newest_checkpoint(data: Path) -> object:
    with JournalReader(data) as reader:
        return checkpoint.newest(data, reader.genesis())


@pytest.mark.parametrize(
    ("name", "read", "error"),
    [
        ("snapshots/*.json", lambda data: snapshots.load(*snapshots.newest_first(data)), UnknownFormat),
        ("checkpoints/*.signed.json", newest_checkpoint, CheckpointRefused),
        ("segments/manifest.jsonl", segments.manifest, UnknownFormat),
        ("../backup/backup.json", lambda data: check_backup(data.parent / "backup"), UnknownFormat),
    ],
)
def test_a_file_of_a_newer_format_names_its_build(
    mine: Path, name: str, read: Callable[[Path], object], error: type[JournalError]
) -> None:
    data = mine / "data"
    newer(next(data.glob(name)) if "*" in name else data / name)
    with pytest.raises(error, match="has format 2, written by build next; this build reads format 1"):
        read(data)


def test_a_journal_and_a_witness_of_a_newer_format_name_their_build(mine: Path) -> None:
    data = mine / "data"
    with sqlite3.connect(journal_path(data)) as connection:
        connection.execute("UPDATE meta SET value = '2' WHERE key = 'format'")
        connection.execute("UPDATE meta SET value = 'next' WHERE key = 'build'")
    with pytest.raises(UnknownFormat, match="has format '2', written by build next"):
        JournalReader(data)
    assert read_witness(witness_path(data)) is not None


def beyond(data: Path, *said: tuple[bytes, bytes]) -> int:
    """Records at the journal's end, in one row, of their commands and events; returns the last one's seq."""
    journal = open_writing(data)
    first_seq = journal.last_seq + 1
    bodies = [
        b'{"seq":%d,"time_us":%d,"command":%b,"events":%b}' % (seq, 2 * 10**15, command, events)
        for seq, (command, events) in enumerate(said, first_seq)
    ]
    journal.append(first_seq, bodies)
    journal.close()
    return first_seq + len(said) - 1


STOP = b'{"type":"StopProcess","reason":"x"}'


@pytest.mark.parametrize(
    ("command", "events", "what"),
    [
        (b'{"type":"FromTheNextBuild","a":1}', b"[]", "FromTheNextBuild"),
        (b'{"type":"StopProcess","reason":"x","%b":1}' % FIELD.encode(), b"[]", FIELD),
        (STOP, b'[{"type":"FromTheNextBuild"}]', "FromTheNextBuild"),
        (STOP, b'[{"type":"ProcessStopped","reason":"x","%b":1}]' % FIELD.encode(), FIELD),
    ],
)
@pytest.mark.parametrize("start", ["in the database", "sealed"])
def test_a_record_of_a_newer_build_names_it(mine: Path, command: bytes, events: bytes, what: str, start: str) -> None:
    data = mine / "data"
    if start == "sealed":
        seq = beyond(data, (command, events))
    else:
        started = b'{"type":"ProcessStarted","build":"build 2","recovered_seq":1,"clean":true}'
        start_process = b'{"type":"StartProcess","build":"build 2","clean":true}'
        later = start_process.replace(b"build 2", b"build 3"), b"[%b]" % started.replace(b"build 2", b"build 3")
        seq = beyond(data, (start_process, b"[%b]" % started), (command, events), later)
        seq -= 1
    with pytest.raises(UnknownRecord, match=f"record {seq}, written by build .*{what}") as caught:
        recover(data, accept_missing_witness=True, now_us=None)
    assert caught.value.build == ("build 1" if start == "sealed" else "build 2")
    report = verify(data)
    assert report.first_bad_seq == seq
    assert "written by build" in report.text()


def test_a_state_this_build_cannot_load_names_the_build_it_is_of(mine: Path) -> None:
    data = mine / "data"
    (path,) = snapshots.newest_first(data)
    header = msgspec.json.decode(path.read_bytes().partition(b"\n")[0])["header"] | {"build": "next", "state_bytes": 7}
    raw = msgspec.json.encode(header)
    path.write_bytes(b'{"header":%b,"hash":"%b"}\nbeyond\n' % (raw, snapshots._hash(raw, b"beyond\n").encode()))
    with pytest.raises(SnapshotDamaged, match="made by build next, can't be loaded"):
        snapshots.load(path)


def test_a_loss_that_a_newer_build_has_declared_is_none_of_ours_to_find_missing(mine: Path) -> None:
    data = mine / "data"
    journal = open_writing(data)
    lost_from, seq = journal.last_seq + 1, journal.last_seq + 10
    command = b'{"type":"AcceptLoss","first_admin":11,"second_admin":12,"lost_to_seq":%d,"witness_chain":"00","%b":1}'
    event = b'{"type":"EpochStarted","epoch":2,"lost_from_seq":%d,"lost_to_seq":%d,"counters":[],"%b":1}'
    said = (command % (seq - 1, FIELD.encode()), event % (lost_from, seq - 1, FIELD.encode()))
    journal.append(seq, [b'{"seq":%d,"time_us":%d,"command":%b,"events":[%b]}' % (seq, 2 * 10**15, *said)])
    journal.close()
    with JournalReader(data) as reader:
        assert (reader.next_seq(lost_from - 1), reader.before(seq)) == (seq, lost_from - 1)
    with pytest.raises(UnknownRecord, match=f"record {seq}, written by build build 1.*{FIELD}"):
        recover(data, accept_missing_witness=True, now_us=None)
