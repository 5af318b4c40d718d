"""Starting, stopping, and being the same afterwards."""

import asyncio
import os
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from exchange.core.digest import digest
from exchange.core.invariants import violations
from exchange.journal.backup import backup, restore
from exchange.journal.errors import BackupError, ClockBehind, JournalLocked, NoJournal, WriterFailed
from exchange.journal.layout import restored_path, snapshots_dir
from exchange.runtime.clock import ClockAheadOfJournal, ClockBehindJournal, clock_after
from exchange.runtime.core import life as life_module
from exchange.runtime.core.commit import Committer
from exchange.runtime.core.ending import Reason
from exchange.runtime.core.life import Life
from exchange.runtime.core.venue import Venue
from exchange.runtime.feeds.intervals import INTERVALS
from exchange.runtime.follower.client import FollowerClient
from exchange.runtime.follower.messages import Check, Mismatch
from exchange.runtime.port import Channel, Page, Paged, Topic
from exchange.values.enums import Mode
from exchange.values.listings.views import DepthDelta
from exchange.values.modes.commands import DropToCancelOnly, ResumeModes, SetMode
from exchange.values.orders.commands import CancelForAccount, CancelOrder, PlaceOrder, SetCancelOnDisconnect
from exchange.values.orders.views import Outcome
from exchange.values.process.commands import StartProcess, StopProcess
from exchange.values.process.events import ProcessStarted
from exchange.values.refusals import Code
from tests import venue as core
from tests.runtime.running import (
    MARKET,
    START_US,
    HandClock,
    Seen,
    Traders,
    done,
    records,
    running,
    trading,
    write_journal,
    writer_held,
)


@pytest.fixture
def traders() -> Traders:
    return Traders()


async def picture(venue: Venue, traders: Traders, now_us: int) -> dict[str, Any]:
    """Everything a client can ask that must not change with a restart."""
    shown: dict[str, Any] = {
        "depth": (await venue.depth(MARKET, 1_000)),
        "tickers": [await venue.ticker(MARKET, days) for days in (1, 7)],
        "trades": await venue.trades("", MARKET, 1_000),
        "markets": [(view.spec, view.filters, view.last_price_ticks) for view in venue.markets()],
        "assets": venue.assets(),
        "candles": [
            await venue.candles("", MARKET, interval, now_us - 86_400_000_000, now_us) for interval in INTERVALS
        ],
    }
    for account in (traders.ann, traders.bob):
        shown[f"{account}"] = [
            await venue.account(account),
            await venue.balances(account),
            await venue.open_orders(account),
            *(
                (found.rows, found.total) if isinstance(found, Paged) else found
                for found in (
                    await venue.order_history(account, Page(limit=1_000)),
                    await venue.fills(account, Page(limit=1_000)),
                    await venue.ledger(account, Page(limit=1_000)),
                )
            ),
        ]
    return shown


async def trade_for_a_while(venue: Venue, traders: Traders, clock: HandClock) -> None:
    for number in range(60):
        await done(venue, traders.sell(traders.ann, 10_000 + number % 9, 3, client_id=number))
        await done(venue, traders.buy(traders.bob, 10_000 + number % 5, 2))
        clock.pass_s(47 * (number % 4) ** 4)
    await done(venue, traders.core.cancel_client_id(traders.ann, 8))


def running_candles(life: Life, now_us: int) -> list[Any]:
    candles = life._streams.feeds[MARKET].candles
    assert candles is not None
    return [candles.running(interval, now_us) for interval in INTERVALS]


@pytest.mark.parametrize("clean", [True, False])
async def test_nothing_a_client_can_ask_changes_with_a_restart(tmp_path: Path, traders: Traders, clean: bool) -> None:
    clock = HandClock()
    async with trading(tmp_path, traders, clock) as life:
        await trade_for_a_while(life.venue, traders, clock)
        before = await picture(life.venue, traders, clock.now_us())
        candles = running_candles(life, clock.now_us())
        if not clean:
            life._writer._process.kill()
            async with asyncio.timeout(5):
                await life.ended()
    async with running(tmp_path, clock) as life:
        assert life.venue.status().mode is Mode.FULL
        after = await picture(life.venue, traders, clock.now_us())
        # The clock of a depth answer is that of the last record, and a start makes some.
        assert after.pop("depth").update_id == before.pop("depth").update_id
        assert after == before
        assert running_candles(life, clock.now_us()) == candles
        seen = Seen()
        life.venue.watch(Topic(Channel.DEPTH, MARKET), seen.add)
        await done(life.venue, traders.buy(traders.bob, 9_000))
        [delta] = seen
        assert isinstance(delta, DepthDelta)
        depth = await life.venue.depth(MARKET, 1)
        assert delta.first_id == delta.last_id == depth.update_id
    starts = [event for record in records(tmp_path) for event in record.events if isinstance(event, ProcessStarted)]
    assert [start.clean for start in starts][1:] == [False, clean], "the past was written without an end"


