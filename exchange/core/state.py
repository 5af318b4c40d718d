"""The state of the venue: what the fold of all recorded events holds.

Only the `evolve` modules of the subjects change anything here. Iteration order of every dict below is the
order of events, so it is the same in every process.
"""

from bisect import insort
from collections import OrderedDict
from operator import attrgetter
from typing import Final

from sortedcontainers import SortedList

from exchange.core.money.sources import Source
from exchange.core.orders.book import BookSide, Order
from exchange.core.orders.client_ids import ClientId, Ended, EndedClientIds
from exchange.rules.modes import lower
from exchange.values.accounts.settings import DEFAULT_SETTINGS
from exchange.values.enums import Mode, Pause, Scope, Side
from exchange.values.ids import (
    VENUE,
    VENUE_ACCOUNTS,
    AccountId,
    AdminId,
    DepositId,
    KeyId,
    OrderId,
    ProposalId,
    UserId,
    user_of,
)
from exchange.values.listings.specs import AssetSpec, FeeTier, Limits, MarketFilters, MarketSpec
from exchange.values.people.admins import AdminSpec
from exchange.values.people.events import CommandProposed
from exchange.values.windows.certificate import Certificate, CertificateId, Gate, VenueKey
from exchange.values.windows.events import GatesFailed
from exchange.values.windows.plan import ENDED_STAGES, WindowId, WindowPlan, WindowStage

# On the path of every order: reading a member off its enum class costs several times a global.
_BID: Final = Side.BID
_ID: Final = attrgetter("account_id")


class Balance:
    """One asset on one account. `locked_atoms` is exactly the sum of what its open orders reserve."""

    __slots__ = ("available_atoms", "locked_atoms")

    def __init__(self, available_atoms: int = 0, locked_atoms: int = 0) -> None:
        self.available_atoms = available_atoms
        self.locked_atoms = locked_atoms


class User:
    """A person: tier and self-trade prevention are theirs, over all their sub-accounts."""

    __slots__ = ("accounts", "keyed", "tier", "user_id")

    def __init__(self, user_id: UserId) -> None:
        self.user_id = user_id
        #: Its sub-accounts, by id.
        self.accounts: list[Account] = []
        self.tier = 0
        #: Has, or had, an API key on any sub-account: it is somebody's.
        self.keyed = False


class Account:
    """A sub-account, or one of the venue's own ledger accounts."""

    __slots__ = (
        "account_id",
        "armed_sessions",
        "balances",
        "cancel_all_after_us",
        "client_ids",
        "ended_client_ids",
        "keys",
        "label",
        "open_orders",
        "orders",
        "settings",
        "spent_keys",
        "user",
    )

    def __init__(self, account_id: AccountId, user: User, label: str = "") -> None:
        self.account_id = account_id
        self.user = user
        self.label = label
        self.settings = DEFAULT_SETTINGS
        self.balances: dict[str, Balance] = {}
        self.orders: dict[OrderId, Order] = {}
        #: Open orders per market, for the limit.
        self.open_orders: dict[str, int] = {}
        self.client_ids: dict[ClientId, Order] = {}
        #: Of orders that have ended, the first to end in front; None before the first (see `State.ended_client_ids`).
        self.ended_client_ids: OrderedDict[ClientId, Ended] | None = None
        self.keys: dict[KeyId, Key] = {}
        #: Public keys of it that were revoked.
        self.spent_keys: tuple[str, ...] = ()
        #: When the dead-man's switch fires, on the timers' clock; 0: off.
        self.cancel_all_after_us = 0
        #: Sessions whose end cancels this account's orders (a dict for its order).
        self.armed_sessions: dict[str, None] = {}

    def balance(self, asset: str) -> Balance:
        """The balance of an asset, opened at zero if need be: for `evolve` alone."""
        held = self.balances.get(asset)
        if held is None:
            held = self.balances[asset] = Balance()
        return held


class Key:
    """An API key in force."""

    __slots__ = ("account", "key_id", "label", "public_key", "scopes")

    def __init__(self, account: Account, key_id: KeyId, public_key: str, scopes: tuple[Scope, ...], label: str) -> None:
        self.account = account
        self.key_id = key_id
        self.public_key = public_key
        self.scopes = scopes
        self.label = label


