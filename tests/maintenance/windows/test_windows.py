"""Windows over a running venue: kept to time, proved, and never half open."""

import asyncio
import sqlite3
from pathlib import Path

import msgspec
import pytest

from exchange.cli.keys import KeyFile, write_private
from exchange.core.invariants import violations
from exchange.values.accounts.commands import UpdateAccount
from exchange.values.accounts.settings import SettingsChange
from exchange.values.enums import Mode, Side
from exchange.values.listings.commands import SetLimits
from exchange.values.listings.specs import Limits
from exchange.values.modes.commands import SetMode
from exchange.values.orders.commands import CancelOrder
from exchange.values.refusals import Code
from exchange.values.windows.certificate import Gate
from exchange.values.windows.commands import ApproveOpening, CancelWindow, RotateVenueKey, WaiveGate
from exchange.values.windows.plan import WindowId, WindowStage
from exchange.values.windows.views import Awaited, Condition
from tests import venue as core
from tests.maintenance.windows.house import BTC_USDC, SECOND_US, SOL_USDC, House, Running


@pytest.fixture
async def house(tmp_path: Path) -> House:
    made = House(tmp_path / "data")
    await made.found()
    return made


async def test_a_window_from_its_plan_over_a_restart_to_its_end(house: House) -> None:
    async with house.up() as before:
        window = await before.plan()
        assert before.view(window).stage is WindowStage.SCHEDULED
        assert before.venue.maintenance().condition is Condition.OPEN
        opening = await before.shut(window)
        assert before.venue.status().mode is Mode.OFFLINE
        assert before.venue.maintenance().condition is Condition.PLANNED
        refused = await before.venue.execute(house.order(house.ann, Side.BID, 9_000))
        assert refused.refusal is not None
        assert refused.refusal.code is Code.MAINTENANCE
        assert "not before 2025-" in refused.refusal.message
        await before.approve(opening.certificate)
    async with house.up() as after:
        opening = await after.awaits(window, Awaited.APPROVALS)
        assert opening.approvals == 0, "approvals are for the certificate of one start"
        await after.approve(opening.certificate)
        assert after.venue.status().mode is Mode.OFFLINE, "not before its time"
        await after.open(window)
        assert after.venue.status().mode is Mode.FULL
        assert [order.price_ticks for order in after.state.orders.values()] == [9_900]
        assert violations(after.state) == []
        await after.do(house.order(house.bob, Side.ASK, 9_900))


async def test_what_is_not_approved_in_time_is_delayed_and_opens_when_it_is(house: House) -> None:
    async with house.up() as running:
        window = await running.plan()
        opening = await running.shut(window)
        running.at(running.view(window).plan.full_at_us)
        await running.reaches(window, WindowStage.DELAYED)
        assert "0 of 2 approvals" in running.view(window).reason
        assert running.venue.status().mode is Mode.OFFLINE
        await running.approve(opening.certificate)
        await running.reaches(window, WindowStage.COMPLETED)
        assert running.venue.status().mode is Mode.FULL


@pytest.mark.parametrize(
    "moment",
    ["begun", "closed", "gates", "certified", "approved", "pre-open"],
)
async def test_a_crash_in_the_middle_of_a_step_leaves_it_shut_and_the_next_process_goes_on(
    house: House, moment: str
) -> None:
    async with house.up(crash=True) as before:
        window = await before.plan()
        before.at(before.view(window).plan.offline_at_us)
        await _reach(before, window, moment)
    async with house.up() as after:
        assert after.venue.status().mode is Mode.OFFLINE
        opening = await after.awaits(window, Awaited.APPROVALS)
        after.at(after.view(window).plan.full_at_us)
        await after.reaches(window, WindowStage.DELAYED)
        assert after.venue.status().mode is Mode.OFFLINE
        await after.approve(opening.certificate)
        await after.reaches(window, WindowStage.COMPLETED)
        assert after.venue.status().mode is Mode.FULL
        assert violations(after.state) == []


