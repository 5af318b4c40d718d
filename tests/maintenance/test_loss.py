"""Records that are really lost: refused at start, accepted by two, in a new epoch that reuses nothing."""

import sqlite3
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from exchange.core import decide
from exchange.core.digest import digest
from exchange.journal.errors import BehindWitness, JournalDamaged, NoSuchRecord, WitnessMissing
from exchange.journal.layout import journal_path, witness_path
from exchange.journal.lines import Lines
from exchange.journal.recovery import recover
from exchange.journal.sealing import seal
from exchange.journal.store import JournalReader, open_writing
from exchange.journal.verify import verify
from exchange.maintenance.loss import LossRefused, Lost, accept_loss, accept_missing_witness, missing
from exchange.runtime.follower.messages import FromFollower, ToFollower
from exchange.runtime.follower.process import Follower
from exchange.values.enums import Mode
from exchange.values.orders.events import OrderDone, OrderRested, Traded
from exchange.values.process.commands import StopProcess
from exchange.values.record import Record, encode
from tests.maintenance.evidence.books import Books
from tests.venue import public_key, signing_key

LOST = 40


@pytest.fixture
def books(tmp_path: Path) -> Books:
    """Books whose last records have gone from the journal, though witness, snapshot and read models saw them."""
    books = Books(tmp_path / "data")
    books.write()
    books.snapshot()
    for path in books.data_dir.glob("journal.sqlite*"):
        path.unlink()
    journal = open_writing(books.data_dir)
    journal.append(1, [encode(record) for record in books.venue.records[:-LOST]])
    journal.close()
    return books


def keys(books: Books) -> tuple[SigningKey, SigningKey]:
    known = {public_key(number): signing_key(number) for number in range(700, 800)}
    return signing_key(2), known[books.venue.state.admins[books.second].public_key]


def accept(books: Books) -> Lost:
    return accept_loss(books.data_dir, keys(books), "the disk is gone")


def test_a_start_is_refused_and_says_what_is_missing(books: Books) -> None:
    end = len(books.venue.records)
    with pytest.raises(BehindWitness) as refused:
        recover(books.data_dir)
    assert (refused.value.journal_seq, refused.value.witness_seq) == (end - LOST, end)
    found = missing(books.data_dir)
    assert found is not None
    assert found[:2] == (end - LOST + 1, end)


def test_an_accepted_loss_starts_an_epoch_behind_the_range(books: Books) -> None:
    end = len(books.venue.records)
    lost = accept(books)
    assert (lost.epoch, lost.from_seq, lost.to_seq) == (2, end - LOST + 1, end)
    hurt = {
        account
        for record in books.venue.records[-LOST:]
        for account in [getattr(record.command, "account", None)]
        if account is not None and any(isinstance(event, OrderRested | Traded | OrderDone) for event in record.events)
    }
    assert lost.touched is not None
    assert hurt <= {one.account for one in lost.touched}
    recovered = recover(books.data_dir)
    assert recovered.seq == end + 1
    assert recovered.state.losses == ((2, end - LOST + 1, end),)
    report = verify(books.data_dir)
    assert report.ok, report.text()
    assert missing(books.data_dir) is None


def test_ids_of_the_lost_range_never_come_again(books: Books) -> None:
    given = {order for record in books.venue.records for order in (record.seq * 10,)}
    market = books.venue.state.markets["SOL_USDC"]
    trade_id, update_id = market.trade_id, market.update_id
    accept(books)
    state = recover(books.data_dir).state
    assert (state.seq + 1) * 10 not in given
    assert state.markets["SOL_USDC"].trade_id >= trade_id
    assert state.markets["SOL_USDC"].update_id >= update_id


def test_the_follower_goes_on_behind_the_range(books: Books) -> None:
    accept(books)
    recovered = recover(books.data_dir)
    told: list[FromFollower] = []
    follower = Follower(books.data_dir, told.append)
    follower.hear(ToFollower(durable=recovered.seq))
    while follower.behind:
        follower.advance()
    follower.close()
    assert told[-1].reached == recovered.seq
    assert not any(message.mismatch for message in told)