class Market:
    """A listing, its book and its counters. `trade_id` and `update_id` are the last ones given."""

    __slots__ = (
        "asks",
        "bids",
        "filters",
        "last_price_ticks",
        "listed_us",
        "mode",
        "mode_changed_us",
        "mode_reason",
        "mode_seq",
        "spec",
        "symbol",
        "trade_id",
        "trading_seq",
        "update_id",
    )

    def __init__(self, spec: MarketSpec, filters: MarketFilters, listed_us: int) -> None:
        self.symbol = spec.symbol
        self.spec = spec
        self.filters = filters
        self.listed_us = listed_us
        self.mode = Mode.OFFLINE
        self.mode_reason = "listed"
        self.mode_changed_us = listed_us
        self.mode_seq = 0
        #: Last record that changed its book or traded; 0: none ever.
        self.trading_seq = 0
        #: The last trade's price; 0 before the first.
        self.last_price_ticks = 0
        self.trade_id = 0
        self.update_id = 0
        self.bids = BookSide(_BID)
        self.asks = BookSide(Side.ASK)

    def active_price_ticks(self) -> int:
        """What the price band is measured from."""
        return self.last_price_ticks or self.filters.reference_price_ticks

    def book(self, side: Side) -> BookSide:
        return self.bids if side is _BID else self.asks


class Window:
    """A planned stop, from its announcement to its end."""

    __slots__ = (
        "begun",
        "canary_open",
        "closed",
        "closing_id",
        "plan",
        "reason",
        "stage",
        "stage_us",
        "waiting",
        "window_id",
    )

    def __init__(self, window_id: WindowId, plan: WindowPlan) -> None:
        self.window_id = window_id
        self.plan = plan
        self.stage = WindowStage.SCHEDULED
        self.reason = plan.reason
        self.stage_us = 0
        self.begun = False
        self.closed = False
        self.closing_id = CertificateId(0)
        #: Markets that open after the canary, and whether it has.
        self.waiting: tuple[str, ...] = ()
        self.canary_open = False

    @property
    def under_way(self) -> bool:
        return self.begun and self.stage not in ENDED_STAGES


