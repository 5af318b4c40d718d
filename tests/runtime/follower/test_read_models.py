"""The read models say what the records say, however the records were batched."""

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from exchange.core import State, fold
from exchange.core.orders.book import Order
from exchange.core.orders.view import order_view, placed_view
from exchange.journal.errors import FilesReplaced
from exchange.runtime.feeds.intervals import DAY_US, HOUR_US, INTERVALS, MINUTE_US, bucket
from exchange.runtime.follower.read_models import ReadModels, ReadModelsHarmed, ReadModelWriter, Rows, Vouched
from exchange.runtime.follower.read_models.queries import MAX_CANDLES, MAX_ROWS
from exchange.runtime.follower.read_models.schema import MAX_VOLUME, VERSION
from exchange.runtime.follower.read_models.writer import SECONDS_KEPT_US
from exchange.runtime.port import Page
from exchange.values.enums import Bucket, OrderStatus, Side
from exchange.values.ids import CUSTODY, FEES, AccountId, OrderId, id_at
from exchange.values.listings.views import CandleView, TradeView
from exchange.values.money.views import LedgerLine
from exchange.values.orders.commands import CancelAll, CancelOrder, PlaceOrder
from exchange.values.orders.events import OrderDone, Traded
from exchange.values.orders.views import FillView, OrderView
from exchange.values.process.events import Refused
from exchange.values.record import Record
from tests.runtime.follower.recorded import BEGIN_US, MARKETS, History

ALL = Page(limit=MAX_ROWS, ascending=True)


def fill(writer: ReadModelWriter, state: State, records: Sequence[Record], batch: int) -> None:
    """Bring the read models and `state` forward together, `batch` records to a transaction."""
    for start in range(0, len(records), batch):
        rows = Rows()
        for record in records[start : start + batch]:
            rows.add(state, record)
            fold(state, record)
        writer.write(rows, state.seq, state.time_us, state.seq.to_bytes(32, "big"))


