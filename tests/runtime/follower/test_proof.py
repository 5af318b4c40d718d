"""The read models are held against the records, and what is not what the records say is named and made anew."""

import asyncio
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from exchange.cli import app
from exchange.cli.exits import Exit
from exchange.runtime.core.life import Life
from exchange.runtime.follower import process as follower_module
from exchange.runtime.follower.messages import FromFollower
from exchange.runtime.follower.process import Follower, ModelsUntrue
from exchange.runtime.follower.read_models import FILE_NAME, ReadModelWriter
from exchange.runtime.follower.read_models.lists import CHUNK_ENTRIES, ENTRY, LEGS, AccountList, Entry
from exchange.runtime.follower.read_models.proof import SCRATCH, clear_scratch, prove
from exchange.runtime.port import Page, Paged
from exchange.values.ids import AccountId
from exchange.values.refusals import Refusal
from tests.maintenance.evidence.books import Books
from tests.runtime.running import HandClock, Traders, done, running, trading

WITHIN_S = 150.0


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Books:
    made = Books(tmp_path_factory.mktemp("books") / "data")
    made.write()
    return made


@pytest.fixture
def harm(books: Books) -> Iterator[Callable[..., None]]:
    """Changes the read models; the next test finds them as they were made."""
    path = books.data_dir / FILE_NAME
    content = path.read_bytes()

    def change(sql: str, *values: object) -> None:
        connection = sqlite3.connect(path)
        with connection:
            assert connection.execute(sql, values).rowcount, "it harms nothing"
        connection.close()

    yield change
    for left in books.data_dir.glob(f"{FILE_NAME}*"):
        left.unlink()
    path.write_bytes(content)


def test_read_models_made_of_the_records_are_proved_and_nothing_is_left(books: Books) -> None:
    proof = prove(books.data_dir)
    assert proof is not None
    assert (proof.seq, proof.differences, proof.gave_up) == (books.venue.state.seq, (), "")
    assert not list(books.data_dir.glob(f"{SCRATCH}*"))


@pytest.mark.parametrize(
    ("table", "column"),
    [("touches", "filled_lots"), ("client_ids", "order_id"), ("trades", "price_ticks"), ("candles", "close_ticks")],
)
def test_every_row_and_field_counts(books: Books, harm: Callable[..., None], table: str, column: str) -> None:
    harm(f"UPDATE {table} SET {column} = {column} + 1")
    proof = prove(books.data_dir)
    assert proof is not None
    assert proof.differences[0].startswith(f"{table}, ")
    assert f": {column} is " in proof.differences[0]
    harm(f"DELETE FROM {table}")
    proof = prove(books.data_dir)
    assert proof is not None
    assert proof.differences[0].endswith("on record, and not shown")


def test_a_hash_or_time_of_a_record_that_was_changed_is_found(books: Books, harm: Callable[..., None]) -> None:
    harm("UPDATE records SET kept = zeroblob(length(kept)) WHERE block = 0")
    proof = prove(books.data_dir)
    assert proof is not None
    assert proof.differences[0].startswith("records, block 0: kept is ")


def _entries(books: Books, account: AccountId) -> list[Entry]:
    connection = sqlite3.connect(books.data_dir / FILE_NAME)
    held = list(AccountList(connection, account).all())
    connection.close()
    return held


def _shows(entries: list[Entry]) -> bytes:
    return b"".join(ENTRY.pack(*entry) for entry in entries)


def test_an_entry_that_is_missing_or_too_many_or_says_otherwise_is_named(
    books: Books, harm: Callable[..., None]
) -> None:
    account = books.accounts[0]
    first, second, *rest = _entries(books, account)[:CHUNK_ENTRIES]
    sql = "UPDATE lists SET entries = ? WHERE account = ? AND chunk = 0"

    def differences(shown: list[Entry]) -> tuple[str, ...]:
        harm(sql, _shows(shown), account)
        proof = prove(books.data_dir)
        assert proof is not None
        return proof.differences

    named = f"account {account}, {second.words()}: "
    assert differences([first, *rest]) == (f"{named}on record, and not shown",)
    assert differences([first, second, *rest]) == ()
    more = second._replace(at=second.at + 7)
    assert differences([first, second, more, *rest]) == (f"account {account}, {more.words()}: shown, and on no record",)
    other = second._replace(value=second.value + 1)
    assert set(differences([first, other, *rest])) == {
        f"account {account}, {other.words()}: shown, and on no record",
        f"{named}on record, and not shown",
    }
    harm("UPDATE lists SET before = ? WHERE account = ? AND chunk = 1", b"", account)
    harm(sql, _shows([first, second, *rest]), account)
    proof = prove(books.data_dir)
    assert proof is not None
    assert proof.differences == (f"account {account}: its list counts or orders its entries otherwise",)


def test_a_list_of_an_account_that_has_none_is_named(books: Books, harm: Callable[..., None]) -> None:
    account = books.accounts[0]
    harm("UPDATE lists SET account = 7 WHERE account = ?", account)
    proof = prove(books.data_dir)
    assert proof is not None
    assert proof.differences[0].startswith("account 7, record ")
    assert proof.differences[0].endswith("shown, and on no record")


