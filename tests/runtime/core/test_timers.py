"""What happens because time passes."""

import asyncio
from pathlib import Path

import pytest

from exchange.runtime.clock import MAX_DIVERGENCE_US
from exchange.runtime.core.life import Life
from exchange.runtime.port import Channel, Topic
from exchange.values.enums import CancelReason, Mode
from exchange.values.listings.views import DepthDelta, TickerView
from exchange.values.modes.commands import DropToCancelOnly
from exchange.values.orders.commands import CancelForAccount, SetCancelAllAfter
from exchange.values.orders.views import OrderUpdate
from tests.runtime.running import MARKET, HandClock, Seen, Traders, done, records, trading


@pytest.fixture
def traders() -> Traders:
    return Traders()


async def ticks(count: int = 3) -> None:
    await asyncio.sleep(0.1 * count + 0.05)


async def test_a_dead_mans_switch_fires_though_nobody_sends_anything(tmp_path: Path, traders: Traders) -> None:
    clock = HandClock()
    async with trading(tmp_path, traders, clock) as life:
        seen = Seen()
        life.venue.watch(Topic(Channel.ORDER_UPDATE, account=traders.ann), seen.add)
        await done(life.venue, traders.buy(traders.ann, 9_000))
        await done(life.venue, traders.buy(traders.bob, 9_000))
        await done(life.venue, SetCancelAllAfter(traders.ann, traders.core.key(traders.ann), 5_000_000))
        clock.pass_s(4.9)
        await ticks()
        assert len(seen) == 1
        clock.pass_s(0.2)
        await seen.soon(2)
        assert isinstance(seen[1], OrderUpdate)
        assert seen[1].order.cancel_reason is CancelReason.CANCEL_ALL_AFTER
        assert len(await life.venue.open_orders(traders.bob)) == 1


async def test_due_work_runs_before_a_client_command_that_comes_with_it(tmp_path: Path, traders: Traders) -> None:
    """Though the timer's own turn has not come yet: a sell can't meet a bid that should be gone."""
    clock = HandClock()
    async with trading(tmp_path, traders, clock) as life:
        await done(life.venue, traders.buy(traders.ann, 9_990))
        await done(life.venue, SetCancelAllAfter(traders.ann, traders.core.key(traders.ann), 5_000_000))
        clock.pass_s(5.1)
        sold = await done(life.venue, traders.sell(traders.bob, 9_990))
        assert sold.orders[0].filled_lots == 0
    kinds = [type(record.command) for record in records(tmp_path, sold.seq - 1)]
    assert kinds[0] is CancelForAccount


class RunningClock(HandClock):
    """Moves on by `step_us` whenever it is read."""

    step_us = 0

    def now_us(self) -> int:
        self.time_us += self.step_us
        return self.time_us


async def test_work_that_falls_due_within_a_batch_runs_between_its_commands(tmp_path: Path, traders: Traders) -> None:
    clock = RunningClock()
    async with trading(tmp_path, traders, clock) as life:
        await done(life.venue, SetCancelAllAfter(traders.ann, traders.core.key(traders.ann), 5_000_000))
        clock.step_us = 500_000
        for _ in range(40):
            life.venue.submit([traders.buy(traders.bob, 9_000)], lambda _outcomes: None)
        last = await done(life.venue, traders.buy(traders.bob, 9_000))
        clock.step_us = 0
    kinds = [type(record.command) for record in records(tmp_path, last.seq - 41)]
    assert CancelForAccount in kinds[5:30]


async def test_paced_streams_go_on_without_commands(tmp_path: Path, traders: Traders) -> None:
    clock = HandClock()
    async with trading(tmp_path, traders, clock) as life:
        depth, ticker = Seen(), Seen()
        life.venue.watch(Topic(Channel.DEPTH, MARKET, interval="200"), depth.add)
        life.venue.watch(Topic(Channel.TICKER, MARKET), ticker.add)
        await done(life.venue, traders.sell(traders.ann, 10_000, 2))
        await done(life.venue, traders.buy(traders.bob, 10_000, 1))
        clock.pass_s(0.2)
        await depth.soon(1)
        clock.pass_s(1)
        await ticker.soon(1)
        [delta] = depth
        assert isinstance(delta, DepthDelta)
        assert (delta.first_id, delta.last_id, delta.asks) == (1, 2, ((10_000, 1),))
        assert isinstance(ticker[-1], TickerView)
        assert ticker[-1].trades == 1


async def brakes(life: Life, clock: HandClock, off_us: int) -> Mode:
    clock.off_us = off_us
    clock.pass_s(1.1)
    await ticks()
    await life.venue.depth(MARKET, 1)
    return life.venue.status().mode


async def test_a_wall_clock_out_of_bounds_brakes_the_venue_once_and_says_why(tmp_path: Path, traders: Traders) -> None:
    clock = HandClock()
    async with trading(tmp_path, traders, clock) as life:
        assert await brakes(life, clock, MAX_DIVERGENCE_US) is Mode.FULL
        assert await brakes(life, clock, -MAX_DIVERGENCE_US - 1) is Mode.CANCEL_ONLY
        assert "clock" in life.venue.status().reason
        for _ in range(3):
            await brakes(life, clock, -MAX_DIVERGENCE_US - 1)
        assert await brakes(life, clock, 0) is Mode.CANCEL_ONLY, "admins open it again, not the clock"
    assert [type(record.command) for record in records(tmp_path)].count(DropToCancelOnly) == 1
