"""One busy market can't starve another, and a crowded inbox lets a cancel out."""

import asyncio
from pathlib import Path

import pytest

from exchange.runtime.core import inbox as inbox_module
from exchange.runtime.core import outbox as outbox_module
from exchange.runtime.core.lanes import MAX_BATCH_COMMANDS
from exchange.runtime.core.life import Life
from exchange.values.enums import Mode, Side
from exchange.values.listings.commands import ListMarket
from exchange.values.listings.specs import AssetSpec, ListedMarket, spot_market
from exchange.values.modes.commands import SetMode
from exchange.values.orders.commands import PlaceOrder
from exchange.values.orders.views import Outcome
from exchange.values.process.commands import AcceptLoss
from exchange.values.refusals import Code
from tests import venue as core
from tests.runtime.running import MARKET, HandClock, Traders, done, trading, writer_held

QUIET = spot_market(core.USDC, AssetSpec("SOL", 9), 10_000_000, 10_000_000)


@pytest.fixture
def traders() -> Traders:
    return Traders()


async def open_quiet_market(life: Life) -> None:
    await done(life.venue, ListMarket(core.ADMIN, ListedMarket(QUIET, core.FILTERS), "test"))
    for mode in (Mode.POST_ONLY, Mode.FULL):
        await done(life.venue, SetMode(core.ADMIN, mode, "test", QUIET.symbol))


def quiet_order(traders: Traders) -> PlaceOrder:
    key = traders.core.key(traders.bob)
    return PlaceOrder(traders.bob, key, QUIET.symbol, Side.ASK, price_ticks=10_000, lots=1)


async def test_a_quiet_market_and_the_admins_wait_for_a_few_batches_of_a_busy_one_at_most(
    tmp_path: Path, traders: Traders
) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:
        await open_quiet_market(life)
        busy: list[list[Outcome]] = []
        waiting = 3_000
        for number in range(waiting):
            life.venue.submit([traders.buy(traders.ann, 9_000 + number % 900)], busy.append)
        first_seq = life.state.seq + 1
        quiet, admin = await asyncio.gather(
            done(life.venue, quiet_order(traders)),
            done(life.venue, SetMode(core.ADMIN, Mode.CANCEL_ONLY, "stop", MARKET)),
        )
        assert quiet.seq - first_seq < waiting // 10
        assert admin.seq - first_seq < waiting // 10
        await done(life.venue, traders.core.cancel_all(traders.bob))
        accepted = [outcomes[0] for outcomes in busy if outcomes[0].refusal is None]
        assert len(accepted) < waiting // 10, "the brake was felt behind what had been taken"


async def test_a_cancel_leaves_a_crowded_market_at_once(tmp_path: Path, traders: Traders) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:
        placed = await done(life.venue, traders.buy(traders.bob, 9_500))
        for number in range(2_000):
            life.venue.submit([traders.buy(traders.ann, 9_000 + number % 400)], lambda _outcomes: None)
        first_seq = life.state.seq + 1
        cancelled = await done(life.venue, traders.core.cancel(traders.bob, placed.orders[0].order_id))
        assert cancelled.seq - first_seq < 200


async def test_a_full_inbox_refuses_and_tells_at_once(
    tmp_path: Path, traders: Traders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "MAX_INBOX_COMMANDS", 10)
    async with trading(tmp_path, traders, HandClock()) as life:
        replies: list[list[Outcome]] = []
        for _ in range(11):
            life.venue.submit([traders.buy(traders.ann, 9_000)], replies.append)
        [[refused]] = replies
        assert refused.refusal is not None
        assert refused.refusal.code is Code.TOO_MANY_REQUESTS
        assert refused.seq == 0
        await done(life.venue, SetMode(core.ADMIN, Mode.CANCEL_ONLY, "another inbox", MARKET))


async def test_while_too_much_waits_for_the_disk_nothing_more_is_committed(
    tmp_path: Path, traders: Traders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "MAX_UNDURABLE_RECORDS", 100)
    async with trading(tmp_path, traders, HandClock()) as life:
        replies: list[list[Outcome]] = []
        with writer_held(life):
            for number in range(800):
                life.venue.submit([traders.buy(traders.ann, 9_000 + number)], replies.append)
            for _ in range(20):
                await asyncio.sleep(0.01)
            assert 100 < life._outbox.undurable_records <= 100 + MAX_BATCH_COMMANDS
            assert replies == []
        await done(life.venue, traders.buy(traders.ann, 9_000))
        assert len(replies) == 800


async def test_the_seq_of_lost_records_is_not_skipped_while_others_are_made(tmp_path: Path, traders: Traders) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:
        loss = AcceptLoss(core.ADMIN, core.ADMIN, life.state.seq + 10, "", "not while it runs")
        outcome = await life.venue.execute(loss)
        assert outcome.refusal is not None
        assert outcome.seq == 0
        await done(life.venue, traders.buy(traders.ann, 9_000))


async def test_commands_for_a_market_that_is_not_there_are_refused_by_the_core(
    tmp_path: Path, traders: Traders
) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:
        key = traders.core.key(traders.ann)
        for symbol in ("", "NO_SUCH"):
            order = PlaceOrder(traders.ann, key, symbol, Side.BID, price_ticks=1, lots=1)
            outcome = await life.venue.execute(order)
            assert outcome.refusal is not None
            assert outcome.refusal.code is Code.INVALID_CLIENT_REQUEST
        assert len(life.venue._lanes) == 1, "unknown names cost no task"