def test_a_table_that_does_more_than_ours_is_found(books: Books, harm: Callable[..., None]) -> None:
    connection = sqlite3.connect(books.data_dir / FILE_NAME)
    connection.execute("CREATE TRIGGER hides AFTER INSERT ON trades BEGIN DELETE FROM lists; END")
    connection.close()
    proof = prove(books.data_dir)
    assert proof is not None
    assert proof.differences == ("the tables are not the ones we make",)


def test_read_models_of_another_journal_are_found(books: Books, harm: Callable[..., None]) -> None:
    harm("UPDATE progress SET chain = zeroblob(32)")
    proof = prove(books.data_dir)
    assert proof is not None
    assert "were made of another record" in proof.differences[0]


def test_a_damaged_file_is_found(books: Books, harm: Callable[..., None]) -> None:
    path = books.data_dir / FILE_NAME
    content = bytearray(path.read_bytes())
    content[4096 : len(content)] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    proof = prove(books.data_dir)
    assert proof is not None
    assert proof.differences


def test_verify_covers_what_users_are_shown(books: Books, harm: Callable[..., None]) -> None:
    whole = CliRunner().invoke(app, ["verify", "--data", str(books.data_dir)])
    assert whole.exit_code == Exit.OK, whole.output
    assert f"to seq {books.venue.state.seq}" in whole.output
    [*entries] = _entries(books, books.accounts[0])[:CHUNK_ENTRIES]
    changed = [entry._replace(value=entry.value + 1) if entry.kind in LEGS else entry for entry in entries]
    harm("UPDATE lists SET entries = ? WHERE account = ? AND chunk = 0", _shows(changed), books.accounts[0])
    ended = CliRunner().invoke(app, ["verify", "--data", str(books.data_dir)])
    assert ended.exit_code == Exit.JOURNAL_DAMAGED
    assert f"read models: account {books.accounts[0]}, record " in ended.output


def test_a_follower_puts_what_the_records_make_in_the_place_of_what_differs(
    books: Books, harm: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_module, "PROOF_DELAY_S", 0.0)
    harm("DELETE FROM lists")
    told: list[FromFollower] = []
    follower = Follower(books.data_dir, told.append)
    follower.look_after_proof()
    with pytest.raises(ModelsUntrue):
        follower.take_proof_answer()
    follower.close()
    proof = told[-1].proof
    assert proof is not None
    assert proof.differences[0].startswith("account ")
    models = ReadModelWriter(books.data_dir / FILE_NAME)
    assert models.seq == books.venue.state.seq
    models.close()
    again = prove(books.data_dir)
    assert again is not None
    assert not again.differences
    assert not list(books.data_dir.glob(f"{SCRATCH}*"))


def test_what_a_killed_proof_left_is_cleared(tmp_path: Path) -> None:
    (tmp_path / f"{SCRATCH}999999999.sqlite").touch()
    (tmp_path / f"{SCRATCH}999999999.sqlite-wal").touch()
    (tmp_path / f"{SCRATCH}999999998.sqlite-shm").touch()  # killed while it cleared up itself
    (tmp_path / f"{SCRATCH}1.sqlite").touch()  # of a process that lives
    clear_scratch(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f"{SCRATCH}1.sqlite"]


def test_the_next_verify_clears_what_a_killed_one_left(books: Books) -> None:
    command = [sys.executable, "-m", "exchange.cli", "verify", "--data", str(books.data_dir)]
    program = "import os, sys; from exchange.runtime.follower.read_models.proof import _Proving\n"
    program += "_Proving._compare = lambda *_: os.kill(os.getpid(), 9)\n"
    program += "from exchange.runtime.follower.read_models.proof import prove; from pathlib import Path\n"
    program += "prove(Path(sys.argv[1]))"
    killed = subprocess.run([sys.executable, "-c", program, str(books.data_dir)], check=False, timeout=60)
    assert killed.returncode == -9
    assert list(books.data_dir.glob(f"{SCRATCH}*"))
    verified = subprocess.run(command, check=False, timeout=60, capture_output=True, text=True)
    assert verified.returncode == Exit.OK, verified.stderr
    assert not list(books.data_dir.glob(f"{SCRATCH}*"))


@pytest.mark.torture
async def test_history_that_was_altered_while_stopped_is_put_right_while_running(tmp_path: Path) -> None:
    traders = Traders()
    async with trading(tmp_path, traders, HandClock()) as life:
        await done(life.venue, traders.sell(traders.bob, 10_000))
        await done(life.venue, traders.buy(traders.ann, 10_000))
        expected = await life.venue.fills(traders.ann, Page())
        assert isinstance(expected, Paged)
    with sqlite3.connect(tmp_path / FILE_NAME) as models:
        models.execute("UPDATE lists SET entries = substr(entries, 1, 23)")
    async with running(tmp_path, HandClock()) as life:
        await _until_proved(life)
        found = await life.venue.fills(traders.ann, Page())
        assert isinstance(found, Paged)
        assert (found.rows, found.total) == (expected.rows, expected.total)


async def _until_proved(life: Life) -> None:
    """Untrue, then made anew and proved: from the first on no answer is made of what is untrue."""
    follower = life._follower
    assert follower is not None
    give_up_at_s, untrue = time.monotonic() + WITHIN_S, False
    while time.monotonic() < give_up_at_s:
        proof = follower.proof
        if proof is not None and proof.differences:
            untrue = True
        if untrue and follower.vouched() is None:
            assert isinstance(await life.venue.fills(Traders().ann, Page()), Refusal)
        if untrue and proof is not None and not proof.differences:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it was not proved")
