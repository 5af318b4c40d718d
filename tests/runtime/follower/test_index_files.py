"""Index files: made beside sealed segments, and what a rebuild goes on from."""

import sqlite3
import time
from pathlib import Path

import pytest

from exchange.journal import backup, sealing, segments
from exchange.journal.layout import journal_path
from exchange.runtime.follower import process as follower_module
from exchange.runtime.follower.messages import ToFollower
from exchange.runtime.follower.process import Follower
from exchange.runtime.follower.read_models import FILE_NAME, ReadModels, index_file
from exchange.runtime.port import Page
from exchange.values.listings.commands import ListAsset, ListMarket
from exchange.values.listings.specs import AssetSpec, ListedMarket, MarketFilters, spot_market
from exchange.values.numbers import E9
from tests.runtime.follower.recorded import ADMIN, History, keep
from tests.runtime.follower.test_read_models import tables
from tests.venue import deposit

SEGMENT = 400


@pytest.fixture(scope="module")
def history() -> History:
    return History().run(1_600)


@pytest.fixture
def data(history: History, tmp_path: Path) -> Path:
    """A journal with four sealed segments, whose rows are gone from the database."""
    data = tmp_path / "data"
    keep(data, history.records)
    assert len(sealing.seal(data, segment_records=SEGMENT, tail_records=20)) == 4
    with sqlite3.connect(journal_path(data)) as journal:
        journal.execute("DELETE FROM batches WHERE last_seq <= ?", (4 * SEGMENT,))
    journal.close()
    return data


def follow(data: Path, seq: int, batch: int | None = None) -> list[int]:
    """Bring the read models to a record, as a follower does; returns the seqs it told of."""
    told: list[int] = []
    follower = Follower(data, lambda message: told.append(message.reached or 0))
    while told[-1] < seq:
        follower.hear(ToFollower(durable=min(seq, told[-1] + (batch or seq))))
        follower.advance()
    follower.close()
    return told


def index_all(data: Path) -> None:
    while (segment := index_file.unindexed(data)) is not None:
        sealing.attach(data, segment, index_file.KIND, index_file.make(data, segment))


def held(data: Path) -> dict[str, list[tuple[object, ...]]]:
    return tables(data / FILE_NAME)


def test_a_rebuild_from_index_files_from_records_and_a_running_follower_hold_equal_bytes(
    data: Path, history: History, tmp_path: Path
) -> None:
    last = len(history.records)
    running = tmp_path / "running"
    keep(running, history.records)
    follow(running, last, batch=37)
    assert follow(data, last)[0] == 0, "from the records"
    from_records = held(data)
    assert from_records == held(running)
    (data / FILE_NAME).unlink()
    index_all(data)
    assert follow(data, last)[0] == 4 * SEGMENT, "from the index files, then the records"
    assert held(data) == from_records


def test_an_index_file_is_the_same_whenever_it_is_made(data: Path) -> None:
    one = index_file.make(data, segments.manifest(data)[2])
    index_all(data)
    follow(data, 4 * SEGMENT)
    assert index_file.make(data, segments.manifest(data)[2]) == one
    assert segments.manifest(data)[2].path(data, index_file.KIND).read_bytes() == one


def test_read_models_in_the_middle_of_a_segment_go_on_from_records(data: Path, history: History) -> None:
    follow(data, SEGMENT + 50)
    index_all(data)
    assert follow(data, len(history.records))[0] == SEGMENT + 50


def test_a_rebuild_goes_as_far_as_index_files_are_whole_and_on_from_records(data: Path, history: History) -> None:
    last = len(history.records)
    follow(data, last)
    expected = held(data)
    index_all(data)
    path = segments.manifest(data)[2].path(data, index_file.KIND)
    content = path.read_bytes()
    for damaged in (content[:-1] + b"\xff", content[:100]):
        path.write_bytes(damaged)
        (data / FILE_NAME).unlink()
        assert follow(data, last)[0] == 2 * SEGMENT
        assert held(data) == expected


def test_a_follower_has_them_made_and_a_backup_holds_them(
    data: Path, history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_module, "INDEX_LOOK_S", 0.0)
    follower = Follower(data, lambda message: None)
    give_up_at_s = time.monotonic() + 60
    while index_file.unindexed(data) is not None and time.monotonic() < give_up_at_s:
        follower.look_after_indexes()
        time.sleep(0.01)
    follower.close()
    assert index_file.unindexed(data) is None
    backup.backup(data, tmp_path / "copy")
    sealing.archive(data, tmp_path / "archive", up_to_seq=2 * SEGMENT)
    for copy in (tmp_path / "copy", data):
        assert follow(copy, len(history.records))[0] == 4 * SEGMENT
    assert held(tmp_path / "copy") == held(data)


def test_one_that_cannot_be_made_is_tried_again_later_and_ends_nothing(data: Path) -> None:
    follower = Follower(data, lambda message: None)
    segments.manifest(data)[0].path(data).unlink()
    follower.look_after_indexes()
    indexer = follower._indexer
    assert indexer is not None
    assert indexer._process.wait(30) == 1
    follower.look_after_indexes()
    assert follower._indexer is None
    assert follower._index_at_s > time.monotonic() + 60
    follower.close()


def test_what_was_listed_later_keeps_its_number_whatever_it_is_called(tmp_path: Path) -> None:
    history = History().run(300)
    aave = AssetSpec("AAVE", 8)
    history.do(ListAsset(ADMIN, aave, "test"))
    market = spot_market(aave, AssetSpec("USDC", 6), E9 // 100, E9 // 100)
    history.do(ListMarket(ADMIN, ListedMarket(market, MarketFilters(10_000)), "test"))
    history.run(200)
    account, _ = history.traders[0]
    history.do(deposit(history.state, account, "AAVE", 5_000, "aave"))
    history.run(200)
    last = len(history.records)
    data = tmp_path / "data"
    keep(data, history.records)
    follow(data, last)
    expected = held(data)
    assert [symbol for _, symbol in expected["assets"]][-1] == "AAVE"
    sealing.seal(data, segment_records=200, tail_records=20)
    index_all(data)
    (data / FILE_NAME).unlink()
    assert follow(data, last)[0] >= 600
    assert held(data) == expected
    line = ReadModels(data / FILE_NAME).ledger(account, Page(), asset="AAVE").rows[0]
    assert (line.atoms, line.balance_atoms, line.reference) == (5_000, 5_000, "aave")
