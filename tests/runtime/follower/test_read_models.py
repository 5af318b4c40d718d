"""The read models say what the records say, however the records were batched."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from exchange.core import State, fold
from exchange.journal.errors import FilesReplaced
from exchange.journal.lines import Lines
from exchange.runtime.feeds.intervals import DAY_US, HOUR_US, INTERVALS, MINUTE_US, bucket
from exchange.runtime.follower.read_models import ReadModels, ReadModelsHarmed, ReadModelWriter, Rows, Vouched
from exchange.runtime.follower.read_models.pages import MAX_ROWS
from exchange.runtime.follower.read_models.queries import MAX_CANDLES
from exchange.runtime.follower.read_models.records import Records
from exchange.runtime.follower.read_models.schema import MAX_VOLUME, VERSION
from exchange.runtime.follower.read_models.writer import SECONDS_KEPT_US
from exchange.runtime.port import Page
from exchange.values.enums import Side
from exchange.values.ids import CUSTODY, AccountId, OrderId
from exchange.values.listings.views import CandleView, TradeView
from exchange.values.orders.events import Traded
from exchange.values.process.events import Refused
from exchange.values.record import Record, encode, link, seal
from tests.runtime.follower.recorded import BEGIN_US, MARKETS, History, keep

ALL = Page(limit=MAX_ROWS, ascending=True)


def fill(writer: ReadModelWriter, state: State, records: Sequence[Record], batch: int) -> None:
    """Bring the read models and `state` forward together, `batch` records to a transaction."""
    for start in range(0, len(records), batch):
        rows, chain = writer.rows(), writer.chain
        for record in records[start : start + batch]:
            chain = take(rows, state, record, chain)
        writer.write(rows, chain)


def take(rows: Rows, state: State, record: Record, chain: bytes) -> bytes:
    """One record into rows and state; returns its chain value."""
    body = encode(record)
    chain = link(chain, body)
    rows.add(state, record, seal(body, chain))
    fold(state, record)
    return chain


def tables(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    with sqlite3.connect(path) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {name: sorted(connection.execute(f"SELECT * FROM {name}")) for name in names}


@pytest.fixture(scope="module")
def history() -> History:
    return History().run(2_500)


@pytest.fixture(scope="module")
def path(history: History, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "read.sqlite"
    keep(path.parent, history.records)
    writer = ReadModelWriter(path)
    fill(writer, State(), history.records, 100)
    writer.close()
    return path


@pytest.fixture
def models(path: Path) -> ReadModels:
    return ReadModels(path)


def trades_of(records: Sequence[Record]) -> list[tuple[Record, int, Traded]]:
    return [(r, i, event) for r in records for i, event in enumerate(r.events) if isinstance(event, Traded)]


@pytest.mark.parametrize("market", MARKETS)
def test_trades_newest_first(history: History, models: ReadModels, market: str) -> None:
    expected: list[TradeView] = []
    for record, _, event in trades_of(history.records):
        sides = (event.taker_order_id, event.maker_order_id)
        buyer, seller = sides if event.taker_side is Side.BID else sides[::-1]
        view = TradeView(
            market,
            event.trade_id,
            event.price_ticks,
            event.lots,
            event.quote_atoms,
            record.time_us,
            buyer,
            seller,
            event.taker_side is Side.ASK,
        )
        if event.market == market:
            expected.insert(0, view)
    assert models.trades(market, MAX_ROWS) == tuple(expected[:MAX_ROWS])
    assert models.trades(market, 7) == tuple(expected[:7])
    assert models.trades(market, 5, offset=3) == tuple(expected[3:8])
    assert models.trades(market, 5, offset=len(expected)) == ()
    assert models.trades("NO_MARKET", 5) == ()


@pytest.mark.parametrize("interval", INTERVALS)
def test_candles_are_the_trades_of_their_bucket(history: History, models: ReadModels, interval: str) -> None:
    market, now_us = MARKETS[0], history.time_us
    made: dict[int, CandleView] = {}
    for record, _, event in trades_of(history.records):
        start_us, end_us = bucket(interval, record.time_us)
        before, price = made.get(start_us), event.price_ticks
        if event.market != market:
            continue
        if before is None:
            made[start_us] = CandleView(
                market,
                interval,
                start_us,
                end_us,
                price,
                price,
                price,
                price,
                event.lots,
                event.quote_atoms,
                1,
                end_us <= now_us,
            )
            continue
        assert before.high_ticks is not None
        assert before.low_ticks is not None
        made[start_us] = CandleView(
            market,
            interval,
            start_us,
            end_us,
            before.open_ticks,
            max(before.high_ticks, price),
            min(before.low_ticks, price),
            price,
            before.lots + event.lots,
            before.quote_atoms + event.quote_atoms,
            before.trades + 1,
            end_us <= now_us,
        )
    assert models.recent_candles(market, interval, 0, now_us) == tuple(made.values())
    first_us = bucket(interval, BEGIN_US)[0]
    candles = models.candles(market, interval, first_us, now_us + 1, now_us)
    assert [c for c in candles if c.trades] == [c for c in made.values() if c.end_us <= candles[-1].end_us]
    assert all(c.open_ticks is c.high_ticks is c.low_ticks is c.close_ticks is None for c in candles if not c.trades)
    assert [c.start_us for c in candles[1:]] == [c.end_us for c in candles[:-1]]
    assert len(candles) == MAX_CANDLES or candles[-1].end_us > now_us


# --- batches, rebuilds, odd files ------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 7, 100_000])
def test_rows_do_not_depend_on_how_records_were_batched(
    history: History, path: Path, tmp_path: Path, batch: int
) -> None:
    other = tmp_path / "read.sqlite"
    writer = ReadModelWriter(other)
    fill(writer, State(), history.records, batch)
    writer.close()
    assert tables(other) == tables(path)


def test_emptied_models_fill_again_to_the_same(history: History, path: Path, tmp_path: Path) -> None:
    other = tmp_path / "read.sqlite"
    writer = ReadModelWriter(other)
    fill(writer, State(), history.records[:900], 50)
    writer.empty()
    assert (writer.seq, writer.time_us, writer.chain) == (0, 0, bytes(32))
    fill(writer, State(), history.records, 50)
    assert tables(other) == tables(path)


def test_a_writer_goes_on_where_the_last_one_committed(history: History, path: Path, tmp_path: Path) -> None:
    other, state = tmp_path / "read.sqlite", State()
    fill(ReadModelWriter(other), state, history.records[:1_000], 64)
    again = ReadModelWriter(other)
    assert (again.seq, again.time_us) == (state.seq, state.time_us)
    fill(again, state, history.records[1_000:], 64)
    assert tables(other) == tables(path)


def test_a_batch_that_fails_leaves_nothing_behind(history: History, path: Path, tmp_path: Path) -> None:
    whole = path
    path, state = tmp_path / "read.sqlite", State()
    writer = ReadModelWriter(path)
    fill(writer, state, history.records[:500], 500)
    before = tables(path)
    rows, chain = writer.rows(), writer.chain
    for record in history.records[500:900]:
        chain = take(rows, state, record, chain)
    rows.trades.append(rows.trades[-1])
    with pytest.raises(sqlite3.IntegrityError):
        writer.write(rows, chain)
    assert tables(path) == before
    rows.trades.pop()
    writer.write(rows, chain)
    fill(writer, state, history.records[900:], 500)
    assert tables(path) == tables(whole)


@pytest.mark.parametrize("content", [b"this is no database, and long enough to be read as one" * 100, b""])
def test_a_file_that_is_no_database_is_made_anew(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "read.sqlite"
    path.write_bytes(content)
    assert ReadModelWriter(path).seq == 0
    assert ReadModels(path).seq() == 0


def test_models_of_another_version_are_made_anew(history: History, tmp_path: Path) -> None:
    path = tmp_path / "read.sqlite"
    writer = ReadModelWriter(path)
    fill(writer, State(), history.records[:200], 200)
    writer.close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
        connection.execute("CREATE TABLE of_that_version (a)")
    models = ReadModels(path)
    with pytest.raises(ReadModelsHarmed):
        models.seq()
    assert ReadModelWriter(path).seq == 0
    assert models.seq() == 0
    assert "of_that_version" not in tables(path)
    assert models.ledger(CUSTODY, ALL).total == 0


@pytest.mark.parametrize("harm", ["DELETE FROM progress", "DROP TABLE progress"])
def test_models_that_do_not_say_what_they_hold_are_not_believed_and_made_anew(
    history: History, tmp_path: Path, harm: str
) -> None:
    path = tmp_path / "read.sqlite"
    writer = ReadModelWriter(path)
    fill(writer, State(), history.records[:200], 200)
    models = ReadModels(path, lambda: Vouched(writer.file, 200))
    with sqlite3.connect(path) as connection:
        connection.execute(harm)
    connection.close()
    with pytest.raises(ReadModelsHarmed, match="which record they hold"):
        models.ledger(CUSTODY, ALL)
    writer.close()
    assert ReadModelWriter(path).seq == 0


def test_without_a_file_nothing_is_answered_and_none_is_made(tmp_path: Path) -> None:
    models = ReadModels(tmp_path / "read.sqlite")
    account = AccountId(1_700_000)
    for ask in (
        models.seq,
        lambda: models.order(account, MARKETS[0], order_id=OrderId(1)),
        lambda: models.order_history(account, ALL),
        lambda: models.fills(account, ALL),
        lambda: models.trades(MARKETS[0], 10),
        lambda: models.candles(MARKETS[0], "1m", BEGIN_US, BEGIN_US + HOUR_US, BEGIN_US + HOUR_US),
    ):
        with pytest.raises(ReadModelsHarmed):
            ask()
    assert not list(tmp_path.iterdir())


def test_only_what_the_writer_vouches_for_is_believed(history: History, tmp_path: Path) -> None:
    path = tmp_path / "read.sqlite"
    writer = ReadModelWriter(path)
    fill(writer, State(), history.records[:200], 200)
    vouched: list[Vouched | None] = [None]
    models = ReadModels(path, lambda: vouched[0])
    with pytest.raises(ReadModelsHarmed, match="nobody"):
        models.seq()
    vouched[0] = Vouched(writer.file, 200)
    assert models.seq() == 200
    vouched[0] = Vouched(writer.file, 201)
    with pytest.raises(ReadModelsHarmed, match="does not hold record 201"):
        models.seq()
    vouched[0] = Vouched((writer.file[0], writer.file[1] + 1), 200)
    with pytest.raises(ReadModelsHarmed, match="not the file"):
        models.seq()


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_a_writer_that_has_lost_its_file_says_so_and_leaves_none(history: History, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "read.sqlite"
    writer = ReadModelWriter(path)
    fill(writer, State(), history.records[:100], 100)
    (tmp_path / f"read.sqlite{suffix}").rename(tmp_path / "elsewhere")
    with pytest.raises(FilesReplaced):
        writer.require_in_place()
    assert not list(tmp_path.glob("read.sqlite*"))


def test_a_writer_notices_that_another_one_has_written(history: History, tmp_path: Path) -> None:
    path = tmp_path / "read.sqlite"
    writer, state = ReadModelWriter(path), State()
    fill(writer, state, history.records[:100], 100)
    other = ReadModelWriter(path)
    other.empty()
    with pytest.raises(FilesReplaced, match="another program"):
        fill(writer, state, history.records[100:200], 100)
    assert not path.exists()


def test_readers_follow_when_the_file_is_replaced(history: History, tmp_path: Path) -> None:
    path = tmp_path / "read.sqlite"
    models = ReadModels(path)
    for count in (100, 300):
        writer = ReadModelWriter(path)
        fill(writer, State(), history.records[:count], count)
        writer.close()
        assert models.seq() == count
        path.unlink()


def test_what_a_writer_that_is_gone_left_in_the_log_is_read(history: History, tmp_path: Path) -> None:
    path = tmp_path / "read.sqlite"
    writer = ReadModelWriter(path)
    fill(writer, State(), history.records[:300], 300)
    copy = tmp_path / "copy.sqlite"
    for suffix in ("", "-wal"):
        copy.with_name(copy.name + suffix).write_bytes(path.with_name(path.name + suffix).read_bytes())
    assert ReadModels(copy).seq() == 300


def test_seconds_are_dropped_with_age_and_other_candles_stay(tmp_path: Path) -> None:
    history = History()
    history.run(200)
    history.time_us += SECONDS_KEPT_US - HOUR_US
    history.run(200)
    kept: list[list[tuple[Any, ...]]] = []
    history.time_us += 2 * HOUR_US
    history.run(50)
    for batch in (1, 10_000):
        path = tmp_path / f"{batch}.sqlite"
        fill(ReadModelWriter(path), State(), history.records, batch)
        kept.append(tables(path)["candles"])
        models = ReadModels(path)
        seconds = models.recent_candles(MARKETS[0], "1s", 0, history.time_us)
        oldest_us = history.time_us // HOUR_US * HOUR_US - SECONDS_KEPT_US
        assert seconds[0].start_us >= oldest_us > BEGIN_US + 200 * 400_000
        assert models.recent_candles(MARKETS[0], "1m", 0, history.time_us)[0].start_us <= BEGIN_US + MINUTE_US
    assert kept[0] == kept[1]


def test_lost_records_leave_a_gap_that_times_go_over(history: History, tmp_path: Path) -> None:
    path = tmp_path / "read.sqlite"
    writer, state = ReadModelWriter(path), State()
    fill(writer, state, history.records[:300], 300)
    refused = next(record for record in history.records if type(record.events[0]) is Refused)
    beyond = msgspec.structs.replace(refused, seq=1_301, time_us=state.time_us + 1_000)
    rows = writer.rows()
    rows.add(state, beyond, encode(beyond))
    writer.write(rows, bytes(32))
    with sqlite3.connect(path) as connection:
        records = Records(connection, lambda: Lines(tmp_path), writer.seq)
        assert records.first_at(state.time_us) <= 300
        assert records.first_at(state.time_us + 1) == 301, "the first that is lost"
        assert records.time_us(1_301) == state.time_us + 1_000
        assert records.first_at(state.time_us + 1_001) == 1_302
    connection.close()


def test_a_volume_beyond_what_the_file_holds_stops_there(history: History, tmp_path: Path) -> None:
    path = tmp_path / "read.sqlite"
    writer = ReadModelWriter(path)
    for _ in range(2):
        rows, state, taking = writer.rows(), State(), History(2)
        taking.run(100)
        for record in taking.records:
            take(rows, state, record, bytes(32))
        for second in rows._seconds.values():
            second.lots = second.quote_atoms = 2**62 + 1
        beyond = writer.rows()
        beyond._seconds = rows._seconds
        writer.write(beyond, bytes(32))
    (day,) = ReadModels(path).candles(MARKETS[0], "1d", BEGIN_US // DAY_US * DAY_US, BEGIN_US + 1, BEGIN_US + 1)
    assert (day.lots, day.quote_atoms) == (MAX_VOLUME, MAX_VOLUME)


# --- questions -----------------------------------------------------------------------------------------


def test_candles_begin_at_the_first_whole_bucket_and_end_now(models: ReadModels, history: History) -> None:
    minute_us = BEGIN_US // MINUTE_US * MINUTE_US
    ask = (MARKETS[0], "1m")
    candles = models.candles(*ask, minute_us + 1, minute_us + 3 * MINUTE_US, history.time_us)
    assert [c.start_us for c in candles] == [minute_us + MINUTE_US, minute_us + 2 * MINUTE_US]
    now_us = minute_us + 2 * MINUTE_US + 5
    candles = models.candles(*ask, minute_us, 2**62, now_us)
    assert [c.closed for c in candles] == [True, True, False]
    assert models.candles(*ask, minute_us, minute_us, now_us) == ()
    assert len(models.candles(*ask, -(10**18), 2**62, now_us)) == MAX_CANDLES
    with pytest.raises(KeyError):
        models.candles(MARKETS[0], "7m", 0, 1, 1)
