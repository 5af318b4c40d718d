"""Pages of an account's history: made from records, the same as if every line were kept, and nobody else's."""

import random
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from exchange.core import State
from exchange.core.orders.view import order_view
from exchange.journal import sealing
from exchange.journal.errors import JournalDamaged, SegmentAway
from exchange.journal.layout import journal_path
from exchange.journal.segments import manifest
from exchange.runtime.follower.read_models import FILE_NAME, ReadModels, ReadModelsHarmed, ReadModelWriter, lists
from exchange.runtime.port import Page
from exchange.values.enums import Bucket, OrderStatus
from exchange.values.ids import CUSTODY, FEES, AccountId, OrderId
from exchange.values.orders.commands import PlaceOrder
from exchange.values.orders.events import Traded
from tests.maintenance.evidence.books import rewrite_list
from tests.runtime.follower.oracle import Oracle, paged
from tests.runtime.follower.recorded import MARKETS, History, keep
from tests.runtime.follower.test_read_models import fill

ASSETS = ("USDC", "SOL", "BTC")
#: Fields of a line that name an account, order or key.
NAMING = ("account", "order_id", "actor", "ended_by", "reference")
ALL = Page(limit=1_000, ascending=True)


@pytest.fixture(scope="module")
def history() -> History:
    """Some of it with many records to a millisecond."""
    return History().run(1_500).run(700, pause_us=150).run(300)


@pytest.fixture(scope="module")
def oracle(history: History) -> Oracle:
    return Oracle(history.records)


