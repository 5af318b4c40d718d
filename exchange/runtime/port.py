"""The one thing the gateway sees: commands in; outcomes, answers and updates out.

Everything here obeys the outbox rule: nothing is handed out before the records it rests on are
durable. Failures of the exchange itself (stopping, overloaded, too slow) come as a `Refusal`
too, or as `NotNow` where a query has no other way; nothing here raises for a reason a client could cause.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from enum import StrEnum, unique
from typing import Generic, Protocol, TypeVar

import msgspec

from exchange.values.accounts.views import AccountView, KeyView
from exchange.values.commands import AnyCommand
from exchange.values.enums import Side
from exchange.values.ids import AccountId, OrderId
from exchange.values.listings.specs import AssetSpec
from exchange.values.listings.views import CandleView, DepthView, MarketView, TickerView, TradeView
from exchange.values.modes.views import StatusView
from exchange.values.money.views import BalanceView, LedgerLine
from exchange.values.orders.views import FillView, OrderView, Outcome
from exchange.values.people.views import AdminView, PeopleView
from exchange.values.record import Signed
from exchange.values.refusals import Refusal
from exchange.values.updates import Update
from exchange.values.windows.plan import WindowId
from exchange.values.windows.views import CertificatesView, MaintenanceView

Row = TypeVar("Row")


class NotNow(Exception):
    """A query that can't be answered at present, whoever asks; `refusal` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


@unique
class Channel(StrEnum):
    """Kinds of update one can watch."""

    DEPTH = "depth"
    BOOK_TICKER = "bookTicker"
    TRADE = "trade"
    KLINE = "kline"
    TICKER = "ticker"
    ORDER_UPDATE = "orderUpdate"
    BALANCE_UPDATE = "balanceUpdate"
    STATUS = "status"


class Topic(msgspec.Struct, frozen=True):
    """What to watch: public channels name a market (STATUS none), private ones an account.

    `interval` is the pace in ms of an aggregated DEPTH (0: every change) or the kline interval's name.
    """

    channel: Channel
    market: str = ""
    account: AccountId = AccountId(0)
    interval: str = ""


class Page(msgspec.Struct, frozen=True):
    """Part of a history list: `limit` rows from `offset`, newest first unless `ascending`.

    Times in µs, `from_us` inclusive, `to_us` exclusive. `whole_ms`: a full page that ascends goes on to the end of its
    last millisecond, by at most 1,000 rows, so that whoever goes on from the next one misses nothing. `as_of`: what
    came after that record is left out.
    """

    limit: int = 100
    offset: int = 0
    ascending: bool = False
    from_us: int | None = None
    to_us: int | None = None
    whole_ms: bool = False
    as_of: int | None = None


class Paged(msgspec.Struct, Generic[Row], frozen=True):
    """Rows of one page, and how many there are in all; `seq`: nothing that came after that record is among them."""

    rows: tuple[Row, ...]
    total: int
    seq: int = 0


