"""History answers reflect what the asker has been told, or say that they can't yet."""

import asyncio
import os
import shutil
import signal
import sqlite3
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from exchange.journal import sealing
from exchange.journal.layout import journal_path
from exchange.journal.segments import manifest_path
from exchange.runtime.core.life import Life
from exchange.runtime.core.venue import CLIENT_ID_US
from exchange.runtime.follower import history as history_module
from exchange.runtime.follower.read_models import FILE_NAME
from exchange.runtime.port import NotNow, Page, Paged
from exchange.values.enums import OrderStatus
from exchange.values.ids import AccountId, OrderId
from exchange.values.orders.views import OrderView
from exchange.values.refusals import Code, Refusal
from exchange.values.times import utc_text
from tests.runtime.running import MARKET, START_US, HandClock, Traders, done, trading


@pytest.fixture
def traders() -> Traders:
    return Traders()


@contextmanager
def follower_held(life: Life) -> Iterator[None]:
    """While inside, the follower stands still, so that the read models fall behind."""
    assert life._follower is not None
    pid = life._follower._process.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_an_answer_waits_for_what_its_account_was_told(tmp_path: Path, traders: Traders) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:
        assert life._follower is not None
        await life._follower.wait_for(life.state.seq, 5)
        with follower_held(life):
            placed = await done(life.venue, traders.sell(traders.ann, 10_000, 2))
            assert await life.venue.trades("", MARKET, 10) == (), "nothing has traded, so nothing is missing"
            bobs = await life.venue.order_history(traders.bob, Page())
            assert isinstance(bobs, Paged), "bob has been told nothing"
            asked = asyncio.create_task(life.venue.order_history(traders.ann, Page()))
            await asyncio.sleep(0.1)
            assert not asked.done()
        anns = await asked
        assert isinstance(anns, Paged)
        assert anns.rows == placed.orders


async def test_a_maker_sees_its_fill_in_the_history_as_soon_as_the_taker_is_answered(
    tmp_path: Path, traders: Traders
) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:
        for number in range(20):
            await done(life.venue, traders.sell(traders.ann, 10_000))
            await done(life.venue, traders.buy(traders.bob, 10_000))
            fills = await life.venue.fills(traders.ann, Page())
            assert isinstance(fills, Paged)
            assert fills.total == number + 1
            trades = await life.venue.trades("", MARKET, 1)
            assert not isinstance(trades, Refusal)
            assert trades[0].trade_id == number + 1


async def test_an_answer_that_would_take_too_long_is_refused_and_never_wrong(
    tmp_path: Path, traders: Traders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_module, "FOLLOWER_TIMEOUT_S", 0.1)
    async with trading(tmp_path, traders, HandClock()) as life:
        with follower_held(life):
            order = (await done(life.venue, traders.sell(traders.ann, 10_000))).orders[0]
            await done(life.venue, traders.buy(traders.bob, 10_000))
            for answer in (
                await life.venue.fills(traders.ann, Page()),
                await life.venue.order(traders.ann, MARKET, order_id=order.order_id),
                await life.venue.trades("", MARKET, 1),
                await life.venue.candles("", MARKET, "1m", START_US, START_US + 1),
            ):
                assert isinstance(answer, Refusal)
                assert answer.code is Code.TIMEOUT


async def test_queries_are_bounded_and_leave_room_for_others(
    tmp_path: Path, traders: Traders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_module, "MAX_QUERIES", 3)
    async with trading(tmp_path, traders, HandClock()) as life:
        rests = (await done(life.venue, traders.sell(traders.ann, 10_000))).orders[0]
        with follower_held(life):
            await done(life.venue, traders.sell(traders.ann, 10_001))
            await done(life.venue, traders.buy(traders.bob, 9_000))
            waiting = [asyncio.create_task(life.venue.fills(traders.ann, Page())) for _ in range(2)]
            await asyncio.sleep(0)
            refused = await life.venue.fills(traders.ann, Page())
            assert isinstance(refused, Refusal)
            assert refused.code is Code.TOO_MANY_REQUESTS
            waiting.append(asyncio.create_task(life.venue.fills(traders.bob, Page())))
            await asyncio.sleep(0)
            assert not waiting[-1].done(), "there is room for another account"
            assert isinstance(await life.venue.trades("an address", MARKET, 1), Refusal), "now it is full"
            found = await life.venue.order(traders.ann, MARKET, order_id=rests.order_id)
            assert found == rests, "an open order takes no history"
        assert all(isinstance(answer, Paged) for answer in await asyncio.gather(*waiting))
        assert isinstance(await life.venue.fills(traders.ann, Page()), Paged)