def tables(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    with sqlite3.connect(path) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {name: connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2, 3").fetchall() for name in names}


@pytest.fixture(scope="module")
def history() -> History:
    return History().run(2_500)


@pytest.fixture(scope="module")
def path(history: History, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "read.sqlite"
    writer = ReadModelWriter(path)
    fill(writer, State(), history.records, 100)
    writer.close()
    return path


@pytest.fixture
def models(path: Path) -> ReadModels:
    return ReadModels(path)


def everything(query: Any, account: AccountId, **filters: Any) -> list[Any]:
    """All pages of a history list."""
    rows: list[Any] = []
    while True:
        page = query(account, Page(limit=300, offset=len(rows), ascending=True), **filters)
        rows += page.rows
        if not page.rows:
            assert len(rows) == page.total
            return rows


# --- against a slow and obvious pass over the records --------------------------------------------


def obvious_orders(records: Sequence[Record]) -> dict[OrderId, OrderView]:
    """Each order as the core itself shows it after the last record that touched it, and what ended it."""
    state, views = State(), dict[OrderId, OrderView]()
    for record in records:
        touched: dict[OrderId, tuple[Order | None, OrderDone | None]] = {}
        for event in record.events:
            if isinstance(event, Traded):
                touched[event.maker_order_id] = state.orders[event.maker_order_id], None
            elif isinstance(event, OrderDone) and event.resting:
                touched[event.order_id] = state.orders[event.order_id], event
        fold(state, record)
        for order_id, (order, done) in touched.items():
            assert order is not None
            views[order_id] = order_view(order, done)
        if isinstance(record.command, PlaceOrder) and not isinstance(record.events[0], Refused):
            placed = placed_view(record.seq, record.time_us, record.command, record.events)
            views[placed.order_id] = placed
            touched[placed.order_id] = state.orders.get(placed.order_id), None
        for order_id in touched:
            if order_id not in state.orders:
                views[order_id] = ended(views[order_id], record)
    return views


def ended(view: OrderView, record: Record) -> OrderView:
    """The order as its owner is told it ended: nobody else's key is named."""
    command = record.command
    if isinstance(command, PlaceOrder | CancelOrder | CancelAll):
        by = f"key {command.key_id}" if command.account == view.account else "another account"
    else:
        by = "venue"
    return msgspec.structs.replace(view, ended_seq=record.seq, ended_command=type(command).__name__, ended_by=by)


def trades_of(records: Sequence[Record]) -> list[tuple[Record, int, Traded]]:
    return [(r, i, event) for r in records for i, event in enumerate(r.events) if isinstance(event, Traded)]


def test_orders_are_shown_as_the_core_showed_them_last(history: History, models: ReadModels) -> None:
    expected = obvious_orders(history.records)
    found = {o.order_id: o for account, _ in history.traders for o in everything(models.order_history, account)}
    assert found == expected
    assert {order.status for order in found.values()} == set(OrderStatus)
    still_open = {o for o, view in found.items() if view.status in (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED)}
    assert still_open == set(history.state.orders)


def test_every_trade_is_a_fill_of_each_side(history: History, models: ReadModels) -> None:
    client_ids = {id_at(r.seq): r.command.client_id for r in history.records if isinstance(r.command, PlaceOrder)}
    expected: dict[AccountId, list[FillView]] = defaultdict(list)
    for record, _, event in trades_of(history.records):
        base, quote = event.market.split("_")
        for maker in (False, True):
            bought = (event.taker_side is Side.BID) is not maker
            order_id = event.maker_order_id if maker else event.taker_order_id
            account = event.maker_account if maker else event.taker_account
            expected[account].append(
                FillView(
                    seq=record.seq,
                    time_us=record.time_us,
                    account=account,
                    market=event.market,
                    trade_id=event.trade_id,
                    order_id=order_id,
                    client_id=client_ids[order_id],
                    side=Side.BID if bought else Side.ASK,
                    price_ticks=event.price_ticks,
                    lots=event.lots,
                    quote_atoms=event.quote_atoms,
                    fee_atoms=event.maker_fee_atoms if maker else event.taker_fee_atoms,
                    fee_asset=base if bought else quote,
                    is_maker=maker,
                )
            )
    assert sum(len(fills) for fills in expected.values()) > 500
    for account, _ in history.traders:
        assert everything(models.fills, account) == expected[account]


def test_ledger_lines_add_up_to_every_balance(history: History, models: ReadModels) -> None:
    per_asset: dict[str, int] = defaultdict(int)
    for account in history.state.accounts.values():
        held: dict[tuple[str, str], int] = defaultdict(int)
        lines: list[LedgerLine] = everything(models.ledger, account.account_id)
        for line in lines:
            held[line.asset, line.bucket] += line.atoms
            per_asset[line.asset] += line.atoms
            assert held[line.asset, line.bucket] == line.balance_atoms
        for asset, balance in account.balances.items():
            assert held.pop((asset, Bucket.AVAILABLE), 0) == balance.available_atoms
            assert held.pop((asset, Bucket.LOCKED), 0) == balance.locked_atoms
        assert not held
    assert set(per_asset) == {"USDC", "SOL", "BTC"}
    assert not any(per_asset.values())


def test_ledger_lines_say_where_they_come_from(history: History, models: ReadModels) -> None:
    account, _ = history.traders[1]
    lines: list[LedgerLine] = everything(models.ledger, account)
    deposit = lines[0]
    assert (deposit.kind, deposit.reference, deposit.bucket) == ("deposit", f"{account}-USDC", Bucket.AVAILABLE)
    placed = {order.order_id: order for order in everything(models.order_history, account)}
    fills = {(fill.market, fill.trade_id): fill for fill in everything(models.fills, account)}
    assert {line.kind for line in lines} == {"deposit", "reserve", "release", "trade", "fee"}
    for line in lines[3:]:
        assert line.order_id is not None
        assert placed[line.order_id].market == line.market
        if line.trade_id is not None:
            assert fills[line.market, line.trade_id].order_id == line.order_id
    fees: list[LedgerLine] = everything(models.ledger, FEES)
    assert {line.kind for line in fees} == {"fee"}
    assert all(line.order_id is None and line.trade_id is not None for line in fees)
    assert {line.kind for line in everything(models.ledger, CUSTODY)} == {"deposit"}


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


def test_a_batch_that_fails_leaves_nothing_behind(history: History, tmp_path: Path) -> None:
    path, state = tmp_path / "read.sqlite", State()
    writer = ReadModelWriter(path)
    fill(writer, state, history.records[:500], 500)
    before = tables(path)
    rows = Rows()
    for record in history.records[500:900]:
        rows.add(state, record)
        fold(state, record)
    rows.trades.append(rows.trades[-1])
    with pytest.raises(sqlite3.IntegrityError):
        writer.write(rows, state.seq, state.time_us, bytes(32))
    assert tables(path) == before
    rows.trades.pop()
    writer.write(rows, state.seq, state.time_us, bytes(32))
    assert tables(path) != before


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


def test_a_volume_beyond_what_the_file_holds_stops_there(history: History, tmp_path: Path) -> None:
    path = tmp_path / "read.sqlite"
    writer = ReadModelWriter(path)
    for seq in (1, 2):
        rows = Rows()
        state, taking = State(), History(2)
        taking.run(100)
        for record in taking.records:
            rows.add(state, record)
            fold(state, record)
        for second in rows._seconds.values():
            second.lots = second.quote_atoms = 2**62 + 1
        rows.orders.clear()
        rows.fills.clear()
        rows.ledger.clear()
        rows.trades.clear()
        writer.write(rows, seq, taking.time_us, bytes(32))
    (day,) = ReadModels(path).candles(MARKETS[0], "1d", BEGIN_US // DAY_US * DAY_US, BEGIN_US + 1, BEGIN_US + 1)
    assert (day.lots, day.quote_atoms) == (MAX_VOLUME, MAX_VOLUME)


# --- questions -----------------------------------------------------------------------------------------


def test_pages_filters_and_order(history: History, models: ReadModels) -> None:
    account, _ = history.traders[2]
    oldest_first: list[OrderView] = everything(models.order_history, account)
    assert [o.order_id for o in oldest_first] == sorted(o.order_id for o in oldest_first)
    newest = models.order_history(account, Page(limit=5, offset=2))
    assert list(newest.rows) == oldest_first[::-1][2:7]
    assert newest.total == len(oldest_first)
    in_market = [o for o in oldest_first if o.market == MARKETS[1]]
    assert everything(models.order_history, account, market=MARKETS[1]) == in_market
    assert models.order_history(account, ALL, order_id=oldest_first[3].order_id).rows == (oldest_first[3],)
    from_us, to_us = oldest_first[10].created_us, oldest_first[20].created_us
    between = models.order_history(account, Page(ascending=True, from_us=from_us, to_us=to_us))
    assert list(between.rows) == oldest_first[10:20]
    assert between.total == 10
    assert models.order_history(account, Page(limit=10**9)).rows == tuple(oldest_first[::-1][:MAX_ROWS])
    assert models.order_history(account, Page(limit=-1)).rows == ()


def test_fills_of_one_order_and_ledger_of_one_asset(history: History, models: ReadModels) -> None:
    account, _ = history.traders[2]
    fills: list[FillView] = everything(models.fills, account)
    by_order: dict[OrderId, list[FillView]] = defaultdict(list)
    for fill_view in fills:
        by_order[fill_view.order_id].append(fill_view)
    order_id = max(by_order, key=lambda made: len(by_order[made]))
    assert len(by_order[order_id]) > 1
    assert everything(models.fills, account, order_id=order_id) == by_order[order_id]
    lines: list[LedgerLine] = everything(models.ledger, account)
    assert everything(models.ledger, account, asset="BTC") == [line for line in lines if line.asset == "BTC"]


def test_an_order_is_found_by_id_at_any_age_and_by_client_id_for_as_long_as_asked(
    history: History, models: ReadModels
) -> None:
    views = obvious_orders(history.records)
    latest = {(v.account, v.market, v.client_id): v for v in views.values() if v.client_id is not None}
    for (account, market, client_id), view in latest.items():
        assert models.order(account, market, client_id=client_id) == view
    ends = {e.order_id: r.time_us for r in history.records for e in r.events if isinstance(e, OrderDone)}
    ends |= {e.maker_order_id: r.time_us for r, _, e in trades_of(history.records) if not e.maker_left_lots}
    for view in latest.values():
        ended_us = ends.get(view.order_id)
        if ended_us is None:
            continue
        ask = (view.account, view.market)
        assert models.order(*ask, client_id=view.client_id, ended_after_us=ended_us) == view
        assert models.order(*ask, client_id=view.client_id, ended_after_us=ended_us + 1) is None
        assert models.order(*ask, order_id=view.order_id) == view
    ended = next(view for view in latest.values() if view.order_id in ends)
    others = [account for account, _ in history.traders if account != ended.account]
    assert models.order(others[0], ended.market, order_id=ended.order_id) is None
    assert models.order(ended.account, "NO_MARKET", order_id=ended.order_id) is None


def test_an_open_order_is_never_too_old(history: History, models: ReadModels) -> None:
    order = next(iter(history.state.orders.values()))
    found = models.order(order.account.account_id, order.market.symbol, order_id=order.order_id, ended_after_us=2**62)
    assert found == order_view(order)


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