async def _reach(running: Running, window: int, moment: str) -> None:
    planned = running.state.windows[window]  # type: ignore[index]
    if moment == "begun":
        await running.until(lambda: planned.begun)
    elif moment == "closed":
        await running.until(lambda: planned.closed)
    elif moment == "gates":
        await running.until(lambda: planned.stage is WindowStage.VERIFYING)
    else:
        opening = await running.awaits(planned.window_id, Awaited.APPROVALS)
        if moment != "certified":
            await running.approve(opening.certificate)
        if moment == "pre-open":
            running.at(planned.plan.post_only_at_us)
            await running.reaches(planned.window_id, WindowStage.PRE_OPEN)


async def test_a_failed_gate_keeps_it_shut_says_why_and_takes_two_people_to_waive(house: House) -> None:
    async with house.up() as before:
        window = await before.plan()
        await before.shut(window)
    with sqlite3.connect(house.data_dir / "read.sqlite") as models:
        assert models.execute("DELETE FROM lists").rowcount
    async with house.up() as running:
        await running.until(lambda: running.view(window).opening.awaits is Awaited.OPERATORS)
        view = running.view(window)
        assert view.stage is WindowStage.DELAYED
        assert [result.gate for result in view.opening.failed] == [Gate.HISTORY]
        assert "history" in view.reason
        running.at(view.plan.full_at_us)
        await asyncio.sleep(0.5)
        assert running.view(window).reason == view.reason, "the cause stays what it was"
        assert running.venue.status().mode is Mode.OFFLINE
        await running.do(WaiveGate(core.ADMIN, window, Gate.HISTORY, "it is rebuilt tonight"))
        await asyncio.sleep(0.5)
        assert running.view(window).opening.awaits is Awaited.OPERATORS
        await running.do(WaiveGate(house.second, window, Gate.HISTORY, "so it is"))
        opening = await running.awaits(window, Awaited.APPROVALS)
        [waived] = opening.failed
        assert waived.waived_by == (core.ADMIN, house.second)
        await running.approve(opening.certificate)
        await running.reaches(window, WindowStage.COMPLETED)


async def test_gates_run_again_when_an_operator_asks(house: House) -> None:
    admin = None
    async with house.up() as running:
        window = await running.plan()
        admin = running.venue.admin(core.public_key(2))
        assert admin is not None
        early = running.venue.run_gates(window, admin, "now")
        assert early is not None
        assert early.code is Code.PRECONDITION_FAILED
        first = await running.shut(window)
        assert running.venue.run_gates(window, admin, "once more") is None
        twice = running.venue.run_gates(window, admin, "and again")
        assert twice is not None
        await running.until(lambda: running.view(window).opening.certificate > first.certificate)


async def test_only_its_markets_are_shut_and_the_others_trade_on(house: House) -> None:
    async with house.up() as running:
        window = await running.plan(BTC_USDC)
        opening = await running.shut(window)
        assert running.venue.status().mode is Mode.FULL
        markets = running.venue.maintenance().markets
        assert markets[BTC_USDC].condition is Condition.PLANNED
        assert markets[BTC_USDC].window == window
        assert markets[SOL_USDC].condition is Condition.OPEN
        await running.do(house.order(house.ann, Side.BID, 9_800))
        refused = await running.venue.execute(house.order(house.ann, Side.BID, 9_800, BTC_USDC))
        assert refused.refusal is not None
        assert refused.refusal.code is Code.TRADING_PAUSED
        await running.approve(opening.certificate)
        await running.open(window)
        await running.do(house.order(house.ann, Side.BID, 9_800, BTC_USDC))