async def test_one_account_has_its_own_bound_also_where_there_is_room(
    tmp_path: Path, traders: Traders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_module, "MAX_QUERIES_PER_ASKER", 1)
    async with trading(tmp_path, traders, HandClock()) as life:
        with follower_held(life):
            await done(life.venue, traders.sell(traders.ann, 10_000))
            waiting = asyncio.create_task(life.venue.fills(traders.ann, Page()))
            await asyncio.sleep(0)
            refused = await life.venue.fills(traders.ann, Page())
            assert isinstance(refused, Refusal)
            assert refused.code is Code.TOO_MANY_REQUESTS
        assert isinstance(await waiting, Paged)


async def test_one_account_does_not_keep_another_waiting(tmp_path: Path, traders: Traders) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:
        for number in range(50):
            await done(life.venue, traders.sell(traders.ann, 10_000 + number))
        assert isinstance(await life.venue.ledger(traders.ann, Page()), Paged)  # history is up to date
        told: list[str] = []

        async def ask(account: AccountId, name: str) -> None:
            assert isinstance(await life.venue.ledger(account, Page(limit=1_000)), Paged)
            told.append(name)

        async with asyncio.TaskGroup() as asking:
            for _ in range(100):
                asking.create_task(ask(traders.ann, "ann"))
            await asyncio.sleep(0)
            asking.create_task(ask(traders.bob, "bob"))
        assert len(told) == 101
        assert told.index("bob") < 10


async def test_an_order_is_found_open_and_ended_by_id_for_ever_and_by_client_id_for_a_day(
    tmp_path: Path, traders: Traders
) -> None:
    clock = HandClock()
    async with trading(tmp_path, traders, clock) as life:
        venue, ann = life.venue, traders.ann
        placed = (await done(venue, traders.buy(ann, 9_000, client_id=7))).orders[0]
        assert await venue.order(ann, MARKET, client_id=7) == placed
        assert await venue.order(ann, MARKET, order_id=placed.order_id) == placed
        outcome = await done(venue, traders.core.cancel(ann, placed.order_id))
        by = f"key {traders.core.key(ann)}"
        ended = msgspec.structs.replace(
            outcome.orders[0], ended_seq=outcome.seq, ended_command="CancelOrder", ended_by=by
        )
        assert ended.status is OrderStatus.CANCELLED
        assert await venue.order(ann, MARKET, client_id=7) == ended
        assert await venue.order(ann, MARKET, order_id=placed.order_id) == ended
        assert await venue.order(traders.bob, MARKET, order_id=placed.order_id) is None
        assert await venue.order(ann, MARKET, order_id=OrderId(5)) is None
        clock.time_us += CLIENT_ID_US
        assert isinstance(await venue.order(ann, MARKET, client_id=7), OrderView)
        clock.time_us += 1
        assert await venue.order(ann, MARKET, client_id=7) is None
        assert await venue.order(ann, MARKET, order_id=placed.order_id) == ended


def older_copy(read: Path) -> None:
    """One that was taken before the last order, under the same name."""
    shutil.copy(read.with_name("older"), read.with_name("copy"))
    read.with_name("copy").rename(read)


HARMS: dict[str, Callable[[Path], None]] = {
    "removed": lambda read: read.unlink(),
    "replaced by an older copy": older_copy,
    "its log removed": lambda read: read.with_name("read.sqlite-wal").unlink(),
    "written over": lambda read: (read.write_bytes(read.with_name("older").read_bytes()), None)[1],
}