def test_segments_end_before_the_range_and_begin_behind_it(books: Books) -> None:
    accept(books)
    before = recover(books.data_dir)
    sealed = seal(books.data_dir, segment_records=100, tail_records=0)
    assert sealed
    assert verify(books.data_dir, from_genesis=True).ok
    assert digest(recover(books.data_dir).state) == digest(before.state)


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("lost", [1, LOST])
def test_reading_may_begin_and_end_anywhere_in_and_around_the_range(tmp_path: Path, lost: int, sealed: bool) -> None:
    books = Books(tmp_path / "data", trades=50)
    books.write()
    first_lost = len(books.venue.records) - lost + 1
    for path in books.data_dir.glob("journal.sqlite*"):
        path.unlink()
    journal = open_writing(books.data_dir)
    journal.append(1, [encode(record) for record in books.venue.records[:-lost]])
    journal.close()
    accept(books)
    state = recover(books.data_dir).state
    after = Record(state.seq + 1, state.time_us, StopProcess("test"), decide(state, state.time_us, StopProcess("")))
    journal = open_writing(books.data_dir)
    journal.append(after.seq, [encode(after)])
    if sealed:
        seal(books.data_dir, segment_records=1, tail_records=0)
        journal.drop_sealed(after.seq, after.seq)
    journal.close()
    last_seq = after.seq
    there = [*range(1, first_lost), last_seq - 1, last_seq]
    with JournalReader(books.data_dir) as reader:
        for from_seq in range(first_lost - 2, last_seq + 2):
            for to_seq in range(first_lost - 2, last_seq + 1):
                wanted = [seq for seq in there if from_seq <= seq <= to_seq]
                assert [record.seq for record in reader.records(from_seq, to_seq)] == wanted, (from_seq, to_seq)
        for seq in range(first_lost, last_seq - 1):
            assert reader.loss_at(seq) is not None
            with pytest.raises(JournalDamaged):
                reader.chain_at(seq)
        kept = list(reader.lines())
    lines = Lines(books.data_dir)
    assert lines.lines(there) == kept
    for seq in range(first_lost, last_seq - 1):
        with pytest.raises(NoSuchRecord, match="lost for good"):
            lines.lines([seq])
    lines.close()


def test_two_different_approvers_sign_or_nothing_changes(books: Books) -> None:
    one, other = keys(books)
    before = sorted(path.name for path in books.data_dir.rglob("*"))
    for pair in ((one, one), (one, signing_key(12345))):
        with pytest.raises(LossRefused):
            accept_loss(books.data_dir, pair, "the disk is gone")
    with pytest.raises(LossRefused):
        accept_loss(books.data_dir, (one, other), "")
    assert set(before) <= {path.name for path in books.data_dir.rglob("*")}
    assert missing(books.data_dir) is not None


def test_nothing_is_accepted_where_nothing_is_lost(tmp_path: Path) -> None:
    books = Books(tmp_path / "data")
    books.write()
    assert missing(books.data_dir) is None
    with pytest.raises(LossRefused):
        accept(books)


def test_a_crash_between_record_and_witness_is_no_second_loss(books: Books) -> None:
    saved = witness_path(books.data_dir).read_bytes()
    accept(books)
    witness_path(books.data_dir).write_bytes(saved)
    assert missing(books.data_dir) is None
    recover(books.data_dir)


def test_a_lost_witness_is_accepted_by_two_people_on_record_and_brakes_the_venue(tmp_path: Path) -> None:
    books = Books(tmp_path / "data")
    books.write()
    one, other = keys(books)
    with pytest.raises(LossRefused):
        accept_missing_witness(books.data_dir, (one, other), "it is there")
    witness_path(books.data_dir).unlink()
    with pytest.raises(WitnessMissing):
        recover(books.data_dir)
    for pair, reason in (((one, one), "x"), ((one, signing_key(12345)), "x"), ((one, other), " ")):
        with pytest.raises(LossRefused):
            accept_missing_witness(books.data_dir, pair, reason)
    seq = accept_missing_witness(books.data_dir, (one, other), "the disk of the witness is gone")
    recovered = recover(books.data_dir)
    assert recovered.seq == seq == len(books.venue.records) + 1
    assert recovered.state.venue_mode is Mode.CANCEL_ONLY
    assert "the disk of the witness is gone" in recovered.state.mode_reason


def test_a_gap_that_nobody_accepted_is_damage(tmp_path: Path) -> None:
    """An AcceptLoss record that claims another range does not cover for missing rows."""
    books = Books(tmp_path / "data")
    books.write()
    with sqlite3.connect(journal_path(books.data_dir)) as journal:
        rows = journal.execute("SELECT first_seq FROM batches ORDER BY first_seq").fetchall()
        assert len(rows) > 1
        journal.execute("DELETE FROM batches WHERE first_seq = ?", rows[0])
    journal.close()
    with JournalReader(books.data_dir) as reader, pytest.raises(JournalDamaged):
        list(reader.records())