async def test_two_windows_at_once_are_proved_and_approved_apart(house: House) -> None:
    async with house.up() as running:
        await running.do(house.order(house.ann, Side.BID, 9_800, BTC_USDC))
        one, other = await running.plan(SOL_USDC), await running.plan(BTC_USDC)
        running.at(running.view(other).plan.offline_at_us)
        first = await running.awaits(one, Awaited.APPROVALS)
        second = await running.awaits(other, Awaited.APPROVALS)
        for opening in (first, second):
            await running.approve(opening.certificate)
        await running.open(one)
        await running.reaches(other, WindowStage.COMPLETED)


async def test_a_window_of_a_market_outlives_the_start_of_another_build(tmp_path: Path) -> None:
    house = House(tmp_path / "data", build="the build before")
    await house.found()
    async with house.up() as before:
        window = await before.plan(SOL_USDC)
        await before.shut(window)
        await before.until(lambda: before.opening().awaits is Awaited.APPROVALS)
        await before.approve(before.opening().certificate)
        await before.approve(before.view(window).opening.certificate)
        for mode in (Mode.POST_ONLY, Mode.FULL):
            await before.do(SetMode(core.ADMIN, mode, "proved"))
        assert before.venue.status().markets[SOL_USDC][0] is Mode.OFFLINE
        await before.open(window)
        assert before.venue.status().markets[SOL_USDC][0] is Mode.FULL


async def test_a_canary_opens_first_and_alone(house: House) -> None:
    async with house.up() as running:
        window = await running.plan(canary=SOL_USDC)
        opening = await running.shut(window)
        await running.approve(opening.certificate)
        plan = running.view(window).plan
        running.at(plan.post_only_at_us)
        await running.reaches(window, WindowStage.PRE_OPEN)
        shown = running.venue.status().markets
        assert (shown[SOL_USDC][0], shown[BTC_USDC][0]) == (Mode.POST_ONLY, Mode.OFFLINE)
        running.at(plan.full_at_us)
        await running.reaches(window, WindowStage.COMPLETED)
        shown = running.venue.status().markets
        assert (shown[SOL_USDC][0], shown[BTC_USDC][0]) == (Mode.FULL, Mode.FULL)


async def test_a_start_of_another_build_is_proved_without_a_window(tmp_path: Path) -> None:
    house = House(tmp_path / "data", build="the build before")
    await house.found()
    async with house.up() as running:
        assert running.venue.maintenance().condition is Condition.UNPLANNED
        await running.until(lambda: running.opening().awaits is Awaited.APPROVALS)
        await running.approve(running.opening().certificate)
        await running.do(SetMode(core.ADMIN, Mode.POST_ONLY, "proved"))
        await running.do(SetMode(core.ADMIN, Mode.FULL, "proved"))
        assert running.venue.maintenance().opening is None


async def test_what_asked_to_be_cancelled_at_close_is_and_nothing_else(house: House) -> None:
    async with house.up() as running:
        change = SettingsChange(cancel_at_close=True)
        await running.do(UpdateAccount(house.bob, house.core.key(house.bob), change))
        await running.do(house.order(house.bob, Side.BID, 9_500))
        window = await running.plan()
        await running.shut(window)
        assert [(order.account.account_id, order.price_ticks) for order in running.state.orders.values()] == [
            (house.ann, 9_900)
        ]


async def test_orders_in_flight_when_the_market_closes_stand_or_are_refused(house: House) -> None:
    async with house.up() as running:
        window = await running.plan()
        placing = [asyncio.create_task(_place(running, house, 9_000 + at)) for at in range(50)]
        await asyncio.sleep(0)
        running.at(running.view(window).plan.offline_at_us)
        placing += [asyncio.create_task(_place(running, house, 8_000 + at)) for at in range(50)]
        await running.until(lambda: running.state.windows[window].begun)
        placing += [asyncio.create_task(_place(running, house, 7_000 + at)) for at in range(50)]
        codes = [await task for task in placing]
        assert set(codes) == {None, Code.MAINTENANCE}
        assert len(running.state.orders) == 1 + codes.count(None)
        await running.awaits(window, Awaited.APPROVALS)