class State:
    """Everything. `seq` and `time_us` are those of the last folded record."""

    def __init__(self) -> None:
        self.seq = 0
        self.time_us = 0
        self.epoch = 1
        self.venue = ""
        self.assets: dict[str, AssetSpec] = {}
        self.markets: dict[str, Market] = {}
        self.fee_tiers: tuple[FeeTier, ...] = ()
        self.limits = Limits()
        self.auto_resume = False
        #: Names of the rule versions that are on (a dict for its order).
        self.rules: dict[str, None] = {}

        self.users: dict[UserId, User] = {}
        #: The last id given to a user: they are dense, but for what a loss of records leaves out.
        self.last_user = VENUE
        self.accounts: dict[AccountId, Account] = {}
        self.keys: dict[KeyId, Key] = {}
        self.key_ids: dict[str, KeyId] = {}
        self.admins: dict[AdminId, AdminSpec] = {}
        #: Who agreed on adding an admin: nobody at the founding, one alone for the second approver, else two.
        self.added_by: dict[AdminId, tuple[AdminId, ...]] = {}
        #: Of these, whom one person alone added and who has asked for nothing yet (a dict for its order): whoever holds
        #: their key has not been heard of.
        self.unheard: dict[AdminId, None] = {}
        #: What waits for a second person (`core.people.agreement`).
        self.proposals: dict[ProposalId, CommandProposed] = {}
        #: Public keys of admins that were revoked (a dict for its order).
        self.spent_admin_keys: dict[str, None] = {}
        #: All that were revoked, of traders and admins: none comes back as anybody's.
        self.spent_keys: dict[str, None] = {}
        self.orders: dict[OrderId, Order] = {}
        self.ended_client_ids = EndedClientIds(self.accounts)
        self.sources: dict[str, Source] = {}
        #: The last id given to a deposit.
        self.last_deposit = DepositId(0)

        self.venue_mode = Mode.OFFLINE
        self.mode_reason = "not opened yet"
        self.mode_changed_us = 0
        self.mode_seq = 0
        #: Last record that changed any book, and last one that posted anything.
        self.trading_seq = 0
        self.posted_seq = 0
        #: Reason by (switch, asset); asset "" is all of them.
        self.pauses: dict[tuple[Pause, str], str] = {}

        #: The build that wrote the last ProcessStarted, and whether it has stopped in order since.
        self.build = ""
        self.stopped = True
        self.resume_mode: Mode | None = None
        self.started_seq = 0
        #: While the timers stand still: since when; and how much time they have missed in all.
        self.frozen_since_us = 0
        self.frozen_us = 0
        #: (deadline_us on the timers' clock, account) of every dead-man's switch that is on, soonest first.
        self.deadlines: SortedList[tuple[int, AccountId]] = SortedList()
        #: Armed sessions (account, session) whose process is gone: their orders end before any new one.
        self.orphaned: dict[tuple[AccountId, str], None] = {}

        self.venue_keys: tuple[VenueKey, ...] = ()
        self.windows: dict[WindowId, Window] = {}
        #: Those of them under way: what is asked before every order.
        self.under_way: dict[WindowId, Window] = {}
        #: Opening certificates that still count for some scope; and the windows of the newest on record of either kind.
        self.certificates: dict[CertificateId, Certificate] = {}
        self.issued: dict[CertificateId, WindowId] = {}
        #: Who has approved an opening certificate, and waived a gate of a window (0: of this start).
        self.approvals: dict[CertificateId, dict[AdminId, None]] = {}
        self.waivers: dict[tuple[WindowId, Gate], dict[AdminId, None]] = {}
        #: The gates that failed last, until a certificate is issued or the process starts anew.
        self.failed_gates: GatesFailed | None = None
        #: Ranges of records that are lost: (epoch that began behind them, first seq, last seq). Nothing bounds them but
        #: that each takes two approvers, a stopped exchange and 30 bytes.
        self.losses: tuple[tuple[int, int, int], ...] = ()

        for account_id, name in VENUE_ACCOUNTS.items():
            self.open_account(account_id, name)

    @property
    def venue_public_key(self) -> str:
        """The key in force; "" before the founding."""
        return self.venue_keys[-1].public_key if self.venue_keys else ""

    def admin_of(self, public_key: str) -> AdminId | None:
        """Whose key this is. There are few admins, so no index of their keys is kept."""
        return next((admin for admin, spec in self.admins.items() if spec.public_key == public_key), None)

    def ruling_mode(self, market: Market) -> Mode:
        """The lower of the venue's mode and the market's own."""
        return lower(self.venue_mode, market.mode)

    def ruling_reason(self, market: Market) -> str:
        return self.mode_reason if self.ruling_mode(market) is not market.mode else market.mode_reason

    def window_over(self, market: Market) -> Window | None:
        """The window under way whose scope the market belongs to."""
        for window in self.under_way.values():
            if not window.plan.markets or market.symbol in window.plan.markets:
                return window
        return None

    def find_under_way(self) -> None:
        """Look anew for windows under way: for `evolve`, where one begins or ends, and for who restores them."""
        self.under_way = {window_id: window for window_id, window in self.windows.items() if window.under_way}

    def timer_us(self, time_us: int) -> int:
        """The timers' clock: it misses the time the venue was shut with timers frozen."""
        return (self.frozen_since_us or time_us) - self.frozen_us

    def paused(self, asset: str) -> frozenset[Pause]:
        """The switches that are on for an asset."""
        return frozenset(pause for pause, of in self.pauses if of in ("", asset))

    def open_account(self, account_id: AccountId, label: str) -> Account:
        """A new, empty account, and its user if that one is new too: for `evolve` alone."""
        user_id = user_of(account_id)
        user = self.users.get(user_id)
        if user is None:
            user = self.users[user_id] = User(user_id)
            self.last_user = max(self.last_user, user_id)
        account = self.accounts[account_id] = Account(account_id, user, label)
        insort(user.accounts, account, key=_ID)
        return account
