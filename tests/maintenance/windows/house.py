"""A venue whose windows are kept: scheduler, gates and all, over a data folder that outlives its processes.

The clock is moved by hand, so that hours pass at once; certificates are made by the real processes.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec.structs import replace

from exchange.cli.keys import KeyFile, write_private
from exchange.maintenance.scheduler import Scheduler
from exchange.runtime.build import build_id
from exchange.runtime.core.life import Life
from exchange.values.commands import AnyCommand, TwoPeopleCommand
from exchange.values.enums import Mode, Side
from exchange.values.ids import AccountId
from exchange.values.listings.commands import ListAsset, ListMarket
from exchange.values.listings.specs import AssetSpec, ListedMarket, spot_market
from exchange.values.modes.commands import SetMode
from exchange.values.orders.commands import PlaceOrder
from exchange.values.process.commands import StartProcess
from exchange.values.windows.certificate import CertificateId
from exchange.values.windows.commands import ApproveOpening, PlanWindow
from exchange.values.windows.events import WindowPlanned
from exchange.values.windows.plan import WindowId, WindowPlan, WindowStage
from exchange.values.windows.views import Awaited, OpeningView, WindowView
from tests import venue as core
from tests.core.windows import by_hand as maintenance
from tests.runtime.running import HandClock, done, write_journal

SOL_USDC = core.SOL_USDC.symbol
BTC_USDC = "BTC_USDC"
MINUTE_S = 60
SECOND_US = 1_000_000
SOON_S = 30.0


class House:
    """Founded, two markets open, a resting order on either side, two admins; a `build` of the last process."""

    def __init__(self, data_dir: Path, build: str | None = None) -> None:
        self.data_dir = data_dir
        self.clock = HandClock()
        self.key = KeyFile.generate("venue")
        write_private(data_dir / "keys" / "venue.json", self.key)
        self.core = core.Venue(auto_resume=True, venue_key=self.key.api_key)
        self.core.expect(StartProcess(build or build_id(), clean=True))
        self._list_bitcoin()
        self.core.open()
        self.second = maintenance.second_approver(self.core)
        self.ann = self.core.account({"USDC": 10**13, "SOL": 10**13})
        self.bob = self.core.account({"USDC": 10**13, "SOL": 10**13})
        self.core.expect(self.order(self.ann, Side.BID, 9_900))
        self.core.expect(self.order(self.bob, Side.ASK, 10_100))
        self.core.expect(self.order(self.ann, Side.BID, 10_100))

    def _list_bitcoin(self) -> None:
        spec = spot_market(AssetSpec("BTC", 8, "Bitcoin"), core.USDC, 100_000_000, 10_000)
        self.core.expect(ListAsset(core.ADMIN, AssetSpec("BTC", 8, "Bitcoin"), "test"))
        self.core.expect(ListMarket(core.ADMIN, ListedMarket(spec, core.FILTERS), "test"))
        for mode in (Mode.POST_ONLY, Mode.FULL):
            self.core.expect(SetMode(core.ADMIN, mode, "test", BTC_USDC))
            self.core.expect(SetMode(core.ADMIN, mode, "test", SOL_USDC))

    def order(self, account: AccountId, side: Side, price_ticks: int, market: str = SOL_USDC) -> PlaceOrder:
        key = self.core.key(account)
        return PlaceOrder(account, key, market, side, price_ticks=price_ticks, lots=5)

    async def found(self) -> None:
        await write_journal(self.data_dir, self.core.records)

    @asynccontextmanager
    async def up(self, crash: bool = False) -> AsyncIterator["Running"]:
        """A process over the data folder; it ends in order, or as if its power were cut."""
        life = await Life.start(self.data_dir, clock=self.clock)
        try:
            async with Scheduler(life).running():
                yield Running(self, life)
        finally:
            if crash:
                await life.close()
            else:
                await life.stop("the test is over")


class Running:
    """One process of a house."""

    def __init__(self, house: House, life: Life) -> None:
        self.house = house
        self.life = life
        self.venue = life.venue
        self.state = life.state

    async def do(self, command: AnyCommand) -> None:
        await done(self.venue, command)

    async def agree(self, command: TwoPeopleCommand) -> None:
        """Both approvers ask for it."""
        for admin in (core.ADMIN, self.house.second):
            await self.do(replace(command, admin=admin))

    async def plan(self, *markets: str, canary: str | None = None) -> WindowId:
        """Shut in a minute, POST_ONLY two hours later, FULL ten minutes after that."""
        offline_us = self.house.clock.now_us() + MINUTE_S * SECOND_US
        post_only_us = offline_us + 120 * MINUTE_S * SECOND_US
        plan = WindowPlan(
            offline_us, post_only_us, post_only_us + 10 * MINUTE_S * SECOND_US, "upgrade", markets, True, canary
        )
        outcome = await done(self.venue, PlanWindow(core.ADMIN, plan))
        [planned] = outcome.events
        assert isinstance(planned, WindowPlanned)
        return planned.window

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(SOON_S):
            while not holds():  # noqa: ASYNC110 (many things can make it hold)
                await asyncio.sleep(0.02)

    def view(self, window: WindowId) -> WindowView:
        """What the public sees of a window."""
        [view] = [each for each in self.venue.maintenance().windows if each.window == window]
        return view

    def opening(self) -> OpeningView:
        """What the public sees of the way up of a venue that is shut without a window."""
        view = self.venue.maintenance().opening
        assert view is not None
        return view

    async def awaits(self, window: WindowId, awaited: Awaited) -> OpeningView:
        await self.until(lambda: self.view(window).opening.awaits is awaited)
        return self.view(window).opening

    async def reaches(self, window: WindowId, stage: WindowStage) -> None:
        await self.until(lambda: self.view(window).stage is stage)

    def at(self, time_us: int) -> None:
        """That moment comes."""
        self.house.clock.time_us = max(self.house.clock.time_us, time_us)

    async def approve(self, certificate: CertificateId) -> None:
        for admin in (core.ADMIN, self.house.second):
            await self.do(ApproveOpening(admin, certificate, "the report is good"))

    async def shut(self, window: WindowId) -> OpeningView:
        """Its time comes, and the gates pass."""
        self.at(self.view(window).plan.offline_at_us)
        return await self.awaits(window, Awaited.APPROVALS)

    async def open(self, window: WindowId) -> None:
        """Both steps up, at their times."""
        plan = self.view(window).plan
        self.at(plan.post_only_at_us)
        await self.reaches(window, WindowStage.PRE_OPEN)
        self.at(plan.full_at_us)
        await self.reaches(window, WindowStage.COMPLETED)