async def _place(running: Running, house: House, price_ticks: int) -> Code | None:
    outcome = await running.venue.execute(house.order(house.ann, Side.BID, price_ticks))
    return None if outcome.refusal is None else outcome.refusal.code


async def test_a_cancel_in_flight_when_the_market_opens_is_refused_or_done(house: House) -> None:
    async with house.up() as running:
        [order] = running.state.orders.values()
        cancel = CancelOrder(house.ann, house.core.key(house.ann), SOL_USDC, order.order_id)
        window = await running.plan()
        opening = await running.shut(window)
        await running.approve(opening.certificate)
        early = await running.venue.execute(cancel)
        assert early.refusal is not None
        assert early.refusal.code is Code.MAINTENANCE
        assert order.order_id in running.state.orders
        running.at(running.view(window).plan.post_only_at_us)
        async with asyncio.timeout(10):
            while (await running.venue.execute(cancel)).refusal is not None:  # noqa: ASYNC110 (a client tries again)
                await asyncio.sleep(0.01)
        assert running.venue.status().mode is Mode.POST_ONLY
        assert not running.state.orders


async def test_two_admins_at_once_count_once_each(house: House) -> None:
    async with house.up() as running:
        window = await running.plan()
        opening = await running.shut(window)
        commands = [ApproveOpening(admin, opening.certificate, "yes") for admin in (core.ADMIN, house.second)] * 3
        outcomes = await asyncio.gather(*(running.venue.execute(command) for command in commands))
        assert sum(outcome.refusal is None for outcome in outcomes) == 2
        assert running.view(window).opening.approvals == 2


async def test_without_the_venues_key_nothing_is_certified_and_it_says_so(house: House) -> None:
    (house.data_dir / "keys" / "venue.json").rename(house.data_dir / "keys" / "away.json")
    async with house.up() as running:
        window = await running.plan()
        running.at(running.view(window).plan.offline_at_us)
        await running.reaches(window, WindowStage.DELAYED)
        assert "could not be made: the venue's key is not at hand" in running.view(window).reason
        running.at(running.view(window).plan.full_at_us)
        await asyncio.sleep(0.5)
        assert running.venue.status().mode is Mode.OFFLINE


async def test_a_venue_key_that_is_not_the_one_in_force_is_said_from_the_start(house: House) -> None:
    path, other = house.data_dir / "keys" / "venue.json", KeyFile.generate("venue")
    kept = path.read_bytes()
    swapped = {"name": "venue", "apiKey": house.key.api_secret, "apiSecret": house.key.api_key}
    path.unlink()
    for content, said in (
        (None, "there is no venue.json"),
        (msgspec.json.encode(other), f"venue.json holds {other.api_key}"),
        (b"{", "venue.json can't be read"),
        (msgspec.json.encode(swapped), "the two halves of venue.json don't belong together"),
    ):
        if content is not None:
            path.write_bytes(content)
        async with house.up() as running:
            await running.until(lambda: bool(running.venue.status().conditions))
            [condition] = running.venue.status().conditions
        assert (condition.part, condition.stops_orders) == ("certificates", False)
        assert f"the venue's key in force is {house.key.api_key}, and no file in " in condition.way_out
        assert said in condition.way_out
        assert not any(secret in condition.way_out for secret in (house.key.api_secret, other.api_secret))
    path.write_bytes(kept)
    (path.parent / "venue-until-9.json").write_bytes(b"{")
    async with house.up() as running:
        await asyncio.sleep(0.5)
        assert running.venue.status().conditions == ()