async def test_a_stop_in_order_finishes_what_waits_and_says_so(tmp_path: Path, traders: Traders) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:
        replies: list[list[Outcome]] = []
        for price in range(9_000, 9_500):
            life.venue.submit([traders.buy(traders.ann, price)], replies.append)
        await life.stop("for the night")
        assert [outcomes[0].refusal for outcomes in replies] == [None] * 500
        late: list[list[Outcome]] = []
        life.venue.submit([traders.buy(traders.ann, 9_000)], late.append)
        assert late[0][0].refusal is not None
        assert late[0][0].refusal.code is Code.MAINTENANCE
        assert (await life.ended()).reason is Reason.STOPPED
        state = life.state
    last = records(tmp_path)[-1]
    assert last.command == StopProcess("for the night")
    assert [path.stem for path in snapshots_dir(tmp_path).glob(f"*{last.seq}*")], "a snapshot of the end"
    async with running(tmp_path, HandClock()) as life:
        assert life._recovered.snapshot_seq == last.seq
        assert digest(life._recovered.state) != digest(state), "the start's own records came on top"


async def test_every_start_is_offline_first_and_resumes_only_by_the_policy(tmp_path: Path) -> None:
    traders = Traders(auto_resume=False)
    traders.core.expect(traders.buy(traders.ann, 9_000))
    async with trading(tmp_path, traders, HandClock()) as life:
        assert life.venue.status().mode is Mode.OFFLINE
        outcome = await life.venue.execute(traders.buy(traders.ann, 9_000))
        assert outcome.refusal is not None
        assert outcome.refusal.code is Code.MAINTENANCE
        assert len((await life.venue.depth(MARKET, 5)).bids) == 1, "queries are answered"
        shut = await life.venue.execute(SetMode(core.ADMIN, Mode.POST_ONLY, "because"))
        assert shut.refusal is not None, "a word is not enough to open it again"


async def test_orders_of_sessions_lost_with_the_process_are_cancelled_before_anything_else(
    tmp_path: Path, traders: Traders
) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:
        await done(life.venue, SetCancelOnDisconnect(traders.ann, traders.core.key(traders.ann), "s1", True))
        for price in (9_000, 9_001):
            await done(life.venue, traders.buy(traders.ann, price))
        await done(life.venue, traders.buy(traders.bob, 9_002))
        last_seq = life.state.seq
        life._writer._process.kill()
    async with running(tmp_path, HandClock()) as life:
        assert await life.venue.open_orders(traders.ann) == ()
        assert len(await life.venue.open_orders(traders.bob)) == 1
        assert life.venue.status().mode is Mode.FULL
    kinds = [type(record.command) for record in records(tmp_path, last_seq + 1)]
    assert kinds[:3] == [StartProcess, CancelForAccount, ResumeModes]


async def test_another_build_stays_offline(tmp_path: Path, traders: Traders, monkeypatch: pytest.MonkeyPatch) -> None:
    async with trading(tmp_path, traders, HandClock()):
        pass
    monkeypatch.setattr(life_module, "build_id", lambda: "another build")
    async with running(tmp_path, HandClock()) as life:
        assert life.venue.status().mode is Mode.OFFLINE
        assert life.venue.status().build == "another build"


async def test_a_start_with_something_to_look_at_stays_offline_and_so_does_the_next(
    tmp_path: Path, traders: Traders
) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:
        assert life.venue.status().mode is Mode.FULL
    newest = max(snapshots_dir(tmp_path).iterdir())
    newest.write_bytes(newest.read_bytes()[:-50])
    for _ in range(2):  # by then there is a newer snapshot, and nothing to see of the damaged one
        async with running(tmp_path, HandClock()) as life:
            assert life.venue.status().mode is Mode.OFFLINE


