"""The recipe of CONTRIBUTING leads to a subject that every check takes, in few places; a step left out is named."""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.recipe.steps import ADMIN, EDITS, FIELD, MONEY, NEW, PLACES, TRADER, add_files, copy, edit

#: In how many places one more of each is written down at most. Of an admin's command three more are its proofs: a
#: probe, a power, a row of the runbook.
AT_MOST = {TRADER: 10, ADMIN: 5 + 3, MONEY: 6, FIELD: 2}


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source with the subject in it."""
    target = tmp_path_factory.mktemp("source")
    copy(target)
    add_files(target)
    edit(target, EDITS)
    return target


def checked(source: Path, *asked: str) -> subprocess.CompletedProcess[str]:
    """Tests of the copy, on the copy."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", *asked]
    environment = {**os.environ, "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"}
    return subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, timeout=120)


def test_the_subject_passes_what_is_asked_of_every_subject(copied: Path) -> None:
    done = checked(
        copied,
        "tests/core/notes",
        "tests/core/test_probes.py",
        "tests/core/test_texts.py",
        "tests/checks/test_rows.py",
        "tests/checks/test_images.py",
        "tests/core/test_snapshot.py",
        "tests/checks/test_websocket_page.py",
        "tests/properties/test_laws.py::test_events_name_every_account_they_change",
        "tests/properties/test_laws.py::test_postings_say_what_evolve_does",
        "tests/properties/test_laws.py::test_a_snapshot_goes_on_as_if_never_taken",
        "tests/gateway/rest/test_admin_api.py::test_every_admin_command_has_its_path_and_its_example",
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("of", PLACES)
def test_one_more_is_written_down_in_few_places(copied: Path, of: str) -> None:
    places = PLACES[of]
    assert len(set(places)) <= AT_MOST[of]
    assert {each.path for each in EDITS if each.of == of} <= set(places)
    for place in places:
        assert (copied / place).exists()
    written = {str(path.relative_to(NEW))[: -len(".txt")] for path in NEW.rglob("*.txt")} | {e.path for e in EDITS}
    assert set(places) <= written


def without(source: Path, path: str, text: str) -> None:
    file = source / path
    assert file.read_text().count(text) == 1, (path, text)
    file.write_text(file.read_text().replace(text, ""))


def forgotten(source: Path) -> Iterable[tuple[str, str]]:
    """Leaves steps out, each with the test that names it and the name."""
    rows, probes = "exchange/core/notes/rows.py", "tests/core/notes/probes.py"
    without(source, rows, "    CommandRow(RemoveNote, decide.remove_note, Admin(Role.SUPPORT)),\n")
    yield "test_every_command_has_its_row", "RemoveNote"
    without(source, rows, "    EventRow(NoteRemoved, evolve.note_removed, Words.ROUTINE, accounts=its_account),\n")
    yield "test_every_event_has_its_row", "NoteRemoved"
    without(source, rows, ", legs.note_left")
    yield "test_an_event_with_an_amount_in_it_says_what_it_moves[NoteLeft]", "legs in the event's row"
    yield "test_an_event_that_names_an_account_says_whom_it_touches[NoteLeft]", "accounts in the event's row"
    without(
        source,
        probes,
        '    Probe(LeaveNote, _leave_any, _leave, lambda s: _leave(s, "NONE"), Code.INSUFFICIENT_FUNDS),\n',
    )
    yield "test_every_command_has_a_probe", "LeaveNote"
    without(
        source,
        "docs/websocket.md",
        '{"id":9,"method":"note.leave","params":{"text":"Back on Monday","asset":"USDC"}}\n',
    )
    yield "test_websocket_page.py", "note.leave"
    without(source, "exchange/core/accounts/image.py", '    note: str = ""\n')
    yield "test_every_field_of_an_object_is_in_its_image_or_derived[Account]", "note"
    without(source, "exchange/values/notes/commands.py", '    NAME: ClassVar[str] = "notes/remove"\n')
    without(
        source,
        "exchange/gateway/rest/admin_examples.py",
        '    RemoveNote(_ADMIN, _ACCOUNT, "Rude"),\n',
    )
    yield "test_what_admins_send_has_a_name_of_its_own_to_sign", "RemoveNote"


def test_what_is_forgotten_is_named(copied: Path) -> None:
    expected = list(forgotten(copied))
    done = checked(
        copied,
        "tests/core/test_probes.py::test_every_command_has_a_probe",
        "tests/checks/test_rows.py",
        "tests/checks/test_images.py",
        "tests/checks/test_websocket_page.py",
        "tests/gateway/rest/test_admin_api.py::test_every_admin_command_has_its_path_and_its_example",
    )
    assert done.returncode == 1, done.stdout + done.stderr
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    for test, name in expected:
        assert any(test in line for line in failed), (test, failed)
        assert name in done.stdout, name