class Exchange(Protocol):
    """A running exchange, seen from outside.

    Queries and streams are safe to call at any time from the event loop; the queries answer
    as of a durable seq that is at least the last one acknowledged to the account asked about. Those on the live state
    raise NotNow while the journal is not written.
    """

    # --- commands ---

    def submit(
        self, commands: Sequence[AnyCommand], reply: Callable[[list[Outcome]], None], signed: tuple[Signed, ...] = ()
    ) -> None:
        """Queue one command, or a batch that runs without a pause (each item stands or falls alone).

        `reply` is called exactly once, on the event loop, with one outcome per command, when all of
        their records are durable; or at once with refusals (TOO_MANY_REQUESTS: the inbox is full;
        MAINTENANCE: the process is stopping). All commands of a batch are for one market or for none.
        A `CancelForAccount` always finds room, runs after all that waits of its account for any market, and
        goes on until no order is left. `signed` is what an admin signed for their one command; it goes on record.
        """

    async def execute(self, command: AnyCommand, signed: tuple[Signed, ...] = ()) -> Outcome:
        """`submit` for one command, awaited."""

    # --- live state ---

    def assets(self) -> tuple[AssetSpec, ...]:
        """The coins that are listed: what clients know as assets."""

    def all_assets(self) -> tuple[AssetSpec, ...]:
        """Assets of every kind; only the ledger and administration name those that are no coins."""

    def market(self, symbol: str) -> MarketView | None: ...

    def markets(self) -> tuple[MarketView, ...]: ...

    def status(self) -> StatusView: ...

    def key(self, public_key: str) -> KeyView | None:
        """The API key in force under this base64 public key."""

    def admin(self, public_key: str) -> AdminView | None: ...

    def people(self) -> PeopleView:
        """The admins in force, and what waits for a second one of them; a proposal may be late by now."""

    def now_us(self) -> int:
        """The exchange's clock (injectable), for timestamps and signature windows."""

    def started_us(self) -> int:
        """When this process began to take commands."""

    def restarted(self) -> bool:
        """Whether a process before this one can have taken commands: all of them before `started_us`."""

    async def account(self, account: AccountId) -> AccountView: ...

    async def balances(self, account: AccountId) -> tuple[BalanceView, ...]:
        """Every asset the account has ever held."""

    async def deposit_numbers(self) -> dict[str, int]:
        """The last number credited, by source of deposits; the next credit takes the next one."""

    async def open_orders(self, account: AccountId, market: str | None = None) -> tuple[OrderView, ...]:
        """Oldest first."""

    async def open_order(
        self, account: AccountId, market: str, *, order_id: OrderId | None = None, client_id: int | None = None
    ) -> OrderView | None: ...

    async def max_order_lots(self, account: AccountId, market: str, side: Side, price_ticks: int | None) -> int:
        """The largest order that funds and filters would let through now; without a price, a market order."""

    async def depth(self, market: str, limit: int) -> DepthView: ...

    # --- maintenance ---

    def maintenance(self) -> MaintenanceView:
        """Windows and openings, to come, under way and past, with how far the gates are."""

    def run_gates(self, window: WindowId, asked_by: AdminView, reason: str) -> Refusal | None:
        """Have the gates run for a window under way, or (0) for the venue as it stands; what they find is recorded."""

    async def certificates(self, limit: int) -> CertificatesView | Refusal:
        """The newest certificates on record."""

    async def proof(self, account: AccountId, window: WindowId | None) -> bytes | Refusal:
        """What proves the account's statements at a window (None: the newest certified), as a JSON document."""

    # --- history (read models) ---
    #
    # Answered in turns: an account, or without one the `asker` (an address), waits for nobody else's queries but
    # those under way, and has at most so many waiting (TOO_MANY_REQUESTS).

    async def order(
        self, account: AccountId, market: str, *, order_id: OrderId | None = None, client_id: int | None = None
    ) -> OrderView | Refusal | None:
        """An open order, or an ended one: by id at any age, by client id for 24 hours after its end.

        None: there is none. A `Refusal`: that can't be said now, so that nobody places it again on a guess.
        """

    async def order_history(
        self, account: AccountId, page: Page, *, market: str | None = None, order_id: OrderId | None = None
    ) -> Paged[OrderView] | Refusal: ...

    async def fills(
        self, account: AccountId, page: Page, *, market: str | None = None, order_id: OrderId | None = None
    ) -> Paged[FillView] | Refusal: ...

    async def ledger(
        self, account: AccountId, page: Page, *, asset: str | None = None
    ) -> Paged[LedgerLine] | Refusal: ...

    async def ledger_export(
        self, account: AccountId, page: Page, *, asset: str | None = None
    ) -> AsyncIterator[tuple[LedgerLine, ...]] | Refusal:
        """The ledger from the page's offset to its end, `page.limit` lines at a time, all as of one record.

        One at a time for an account (TOO_MANY_REQUESTS). A piece that can't be had raises NotNow.
        """

    async def deposits(self, account: AccountId, page: Page) -> Paged[LedgerLine] | Refusal:
        """What was credited to the account from outside."""

    async def trades(self, asker: str, market: str, limit: int, offset: int = 0) -> tuple[TradeView, ...] | Refusal:
        """Newest first."""

    async def candles(
        self, asker: str, market: str, interval: str, start_us: int, end_us: int
    ) -> tuple[CandleView, ...] | Refusal:
        """Oldest first, from the market's listing on, empty buckets included, at most 1,000 (the earliest ones)."""

    async def ticker(self, market: str, days: int) -> TickerView | Refusal | None:
        """The last 1 or 7 days; None if nothing traded; MAINTENANCE while a start waits for history to be read."""

    # --- streams ---

    def watch(self, topic: Topic, on_update: Callable[[Update], None]) -> None:
        """Call `on_update` with every update of the topic from now on, each once durable. One watcher per topic."""

    def unwatch(self, topic: Topic) -> None: ...