async def test_two_processes_cannot_have_one_journal(tmp_path: Path, traders: Traders) -> None:
    async with trading(tmp_path, traders, HandClock()):
        with pytest.raises(JournalLocked):
            await Life.start(tmp_path, clock=HandClock())


async def test_a_clock_behind_the_journal_refuses_to_start_and_leaves_nothing_running(
    tmp_path: Path, traders: Traders
) -> None:
    await write_journal(tmp_path, traders.core.records)
    with pytest.raises(ClockBehind):
        await Life.start(tmp_path, clock=HandClock(START_US - 10**12))
    async with running(tmp_path, HandClock()):
        pass


async def test_a_system_clock_far_from_the_last_record_records_nothing(
    tmp_path: Path, traders: Traders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The traders' past is of long ago."""
    monkeypatch.setattr(life_module, "clock_after", partial(clock_after, kept=lambda: False))
    await write_journal(tmp_path, traders.core.records)
    with pytest.raises(ClockAheadOfJournal):
        await Life.start(tmp_path)
    assert len(records(tmp_path)) == len(traders.core.records)
    life = await Life.start(tmp_path, clock_is_right=True)
    assert life.venue.status().mode is Mode.FULL
    await life.stop("the test is over")
    await (await Life.start(tmp_path)).stop("the last record is of just now")


async def test_a_venue_whose_records_are_of_tomorrow_goes_on_with_cancels(tmp_path: Path, traders: Traders) -> None:
    """A start with the clock a day ahead, then one with the right time."""
    tomorrow_us = time.time_ns() // 1_000 + 86_400 * 10**6
    async with trading(tmp_path, traders, HandClock(tomorrow_us)) as life:
        resting = await done(life.venue, traders.buy(traders.ann, 9_000))
    with pytest.raises(ClockBehindJournal, match="--clock-is-right"):
        await Life.start(tmp_path)
    life = await Life.start(tmp_path, clock_is_right=True)
    try:
        assert life.venue.status().mode is Mode.CANCEL_ONLY
        assert "time stands still" in life.venue.status().reason
        assert abs(life.venue.now_us() - time.time_ns() // 1_000) < 5 * 10**6  # or every signature would be too old
        refused = await life.venue.execute(traders.buy(traders.bob, 9_000))
        assert refused.refusal is not None
        assert isinstance(resting.command, PlaceOrder)
        cancel = CancelOrder(traders.ann, resting.command.key_id, MARKET, resting.orders[0].order_id)
        assert (await done(life.venue, cancel)).time_us >= tomorrow_us
        assert life.clock.divergence_us() < 0
    finally:
        await life.stop("the test is over")
    times = [record.time_us for record in records(tmp_path)]
    assert times == sorted(times)


async def test_a_folder_that_was_never_founded_is_not_started(tmp_path: Path) -> None:
    await write_journal(tmp_path, [])
    with pytest.raises(NoJournal):
        await Life.start(tmp_path, clock=HandClock())


async def test_a_writer_that_dies_during_the_start_ends_the_start(
    tmp_path: Path, traders: Traders, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = Life._wait_for_past

    async def killing(life: Life, follower: FollowerClient) -> None:
        life._writer._process.kill()
        await load(life, follower)

    await write_journal(tmp_path, traders.core.records)
    with monkeypatch.context() as broken:
        broken.setattr(Life, "_wait_for_past", killing)
        with pytest.raises(WriterFailed):
            async with asyncio.timeout(20):
                await Life.start(tmp_path, clock=HandClock())
    async with running(tmp_path, HandClock()) as life:
        assert life.venue.status().mode is Mode.FULL


async def test_commands_are_taken_only_once_started(tmp_path: Path, traders: Traders) -> None:
    clock = HandClock()
    async with trading(tmp_path, traders, clock) as life:
        assert life.venue.started_us() == START_US
        assert life.venue.now_us() == START_US


async def test_the_start_reports_every_record_durable_before_it_is_over(tmp_path: Path, traders: Traders) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:
        with writer_held(life):
            stop = asyncio.create_task(life.stop("test"))
            await asyncio.sleep(0.2)
            assert not stop.done(), "the last record isn't durable"
        await stop


@pytest.mark.parametrize("check", [Check.DIGEST, Check.INVARIANT])
async def test_a_difference_in_memory_ends_the_process_and_shows_nothing_more(
    tmp_path: Path, traders: Traders, check: Check
) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:
        life._mismatch(Mismatch(check, life.state.seq, "one", "another"))
        assert (await life.ended()).reason is Reason.STATE_DOUBTFUL
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await life.venue.balances(traders.ann)


@pytest.mark.parametrize("check", [Check.REHEARSAL, Check.RECOVERY])
async def test_a_difference_elsewhere_stops_business_but_not_the_process(
    tmp_path: Path, traders: Traders, check: Check
) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:
        life._mismatch(Mismatch(check, life.state.seq, "one", "another"))
        await life.venue.balances(traders.ann)
        status = life.venue.status()
        assert status.mode is Mode.CANCEL_ONLY
        assert str(check) in status.reason


async def test_a_state_that_drifts_from_the_records_is_noticed(tmp_path: Path, traders: Traders) -> None:
    """For real: an atom appears in memory, and the follower's own fold doesn't have it."""
    clock = HandClock()
    async with trading(tmp_path, traders, clock) as life:
        life.state.accounts[traders.ann].balances["USDC"].available_atoms += 1
        end = asyncio.create_task(life.ended())
        for number in range(200):
            clock.pass_s(1.1)
            await asyncio.sleep(0.11)
            if end.done():
                break
            await life.venue.execute(traders.buy(traders.bob, 9_000 + number))
        assert end.done()
        assert end.result().reason is Reason.STATE_DOUBTFUL
    async with running(tmp_path, clock) as life:
        assert violations(life.state) == []


async def test_a_killed_follower_costs_history_a_moment_and_trading_nothing(tmp_path: Path, traders: Traders) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:
        assert life._follower is not None
        os.kill(life._follower._process.pid, signal.SIGKILL)
        placed = await done(life.venue, traders.buy(traders.ann, 9_000))
        history = await life.venue.order_history(traders.ann, Page())
        assert getattr(history, "rows", ()) == placed.orders


async def a_backup_behind_its_venue(tmp_path: Path, traders: Traders, clock: HandClock) -> int:
    """In `backup`, made while the venue was FULL and has gone on since; returns the seq it ends at."""
    async with trading(tmp_path / "data", traders, clock) as life:
        await done(life.venue, traders.sell(traders.ann, 10_000))
        made = await asyncio.to_thread(backup, tmp_path / "data", tmp_path / "backup")
        await done(life.venue, traders.buy(traders.bob, 10_000))
        assert life.venue.status().mode is Mode.FULL
    return made.seq


async def test_a_restored_backup_does_not_open_by_itself_now_or_later(tmp_path: Path, traders: Traders) -> None:
    clock, again = HandClock(), tmp_path / "again"
    seq = await a_backup_behind_its_venue(tmp_path, traders, clock)
    restore(tmp_path / "backup", again)
    for _ in range(2):
        async with running(again, clock) as life:
            status = life.venue.status()
            assert status.mode is Mode.OFFLINE
            assert not restored_path(again).exists()
    reasons = [
        record.command.reason for record in records(again, seq + 1) if isinstance(record.command, DropToCancelOnly)
    ]
    assert reasons == [f"restored from a backup that ends at record {seq}; what came after it is not here"]


async def test_a_crash_before_that_is_on_record_changes_nothing_about_it(
    tmp_path: Path, traders: Traders, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, again = HandClock(), tmp_path / "again"
    await a_backup_behind_its_venue(tmp_path, traders, clock)
    restore(tmp_path / "backup", again)
    with monkeypatch.context() as crashing:
        commit = Committer.commit

        def dies(committer: Any, command: Any) -> Any:
            if isinstance(command, DropToCancelOnly):
                raise RuntimeError("the machine is gone")
            return commit(committer, command)

        crashing.setattr(Committer, "commit", dies)
        with pytest.raises(RuntimeError):
            await Life.start(again, clock=clock)
    assert restored_path(again).exists()
    async with running(again, clock) as life:
        assert life.venue.status().mode is Mode.OFFLINE
    assert not restored_path(again).exists()


async def test_a_backup_is_not_started_in_its_own_folder(tmp_path: Path, traders: Traders) -> None:
    await a_backup_behind_its_venue(tmp_path, traders, HandClock())
    before = {path: path.read_bytes() for path in (tmp_path / "backup").rglob("*") if path.is_file()}
    with pytest.raises(BackupError, match="exchange restore puts it into a new data folder"):
        await Life.start(tmp_path / "backup", clock=HandClock())
    assert {path: path.read_bytes() for path in (tmp_path / "backup").rglob("*") if path.is_file()} == before
