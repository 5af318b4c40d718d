"""The running exchange: the deterministic core, with asyncio around it (`runtime.port.Exchange`)."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final, Protocol, TypeVar

from exchange.core import State
from exchange.core.accounts.view import account_view
from exchange.core.listings.view import depth_view
from exchange.core.machine import COMMANDS
from exchange.core.money.view import balance_views
from exchange.core.orders.book import Order
from exchange.core.orders.view import max_order_lots, order_view
from exchange.core.rows import LaneOf
from exchange.runtime.clock import Clock
from exchange.runtime.core.commit import Committer
from exchange.runtime.core.ending import Ending
from exchange.runtime.core.inbox import Reply
from exchange.runtime.core.intake import MAX_SLOWED_COMMANDS, STOPPED, Intake
from exchange.runtime.core.lanes import Lane
from exchange.runtime.core.outbox import Outbox
from exchange.runtime.feeds.intervals import DAY_US, bucket
from exchange.runtime.feeds.public_state import PublicState
from exchange.runtime.feeds.streams import Streams
from exchange.runtime.follower.history import History
from exchange.runtime.metrics import Metrics
from exchange.runtime.port import NotNow, Page, Paged, Topic
from exchange.values.accounts.views import AccountView, KeyView
from exchange.values.commands import AnyCommand
from exchange.values.enums import Side
from exchange.values.ids import AccountId, OrderId
from exchange.values.listings.specs import AssetSpec
from exchange.values.listings.views import CandleView, DepthView, MarketView, TickerView, TradeView
from exchange.values.modes.views import ConditionView, StatusView
from exchange.values.money.views import BalanceView, LedgerLine
from exchange.values.orders.views import FillView, OrderView, Outcome
from exchange.values.people.views import AdminView, PeopleView
from exchange.values.record import Signed
from exchange.values.refusals import Code, Refusal
from exchange.values.updates import Update
from exchange.values.windows.plan import WindowId
from exchange.values.windows.views import CertificatesView, MaintenanceView, VerificationView

#: How long an ended order is found by its client id.
CLIENT_ID_US: Final = DAY_US

Answer = TypeVar("Answer")

_LANE: Final = {kind: row.lane for kind, row in COMMANDS.items()}
_FULL: Final = Refusal(Code.TOO_MANY_REQUESTS, "Too many requests are waiting")
_SLOWED: Final = Refusal(Code.TOO_MANY_REQUESTS, "Too many requests are waiting: history is far behind")
_NO_PAST: Final = Refusal(Code.MAINTENANCE, "The exchange has just started: tickers come once history has been read")
_NOT_LIVE: Final = Refusal(Code.PRECONDITION_FAILED, "Lost records are accepted while the exchange stands still")
_STOPPING: Final = Refusal(Code.MAINTENANCE, "The exchange is not taking requests")
_NO_DESK: Final = Refusal(Code.MAINTENANCE, "The exchange is starting or stopping")
#: The name of the lane of commands of no market; no market has it.
_VENUE: Final = ""


class Desk(Protocol):
    """Who sees to windows and certificates beside a running venue; the methods are those of `port.Exchange`."""

    def run_gates(self, window: WindowId, asked_by: AdminView, reason: str) -> Refusal | None: ...

    async def certificates(self, limit: int) -> CertificatesView | Refusal: ...

    async def proof(self, account: AccountId, window: WindowId | None) -> bytes | Refusal: ...


class Venue:
    """Implements `port.Exchange`. `life.Life` makes one and starts it."""

    def __init__(
        self,
        state: State,
        clock: Clock,
        outbox: Outbox,
        streams: Streams,
        public: PublicState,
        committer: Committer,
        history: History,
        metrics: Metrics,
        ending: Ending,
    ) -> None:
        self._state = state
        self._clock = clock
        self._outbox = outbox
        self._streams = streams
        self._public = public
        self._committer = committer
        self._history = history
        self._ending = ending
        self._lanes: dict[str, Lane] = {}
        self._started_us = 0
        self._restarted = False
        self._taking = False
        self.intake = Intake()
        #: None: nobody sees to maintenance, and what needs them is refused.
        self.desk: Desk | None = None
        self.metrics = metrics
        metrics.inboxes = lambda: [(lane.name or "venue", len(lane.inbox)) for lane in self._lanes.values()]

    # --- life ---

    def take_commands(self, *, restarted: bool) -> None:
        """From now on commands are taken; `restarted`: not for the first time in this venue's life."""
        self._started_us = self._clock.real_us()
        self._restarted = restarted
        self._taking = True

    async def drain(self) -> None:
        """Take no more commands, and return once those that wait are committed."""
        self._taking = False
        self.intake.finish()
        for lane in self._lanes.values():
            await lane.finish()

    # --- commands ---

    def submit(self, commands: Sequence[AnyCommand], reply: Reply, signed: tuple[Signed, ...] = ()) -> None:
        if not self._taking or self._ending.come:
            self._refuse(commands, reply, _STOPPING)
            return
        first: Any = commands[0]
        if self.intake.stopped is not None and type(first) in STOPPED:
            self._refuse(commands, reply, self.intake.stopped)
            return
        lane = _LANE[type(first)]
        if lane is LaneOf.MARKET:
            self._put(first.market, commands, reply, signed)
        elif lane is LaneOf.VENUE:
            self._put(_VENUE, commands, reply, signed)
        elif lane is LaneOf.ACCOUNT:
            self._put_behind_account(first.account, commands, reply)
        else:
            self._refuse(commands, reply, _NOT_LIVE)

    def _put(self, name: str, commands: Sequence[AnyCommand], reply: Reply, signed: tuple[Signed, ...] = ()) -> None:
        lane = self._lanes.get(name) or self._new_lane(name)
        if self.intake.slowed and len(lane.inbox) >= MAX_SLOWED_COMMANDS and type(commands[0]) in STOPPED:
            self._refuse(commands, reply, _SLOWED)
        elif not lane.inbox.put(commands, reply, signed):
            self._refuse(commands, reply, _FULL)

    def _put_behind_account(self, account: AccountId, commands: Sequence[AnyCommand], reply: Reply) -> None:
        """The end of a session comes behind what the session has sent to any market, or its last orders would stay."""
        lanes = [lane for lane in self._lanes.values() if lane.inbox.holds(account)]
        left = len(lanes)

        def passed(_outcomes: list[Outcome]) -> None:
            nonlocal left
            left -= 1
            if left <= 0:
                if self._taking:
                    self._put(_VENUE, commands, reply)
                else:
                    self._refuse(commands, reply, _STOPPING)

        for lane in lanes:
            lane.inbox.put_behind(passed)
        if not lanes:
            passed([])

    def _new_lane(self, name: str) -> Lane:
        if name not in self._state.markets:
            name = _VENUE
        lane = self._lanes.get(name)
        if lane is None:
            # The venue's own lane keeps no pace: operators' commands go on, and what ends sessions.
            intake = None if name == _VENUE else self.intake
            lane = self._lanes[name] = Lane(name, self._committer, self._outbox, self._ending, intake)
        return lane

    def _refuse(self, commands: Iterable[AnyCommand], reply: Reply, refusal: Refusal) -> None:
        now_us = self._clock.now_us()
        outcomes = [Outcome(0, now_us, command, (), refusal) for command in commands]
        counts = self.metrics.refusals
        counts[refusal.code] = counts.get(refusal.code, 0) + len(outcomes)
        reply(outcomes)

    async def execute(self, command: AnyCommand, signed: tuple[Signed, ...] = ()) -> Outcome:
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def settle(outcomes: list[Outcome]) -> None:
            if not answer.done():  # else whoever asked has gone away
                answer.set_result(outcomes[0])

        self.submit((command,), settle, signed)
        return await answer

    # --- live state ---

    def assets(self) -> tuple[AssetSpec, ...]:
        return self._public.assets

    def all_assets(self) -> tuple[AssetSpec, ...]:
        return self._public.all_assets

    def market(self, symbol: str) -> MarketView | None:
        return self._public.markets.get(symbol)

    def markets(self) -> tuple[MarketView, ...]:
        return tuple(self._public.markets.values())

    def status(self) -> StatusView:
        return self._public.status

    def key(self, public_key: str) -> KeyView | None:
        return self._public.key(public_key)

    def admin(self, public_key: str) -> AdminView | None:
        return self._public.admins.get(public_key)

    def people(self) -> PeopleView:
        return self._public.people

    def now_us(self) -> int:
        return self._clock.real_us()

    def started_us(self) -> int:
        return self._started_us

    def restarted(self) -> bool:
        return self._restarted

    async def account(self, account: AccountId) -> AccountView:
        view = account_view(self._state, self._state.accounts[account])
        await self._durable()
        return view

    async def balances(self, account: AccountId) -> tuple[BalanceView, ...]:
        views = balance_views(self._state, self._state.accounts[account])
        await self._durable()
        return views

    async def deposit_numbers(self) -> dict[str, int]:
        numbers = {name: source.number for name, source in self._state.sources.items()}
        await self._durable()
        return numbers

    async def open_orders(self, account: AccountId, market: str | None = None) -> tuple[OrderView, ...]:
        orders = self._state.accounts[account].orders.values()
        views = tuple(order_view(order) for order in orders if market is None or order.market.symbol == market)
        await self._durable()
        return views

    async def open_order(
        self, account: AccountId, market: str, *, order_id: OrderId | None = None, client_id: int | None = None
    ) -> OrderView | None:
        order = self._open_order(account, market, order_id, client_id)
        view = None if order is None else order_view(order)
        await self._durable()
        return view

    def _open_order(
        self, account: AccountId, market: str, order_id: OrderId | None, client_id: int | None
    ) -> Order | None:
        held = self._state.accounts[account]
        if order_id is not None:
            order = held.orders.get(order_id)
        else:
            order = None if client_id is None else held.client_ids.get((market, client_id))
        return order if order is not None and order.market.symbol == market else None

    async def max_order_lots(self, account: AccountId, market: str, side: Side, price_ticks: int | None) -> int:
        state = self._state
        lots = max_order_lots(state, state.accounts[account], state.markets[market], side, price_ticks)
        await self._durable()
        return lots

    async def depth(self, market: str, limit: int) -> DepthView:
        view = depth_view(self._state, self._state.markets[market], limit)
        await self._durable()
        return view

    async def _durable(self) -> None:
        """Return once the live state, as it was when this was called, is durable.

        Raises:
            NotNow: the journal is not written at present.
        """
        if self.intake.late is not None:
            raise NotNow(self.intake.late)
        await self._outbox.durable(self._state.seq)

    # --- maintenance ---

    def maintenance(self) -> MaintenanceView:
        return self._public.status.maintenance

    def show_progress(self, verification: VerificationView | None) -> None:
        """Show everybody how far a certificate in the making is; None: none is being made."""
        self._public.show_progress(verification)

    def show_maintenance_conditions(self, conditions: tuple[ConditionView, ...]) -> None:
        """Show everybody, and admins the way out, what keeps certificates from being made."""
        self._public.show_conditions("maintenance", conditions)

    def run_gates(self, window: WindowId, asked_by: AdminView, reason: str) -> Refusal | None:
        return _NO_DESK if self.desk is None else self.desk.run_gates(window, asked_by, reason)

    async def certificates(self, limit: int) -> CertificatesView | Refusal:
        return CertificatesView((), ()) if self.desk is None else await self.desk.certificates(limit)

    async def proof(self, account: AccountId, window: WindowId | None) -> bytes | Refusal:
        return _NO_DESK if self.desk is None else await self.desk.proof(account, window)

    # --- history ---

    async def order(
        self, account: AccountId, market: str, *, order_id: OrderId | None = None, client_id: int | None = None
    ) -> OrderView | Refusal | None:
        view = await self.open_order(account, market, order_id=order_id, client_id=client_id)
        if view is not None:
            return view
        ended_after_us = 0 if order_id is not None else self._clock.now_us() - CLIENT_ID_US
        query = partial(
            self._history.read_models.order,
            account,
            market,
            order_id=order_id,
            client_id=client_id,
            ended_after_us=ended_after_us,
        )
        return await self._of_account(account, query)

    async def order_history(
        self, account: AccountId, page: Page, *, market: str | None = None, order_id: OrderId | None = None
    ) -> Paged[OrderView] | Refusal:
        read = self._history.read_models.order_history
        return await self._of_account(account, partial(read, account, page, market=market, order_id=order_id))

    async def fills(
        self, account: AccountId, page: Page, *, market: str | None = None, order_id: OrderId | None = None
    ) -> Paged[FillView] | Refusal:
        read = self._history.read_models.fills
        return await self._of_account(account, partial(read, account, page, market=market, order_id=order_id))

    async def ledger(self, account: AccountId, page: Page, *, asset: str | None = None) -> Paged[LedgerLine] | Refusal:
        read = self._history.read_models.ledger
        return await self._of_account(account, partial(read, account, page, asset=asset))

    async def ledger_export(
        self, account: AccountId, page: Page, *, asset: str | None = None
    ) -> AsyncIterator[tuple[LedgerLine, ...]] | Refusal:
        return await self._history.export(account, page, partial(self.ledger, account, asset=asset))

    async def deposits(self, account: AccountId, page: Page) -> Paged[LedgerLine] | Refusal:
        return await self._of_account(account, partial(self._history.read_models.deposits, account, page))

    async def _of_account(self, account: AccountId, query: Callable[[], Answer]) -> Answer | Refusal:
        return await self._history.ask(account, self._streams.account_seqs.get(account, self._streams.begun_seq), query)

    async def trades(self, asker: str, market: str, limit: int, offset: int = 0) -> tuple[TradeView, ...] | Refusal:
        query = partial(self._history.read_models.trades, market, limit, offset)
        return await self._history.ask(asker, self._streams.trade_seqs.get(market, self._streams.begun_seq), query)

    async def candles(
        self, asker: str, market: str, interval: str, start_us: int, end_us: int
    ) -> tuple[CandleView, ...] | Refusal:
        # Before the listing there is no market whose candles could be empty.
        start_us = max(start_us, bucket(interval, self._public.markets[market].listed_us)[0])
        read = self._history.read_models.candles
        query = partial(read, market, interval, start_us, end_us, self._clock.now_us())
        return await self._history.ask(asker, self._streams.trade_seqs.get(market, self._streams.begun_seq), query)

    async def ticker(self, market: str, days: int) -> TickerView | Refusal | None:
        candles = self._streams.feeds[market].candles
        if candles is None:
            return _NO_PAST
        view = candles.ticker(days, self._clock.now_us())
        await self._durable()
        return view

    # --- streams ---

    def watch(self, topic: Topic, on_update: Callable[[Update], None]) -> None:
        self._streams.watch(topic, on_update, self._clock.now_us())

    def unwatch(self, topic: Topic) -> None:
        self._streams.unwatch(topic)