async def test_a_window_called_off_in_the_middle_opens_by_hand_on_the_same_evidence(house: House) -> None:
    async with house.up() as running:
        window = await running.plan()
        await running.shut(window)
        await running.do(CancelWindow(core.ADMIN, window, "done early"))
        assert running.venue.maintenance().condition is Condition.UNPLANNED
        by_hand = await running.venue.execute(SetMode(core.ADMIN, Mode.POST_ONLY, "now"))
        assert by_hand.refusal is not None
        await running.until(lambda: running.opening().awaits is Awaited.APPROVALS)
        await running.approve(running.opening().certificate)
        await running.do(SetMode(core.ADMIN, Mode.POST_ONLY, "now"))


async def test_after_an_incident_a_market_needs_the_gates_and_another_persons_approval(house: House) -> None:
    async with house.up() as running:
        assert running.venue.maintenance().opening is None
        await running.do(SetMode(core.ADMIN, Mode.CANCEL_ONLY, "a fault in the feed", SOL_USDC))
        up = SetMode(core.ADMIN, Mode.FULL, "repaired", SOL_USDC)
        assert running.opening().awaits is Awaited.OPERATORS
        admin = running.venue.admin(core.public_key(2))
        assert admin is not None
        assert running.venue.run_gates(WindowId(0), admin, "the feed is back") is None
        await running.until(lambda: running.opening().awaits is Awaited.APPROVALS)
        opening = running.opening()
        assert opening.approvals_needed == 1
        alone = await running.venue.execute(up)
        assert alone.refusal is not None
        await running.do(ApproveOpening(house.second, opening.certificate, "I see it too"))
        await running.do(up)
        assert running.venue.maintenance().opening is None


async def test_a_grace_period_that_is_not_over_delays_the_last_step_once(house: House) -> None:
    async with house.up() as running:
        await running.do(SetLimits(core.ADMIN, Limits(opening_grace_us=1_800 * SECOND_US), "test"))
        window = await running.plan()
        opening = await running.shut(window)
        await running.approve(opening.certificate)
        plan = running.view(window).plan
        running.at(plan.post_only_at_us)
        await running.reaches(window, WindowStage.PRE_OPEN)
        running.at(plan.full_at_us)
        await running.reaches(window, WindowStage.DELAYED)
        assert "grace" in running.view(window).reason
        seq = running.state.seq
        await asyncio.sleep(0.6)
        assert running.state.seq == seq
        running.at(plan.post_only_at_us + 1_801 * SECOND_US)
        await running.reaches(window, WindowStage.COMPLETED)


async def test_gates_that_fail_after_a_certificate_take_it_back(house: House) -> None:
    async with house.up() as running:
        window = await running.plan()
        opening = await running.shut(window)
        await running.approve(opening.certificate)
        with sqlite3.connect(house.data_dir / "read.sqlite") as models:
            assert models.execute("DELETE FROM lists").rowcount
        admin = running.venue.admin(core.public_key(2))
        assert admin is not None
        assert running.venue.run_gates(window, admin, "a doubt") is None
        await running.awaits(window, Awaited.OPERATORS)
        running.at(running.view(window).plan.full_at_us)
        await asyncio.sleep(0.6)
        assert running.venue.status().mode is Mode.OFFLINE
        assert "history" in running.view(window).reason


async def test_what_a_revoked_key_has_signed_opens_nothing_and_is_signed_anew(house: House) -> None:
    async with house.up() as running:
        window = await running.plan()
        old = await running.shut(window)
        await running.approve(old.certificate)
        key = KeyFile.generate("venue")
        write_private(house.data_dir / "keys" / "venue-next.json", key)
        running.at(running.view(window).plan.post_only_at_us - 1)
        await running.agree(RotateVenueKey(core.ADMIN, key.api_key, True, "stolen"))
        running.at(running.view(window).plan.post_only_at_us)
        await running.until(lambda: running.view(window).opening.certificate > old.certificate)
        new = running.view(window).opening
        assert new.approvals == 0
        assert running.state.certificates[new.certificate].public_key == key.api_key
        assert running.venue.status().mode is Mode.OFFLINE
        await running.approve(new.certificate)
        await running.open(window)