@pytest.mark.parametrize("harm", HARMS, ids=str)
async def test_history_whose_file_is_harmed_is_an_error_until_it_is_made_anew(
    tmp_path: Path, traders: Traders, harm: str
) -> None:
    read = tmp_path / FILE_NAME
    async with trading(tmp_path, traders, HandClock()) as life:
        assert life._follower is not None
        await life._follower.wait_for(life.state.seq, 5)
        with sqlite3.connect(read) as models, sqlite3.connect(tmp_path / "older") as older:
            models.backup(older)
        await done(life.venue, traders.sell(traders.bob, 10_000))
        filled = await done(life.venue, traders.buy(traders.ann, 10_000))
        order_id = filled.orders[0].order_id
        expected = await life.venue.fills(traders.ann, Page())
        assert isinstance(expected, Paged)
        assert expected.total == 1
        ends = life._follower.ends
        HARMS[harm](read)
        async with asyncio.timeout(20):
            while True:
                fills, order = await asyncio.gather(
                    life.venue.fills(traders.ann, Page()), life.venue.order(traders.ann, MARKET, order_id=order_id)
                )
                assert order is not None
                if not isinstance(fills, Refusal):
                    assert fills.rows == expected.rows, "never less than there was"
                if life._follower.ends > ends and not isinstance(fills, Refusal) and not isinstance(order, Refusal):
                    break
                await asyncio.sleep(0.05)
        assert isinstance(order, OrderView)
        assert order.status is OrderStatus.FILLED


async def test_history_that_an_archive_holds_is_refused_with_its_time_span_and_never_empty(
    tmp_path: Path, traders: Traders
) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:
        await done(life.venue, traders.sell(traders.ann, 10_000))
        assert life._follower is not None
        await life._follower.wait_for(life.state.seq, 5)
        sealing.seal(tmp_path, segment_records=7, tail_records=0)
        with sqlite3.connect(journal_path(tmp_path)) as journal:
            journal.execute("DELETE FROM batches WHERE last_seq < ?", (life.state.seq,))
        journal.close()
        sealing.archive(tmp_path, tmp_path / "archive", life.state.seq)
        (tmp_path / "archive").rename(tmp_path / "unplugged")
        deposits = await life.venue.deposits(traders.ann, Page())
        assert isinstance(deposits, Refusal)
        assert deposits.code is Code.MAINTENANCE
        since = utc_text(life.state.markets[MARKET].listed_us)
        assert deposits.message.startswith(f"History from {since} to ")
        newest = await life.venue.order_history(traders.ann, Page(limit=1))
        assert isinstance(newest, Paged)
        assert newest.total == 1
        (tmp_path / "unplugged").rename(tmp_path / "archive")
        assert isinstance(await life.venue.deposits(traders.ann, Page()), Paged)


async def test_a_segment_file_that_is_damaged_is_named_and_what_does_not_need_it_is_shown(
    tmp_path: Path, traders: Traders
) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:
        await done(life.venue, traders.sell(traders.ann, 10_000))
        assert life._follower is not None
        await life._follower.wait_for(life.state.seq, 5)
        whole = await life.venue.deposits(traders.ann, Page())
        assert isinstance(whole, Paged)
        first = sealing.seal(tmp_path, segment_records=life.state.seq - 1, tail_records=0)[0]
        with sqlite3.connect(journal_path(tmp_path)) as journal:
            journal.execute("DELETE FROM batches WHERE last_seq < ?", (life.state.seq,))
        journal.close()
        life._history.read_models._lines = None  # what it had read before is not unpacked any more

        table = first.path(tmp_path, "blocks")
        table.write_bytes(table.read_bytes()[:-9])
        with capture_logs() as logs:
            assert await life.venue.deposits(traders.ann, Page()) == whole, (
                "the segment itself says where its blocks are"
            )
        assert [(each["event"], each["log_level"]) for each in logs] == [("blocks_found_again", "error")]

        life._history.read_models._lines = None
        segment = first.path(tmp_path)
        segment.write_bytes(segment.read_bytes()[:-9])
        with capture_logs() as logs:
            refused = await life.venue.deposits(traders.ann, Page())
        assert refused == Refusal(Code.SERVER_ERROR, f"File {segment.name} can't be read: it is not what was written")
        [told] = logs
        assert (told["event"], told["segment"]) == ("segment_damaged", segment.name)
        assert "exc_info" not in told
        assert str(tmp_path) in told["reason"]
        newest = await life.venue.order_history(traders.ann, Page(limit=1))
        assert isinstance(newest, Paged)
        assert newest.total == 1

        manifest = manifest_path(tmp_path)
        manifest.unlink()
        manifest.mkdir()
        with capture_logs() as logs:
            refused = await life.venue.deposits(traders.ann, Page())
        assert refused == Refusal(Code.SERVER_ERROR, "The history can't be read")
        assert [each["event"] for each in logs] == ["history_unread"]
        assert "exc_info" not in logs[0]


