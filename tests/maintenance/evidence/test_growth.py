"""A build with a new field in everything that evidence is made of reopens the venue that this one closed, and back.

The builds are copies of the source with a change in it, each in a process of its own; the gates are the real ones.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from exchange.maintenance.evidence import certificates, history, statements
from exchange.values.accounts.settings import AccountSettings
from tests.maintenance.evidence import folder
from tests.maintenance.evidence.books import Books
from tests.next_build import FIELD, UNUSED, USED, patched_build, run
from verify_proof import verify

#: Where a field of a newer build is carried in the bytes it stands in, and left unread.
CARRIED = {
    "values/windows/certificate.py": ("AssetTotal", "Certificate"),
    "journal/certified.py": ("SignedText",),
    "maintenance/evidence/certificates.py": ("_Kept",),
    "maintenance/evidence/messages.py": ("Finding", "GatesReport", "Progress", "Request", "Said", "Verdict"),
    "maintenance/evidence/proofs.py": ("Part", "Proof"),
}
#: Where one that is used stands in the state too, so that its digest is another: what used it can't be undone.
IN_STATE = {
    "values/windows/certificate.py": ("GateResult", "VenueKey"),
    "values/windows/plan.py": ("WindowPlan",),
}
BOTH = {name: (*CARRIED.get(name, ()), *IN_STATE.get(name, ())) for name in {**CARRIED, **IN_STATE}}


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which this build has closed a window; not to be changed."""
    data = tmp_path_factory.mktemp("closed") / "data"
    folder.do("make", data)
    return data


@pytest.fixture
def data(closed: Path, tmp_path: Path) -> Path:
    """One to be changed."""
    return shutil.copytree(closed, tmp_path / "data")


def by(build: Path, what: str, data: Path) -> str:
    ended = run(build, "tests.maintenance.evidence.folder", what, str(data))
    assert not ended.returncode, ended.stderr
    return ended.stdout.strip()


def changed(build: Path, name: str, *changes: tuple[str, str]) -> None:
    path = build / "exchange" / name
    source = path.read_text()
    for before, after in changes:
        assert source.count(before) == 1, before
        source = source.replace(before, after)
    path.write_text(source)


def test_a_new_field_everywhere_reopens_the_venue_and_goes_back_while_nobody_used_it(
    data: Path, tmp_path: Path
) -> None:
    build = patched_build(tmp_path / "build", BOTH, UNUSED)
    assert by(build, "reopen", data) == "reopened"
    by(build, "close", data)
    document = by(build, "proof", data)
    for written in (*data.rglob("*.json*"), *data.rglob("*.md")):
        assert FIELD not in written.read_text(), written
    assert FIELD not in document
    assert verify(json.loads(document))
    assert folder.do("reopen", data) == "reopened"


def test_a_new_field_that_is_used_is_carried_in_what_was_signed_and_in_what_is_kept(tmp_path: Path) -> None:
    build = patched_build(tmp_path / "build", CARRIED, USED)
    data = tmp_path / "data"
    by(build, "make", data)
    [kept] = (data / certificates.FOLDER).glob("closing-*")
    signed = json.loads((kept / "certificate.json").read_bytes())
    assert FIELD in signed
    assert FIELD in signed["text"]
    assert FIELD in (kept / "secret.json").read_text()
    document = json.loads(by(build, "proof", data))
    assert FIELD in document["closing"]
    assert verify(document)
    assert folder.do("reopen", data) == "reopened"


def test_a_plan_with_a_field_that_is_used_is_refused_and_names_who_wrote_it(tmp_path: Path) -> None:
    build = patched_build(tmp_path / "build", {"values/windows/plan.py": ("WindowPlan",)}, USED)
    data = tmp_path / "data"
    by(build, "make", data)
    with pytest.raises(Exception, match=FIELD) as refused:
        folder.do("reopen", data)
    assert "build" in str(refused.value)


def next_version(build: Path) -> None:
    """A history of what can't have happened before, and statements that tell of it."""
    changed(
        build,
        "maintenance/evidence/history.py",
        ("        for event in events:\n", "        for event in events:\n            self._loan(record, event)\n"),
        (
            "    def _trade(self",
            "    def _loan(self, record: Record, event: object) -> None:\n"
            "        if type(event).__name__ == 'EpochStarted':\n"
            "            self.add(AccountId(0), 'loans', str(record.seq))\n\n"
            "    def _trade(self",
        ),
    )
    changed(
        build,
        "maintenance/evidence/statements.py",
        ("STATEMENT_VERSION: Final = 1", "STATEMENT_VERSION: Final = 2"),
        (
            "VERSIONS: Final[dict[int, Builder]] = {1: version_1}",
            "def version_2(account: Account, history: AccountHistory, places: Places) -> Statement:\n"
            "    return {**version_1(account, history, places), 'version': 2, 'loans': tally(history, 'loans')}\n\n"
            "VERSIONS: Final[dict[int, Builder]] = {1: version_1, 2: version_2}",
        ),
        (
            "INITIAL: Final[dict[int, Statement]] = {}",
            "INITIAL: Final[dict[int, Statement]] = {2: {'loans': {'count': 0, 'hash': '00' * 32}}}",
        ),
    )


def test_a_new_history_and_a_new_version_of_statements_reopen_what_was_closed_without_them(
    data: Path, tmp_path: Path
) -> None:
    build = patched_build(tmp_path / "build", {}, UNUSED)
    next_version(build)
    assert by(build, "reopen", data) == "reopened"
    # Nothing was closed in the new version yet: its checkpoint and histories are read by this build.
    folder.do("close", data)
    assert folder.do("reopen", data) == "reopened"
    by(build, "close", data)
    newest = max((data / certificates.FOLDER).glob("closing-*"), key=lambda path: int(path.name[8:]))
    assert b'"loans":{"count":0' in (newest / "statements.jsonl").read_bytes()
    said = folder.do("reopen", data)
    assert "the closing statements are of version 2, which build" in said
    assert by(build, "reopen", data) == "reopened"


def test_a_version_that_finds_what_was_not_stated_at_closing_stays_shut(data: Path, tmp_path: Path) -> None:
    build = patched_build(tmp_path / "build", {}, UNUSED)
    next_version(build)
    changed(
        build,
        "maintenance/evidence/history.py",
        ("'EpochStarted'", "'AccountOpened'"),
        ("self.add(AccountId(0), 'loans'", "self.add(event.account, 'loans'"),
    )
    assert "loans: not stated at closing, and not at its initial value" in by(build, "reopen", data)


def test_one_setting_more_changes_no_statement_of_version_1(tmp_path: Path) -> None:
    books = Books(tmp_path, trades=20)
    before = list(statements.statements(*books.read_back()[:2], version=1))
    state, histories, _ = books.read_back()
    newer: Any = msgspec.defstruct("Newer", [(FIELD, int, 7)], bases=(AccountSettings,), frozen=True)
    for account in state.accounts.values():
        account.settings = newer(**msgspec.structs.asdict(account.settings))
    assert list(statements.statements(state, histories, version=1)) == before


def test_a_kind_of_history_this_build_has_never_heard_of_is_kept_as_it_is() -> None:
    line = b'[100000,{"fills":[2,"' + b"0a" * 32 + b'"],"loans":[3,"' + b"0b" * 32 + b'"]}]'
    assert history.dump(history.load([line])) == line