@pytest.fixture(scope="module")
def kept(history: History, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with journal and read models."""
    data = tmp_path_factory.mktemp("pages")
    keep(data, history.records)
    fill(ReadModelWriter(data / FILE_NAME), State(), history.records, 300)
    return data


@pytest.fixture(scope="module")
def models(kept: Path) -> Iterator[ReadModels]:
    models = ReadModels(kept / FILE_NAME)
    yield models
    models.close()


@pytest.fixture
def own(history: History, tmp_path: Path) -> Path:
    """A data folder to harm."""
    keep(tmp_path, history.records)
    fill(ReadModelWriter(tmp_path / FILE_NAME), State(), history.records, 1_000)
    return tmp_path


def accounts(history: History) -> list[AccountId]:
    return [*(account for account, _ in history.traders), FEES, CUSTODY, AccountId(999)]


def random_page(choose: random.Random, times: Sequence[int]) -> Page:
    begin, end = sorted(choose.choice(times) + choose.choice((-1, 0, 1)) for _ in range(2))
    return Page(
        limit=choose.choice((-1, 0, 1, 2, 7, 64, 100, 1_000, 5_000)),
        offset=choose.choice((0, 0, 1, 63, 64, 65, 300, 10_000)),
        ascending=choose.random() < 0.6,
        from_us=choose.choice((None, begin, begin // 1_000 * 1_000)),
        to_us=choose.choice((None, end, end // 1_000 * 1_000)),
        whole_ms=choose.random() < 0.5,
        as_of=choose.choice((None, None, choose.randrange(len(times)))),
    )


def test_every_page_is_what_the_events_say(history: History, oracle: Oracle, models: ReadModels) -> None:
    choose, times, last = random.Random(7), sorted(oracle.times.values()), len(history.records)
    seen = 0
    for account in accounts(history):
        orders = oracle.orders[account]
        for _ in range(60):
            page = random_page(choose, times)
            market, asset = choose.choice((None, *MARKETS, "NO_MARKET")), choose.choice((None, *ASSETS, "NONE"))
            order_id = choose.choice((None, None, *(order.order_id for order in orders[-50:]), OrderId(3)))

            def wanted(row: Any, market: str | None = market, order_id: OrderId | None = order_id) -> bool:
                return market in (None, row.market) and order_id in (None, row.order_id)

            found_orders = models.order_history(account, page, market=market, order_id=order_id)
            assert found_orders == paged([o for o in orders if wanted(o)], page, lambda order: order.created_us, last)
            found_fills = models.fills(account, page, market=market, order_id=order_id)
            assert found_fills == paged(
                [f for f in oracle.fills[account] if wanted(f)], page, lambda f: f.time_us, last
            )
            found_ledger = models.ledger(account, page, asset=asset)
            lines = [line for line in oracle.ledger[account] if asset in (None, line.asset)]
            assert found_ledger == paged(lines, page, lambda line: line.time_us, last)
            deposits = [line for line in oracle.ledger[account] if line.kind == "deposit"]
            assert models.deposits(account, page) == paged(deposits, page, lambda line: line.time_us, last)
            seen += len(found_orders.rows) + len(found_fills.rows) + len(found_ledger.rows)
    assert seen > 10_000


def test_whole_histories_are_all_there(history: History, oracle: Oracle, models: ReadModels) -> None:
    for account in accounts(history):
        for query, rows in (
            (models.order_history, oracle.orders[account]),
            (models.fills, oracle.fills[account]),
            (models.ledger, oracle.ledger[account]),
        ):
            found: list[Any] = []
            while page := query(account, Page(limit=300, offset=len(found), ascending=True)).rows:
                found += page
            assert found == rows
    statuses = {order.status for orders in oracle.orders.values() for order in orders}
    assert statuses == set(OrderStatus)


def test_an_order_by_id_and_by_client_id(history: History, oracle: Oracle, models: ReadModels) -> None:
    choose = random.Random(3)
    for account, _ in history.traders:
        for order in choose.sample(oracle.orders[account], 40):
            assert models.order(account, order.market, order_id=order.order_id) == order
            assert models.order(account, "NO_MARKET", order_id=order.order_id) is None
            assert models.order(AccountId(999), order.market, order_id=order.order_id) is None
            if order.client_id is not None:
                for after_us in (0, choose.choice(list(oracle.times.values()))):
                    found = models.order(account, order.market, client_id=order.client_id, ended_after_us=after_us)
                    assert found == oracle.client_id(account, order.market, order.client_id, after_us)
        assert models.order(account, MARKETS[0], client_id=2**32 - 1) is None


def test_a_client_id_is_found_until_its_newest_order_is_too_old(
    history: History, oracle: Oracle, models: ReadModels
) -> None:
    latest = {(o.account, o.market, o.client_id): o for orders in oracle.orders.values() for o in orders}
    ended = 0
    for (account, market, client_id), order in latest.items():
        if client_id is None:
            continue
        assert models.order(account, market, client_id=client_id) == order
        if order.ended_seq is not None:
            ended += 1
            ended_us = oracle.times[order.ended_seq]
            assert models.order(account, market, client_id=client_id, ended_after_us=ended_us) == order
            assert models.order(account, market, client_id=client_id, ended_after_us=ended_us + 1) is None
            assert models.order(account, market, order_id=order.order_id) == order
    assert ended > 100


def test_an_open_order_is_never_too_old(history: History, models: ReadModels) -> None:
    order = next(iter(history.state.orders.values()))
    found = models.order(order.account.account_id, order.market.symbol, order_id=order.order_id, ended_after_us=2**62)
    assert found == order_view(order)


def test_ledger_lines_add_up_to_every_balance(history: History, models: ReadModels) -> None:
    for account in history.state.accounts.values():
        for asset, balance in account.balances.items():
            lines = models.ledger(account.account_id, Page(limit=1_000), asset=asset).rows
            for bucket, atoms in ((Bucket.AVAILABLE, balance.available_atoms), (Bucket.LOCKED, balance.locked_atoms)):
                newest = next((line for line in lines if line.bucket == bucket), None)
                assert atoms == (0 if newest is None else newest.balance_atoms)


def test_a_page_shows_nothing_of_the_counterparty(history: History, models: ReadModels) -> None:
    """Neither account, key, order nor client id of anybody else."""
    for account, _ in history.traders:
        others = [(other, other_key) for other, other_key in history.traders if other != account]
        theirs = {str(each) for pair in others for each in pair}
        for record in history.records:
            if isinstance(record.command, PlaceOrder) and record.command.account != account:
                theirs.add(str(record.seq * 10))
        for query in (models.order_history, models.fills, models.ledger):
            for row in query(account, ALL).rows:
                named = {word for name in NAMING for word in str(getattr(row, name, "")).replace("-", " ").split()}
                assert str(account) in named
                assert not named & theirs
    client_ids: dict[int, int | None] = {
        record.seq * 10: record.command.client_id
        for record in history.records
        if isinstance(record.command, PlaceOrder)
    }
    for account, _ in history.traders:
        for made in models.fills(account, ALL).rows:
            assert made.client_id == client_ids[made.order_id]


# --- what can be wrong with the records and the index -------------------------------------------------


def queries(models: ReadModels, account: AccountId) -> list[Callable[[Page], Any]]:
    return [partial(query, account) for query in (models.order_history, models.fills, models.ledger)]


def drop_sealed_rows(data: Path) -> None:
    with sqlite3.connect(journal_path(data)) as journal:
        journal.execute("DELETE FROM batches WHERE last_seq <= ?", (manifest(data)[-1].last_seq,))
    journal.close()


def test_a_segment_that_is_sealed_meanwhile_changes_no_page(own: Path, history: History, oracle: Oracle) -> None:
    models, account = ReadModels(own / FILE_NAME), history.traders[0][0]
    expected = [query(ALL) for query in queries(models, account)]
    sealing.seal(own, segment_records=500, tail_records=500)
    assert [query(ALL) for query in queries(models, account)] == expected
    drop_sealed_rows(own)
    assert [query(ALL) for query in queries(models, account)] == expected
    assert [query(ALL) for query in queries(ReadModels(own / FILE_NAME), account)] == expected


def test_a_page_that_needs_an_archive_that_is_away_says_so_with_its_time_span(
    own: Path, history: History, oracle: Oracle
) -> None:
    sealing.seal(own, segment_records=500, tail_records=500)
    drop_sealed_rows(own)
    sealing.archive(own, own / "archive", up_to_seq=1_000)
    account = history.traders[0][0]
    expected = oracle.ledger[account]
    assert list(ReadModels(own / FILE_NAME).ledger(account, ALL).rows) == expected[:1_000]
    (own / "archive").rename(own / "unplugged")
    models = ReadModels(own / FILE_NAME)
    with pytest.raises(SegmentAway) as away:
        models.ledger(account, Page(limit=10, ascending=True))
    assert (away.value.first_time_us, away.value.last_time_us) == (
        history.records[0].time_us,
        history.records[499].time_us,
    )
    newest = models.ledger(account, Page(limit=10))
    assert (list(newest.rows), newest.total) == (expected[:-11:-1], len(expected)), "what is here is shown, and counted"
    with pytest.raises(SegmentAway):
        models.ledger(account, Page(limit=10, offset=len(expected) - 5))
    (own / "unplugged").rename(own / "archive")
    assert list(models.ledger(account, ALL).rows) == expected[:1_000], "once it is back"


def test_a_damaged_record_is_named_and_never_shown(own: Path, history: History, oracle: Oracle) -> None:
    record = next(r for r in history.records[1_000:] if isinstance(r.events[0], Traded))
    trade = record.events[0]
    assert isinstance(trade, Traded)
    with sqlite3.connect(journal_path(own)) as journal:
        [(first_seq, lines)] = journal.execute(
            "SELECT first_seq, lines FROM batches WHERE first_seq <= ? AND last_seq >= ?", (record.seq, record.seq)
        ).fetchall()
        split = lines.split(b"\n")
        was = split[record.seq - first_seq]
        lots = b'"lots":%d,' % trade.lots
        split[record.seq - first_seq] = was.replace(lots, b'"lots":%d,' % (trade.lots + 1), 1)
        assert split[record.seq - first_seq] != was
        journal.execute("UPDATE batches SET lines = ? WHERE first_seq = ?", (b"\n".join(split), first_seq))
    journal.close()
    models = ReadModels(own / FILE_NAME)
    for account, order_id in (
        (trade.taker_account, trade.taker_order_id),
        (trade.maker_account, trade.maker_order_id),
    ):
        with pytest.raises(JournalDamaged) as damaged:
            models.fills(account, ALL, order_id=order_id)
        assert damaged.value.seq == record.seq
        fills = oracle.fills[account]
        number = next(index for index, fill in enumerate(fills) if fill.seq == record.seq)
        assert list(models.fills(account, Page(limit=number, ascending=True)).rows) == fills[:number], (
            "others are shown"
        )


@pytest.mark.parametrize("change", [{"at": 500}, {"kind": lists.FILL}, {"kind": lists.ORDER}, {"kind": lists.LOCKED}])
def test_an_entry_that_its_record_does_not_bear_out_is_not_shown(
    own: Path, history: History, change: dict[str, int]
) -> None:
    account = history.traders[0][0]
    rewrite_list(
        own,
        account,
        lambda entry: entry._replace(**change) if entry.kind in (lists.DEPOSIT, lists.AVAILABLE) else entry,
    )
    models = ReadModels(own / FILE_NAME)
    query = {lists.FILL: models.fills, lists.ORDER: models.order_history}.get(change.get("kind", -1), models.ledger)
    with pytest.raises(ReadModelsHarmed, match=f"account {account} "):
        query(account, ALL)


def test_an_entry_of_somebody_elses_record_is_not_shown(own: Path, history: History) -> None:
    account, other = history.traders[0][0], history.traders[1][0]
    with sqlite3.connect(own / FILE_NAME) as models:
        models.execute("DELETE FROM lists WHERE account = ?", (account,))
        models.execute("UPDATE lists SET account = ? WHERE account = ?", (account, other))
    models.close()
    shown = ReadModels(own / FILE_NAME)
    for query in queries(shown, account):
        with pytest.raises(ReadModelsHarmed):
            query(ALL)