async def test_a_record_that_was_damaged_is_named_and_not_shown(tmp_path: Path, traders: Traders) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:
        placed = await done(life.venue, traders.sell(traders.ann, 10_000, 2))
        assert isinstance(await life.venue.order_history(traders.ann, Page()), Paged)
        await done(life.venue, traders.sell(traders.ann, 10_001, 3))
        assert life._follower is not None
        await life._follower.wait_for(life.state.seq, 5)
        with sqlite3.connect(journal_path(tmp_path)) as journal:
            [(first_seq, lines)] = journal.execute(
                "SELECT first_seq, lines FROM batches WHERE last_seq >= ? LIMIT 1", (life.state.seq,)
            )
            damaged = lines.replace(b'"price_ticks":10001', b'"price_ticks":10002')
            journal.execute("UPDATE batches SET lines = ? WHERE first_seq = ?", (damaged, first_seq))
        journal.close()
        refused = await life.venue.order_history(traders.ann, Page())
        assert isinstance(refused, Refusal)
        assert (refused.code, refused.message) == (
            Code.SERVER_ERROR,
            f"Record {life.state.seq} can't be shown: it is not what was written",
        )
        older = await life.venue.order_history(traders.ann, Page(offset=1))
        assert isinstance(older, Paged)
        assert older.rows == placed.orders


async def test_an_export_is_whole_as_of_where_it_began_and_one_at_a_time(tmp_path: Path, traders: Traders) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:
        venue, ann = life.venue, traders.ann
        for number in range(8):
            await done(venue, traders.sell(ann, 10_000 + number))
        whole = await venue.ledger(ann, Page())
        assert isinstance(whole, Paged)
        for ascending in (False, True):
            pieces = await venue.ledger_export(ann, Page(limit=3, ascending=ascending))
            assert not isinstance(pieces, Refusal)
            found = list(await anext(pieces))
            refused = await venue.ledger_export(ann, Page())
            assert isinstance(refused, Refusal)
            assert refused.code is Code.TOO_MANY_REQUESTS
            assert not isinstance(await venue.ledger_export(traders.bob, Page()), Refusal), "others have their own"
            await done(venue, traders.sell(ann, 10_100))
            async for piece in pieces:
                assert len(piece) <= 3
                found += piece
            assert found == list(whole.rows if not ascending else whole.rows[::-1])
            again = await venue.ledger(ann, Page())
            assert isinstance(again, Paged)
            assert again.total > whole.total, "what came meanwhile is history, and not in the file"
            whole = again


async def test_an_export_whose_reader_is_gone_makes_room_for_the_next(tmp_path: Path, traders: Traders) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:
        pieces = await life.venue.ledger_export(traders.ann, Page(limit=1))
        assert isinstance(pieces, AsyncGenerator)
        await anext(pieces)
        assert isinstance(await life.venue.ledger_export(traders.ann, Page()), Refusal)
        await pieces.aclose()
        assert not isinstance(await life.venue.ledger_export(traders.ann, Page()), Refusal)


async def test_an_export_that_cannot_go_on_says_so(tmp_path: Path, traders: Traders) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:
        pieces = await life.venue.ledger_export(traders.ann, Page(limit=1))
        assert not isinstance(pieces, Refusal)
        await anext(pieces)
        (tmp_path / FILE_NAME).unlink()
        with pytest.raises(NotNow):
            await anext(pieces)
