"""A venue with a past: a seeded run of commands through the real core, as the records they became."""

import random
from base64 import b64encode
from pathlib import Path
from typing import Final

from exchange.core import State, decide, fold
from exchange.journal.store import open_writing
from exchange.values.accounts.commands import AddKey, OpenAccount
from exchange.values.commands import AnyCommand
from exchange.values.enums import Mode, OrderType, Role, Scope, SelfTradePrevention, Side, TimeInForce
from exchange.values.events import AnyEvent
from exchange.values.ids import AccountId, AdminId, KeyId, OrderId, SubaccountId, UserId, account_id, id_at
from exchange.values.listings.specs import AssetSpec, FeeTier, Limits, ListedMarket, MarketFilters, spot_market
from exchange.values.modes.commands import SetMode
from exchange.values.numbers import E9
from exchange.values.orders.commands import CancelAll, CancelOrder, PlaceOrder
from exchange.values.people.admins import AdminSpec
from exchange.values.process.commands import Genesis, StartProcess
from exchange.values.record import Record, encode
from tests.venue import deposit

BEGIN_US: Final = 1_790_000_000_000_000
MARKETS: Final = ("SOL_USDC", "BTC_USDC")
ADMIN: Final = AdminId(id_at(1, 1))
_USDC: Final = AssetSpec("USDC", 6)
_BASES: Final = {"SOL_USDC": AssetSpec("SOL", 9), "BTC_USDC": AssetSpec("BTC", 8)}
_REFERENCE_TICKS: Final = 10_000


def _key(number: int) -> str:
    return b64encode(number.to_bytes(32, "big")).decode()


def keep(data_dir: Path, records: list[Record]) -> None:
    """Put records into the journal of a data folder, behind those that are there."""
    journal = open_writing(data_dir)
    journal.append(records[0].seq, [encode(record) for record in records])
    journal.close()


class History:
    """Every command goes through `decide` and `fold`; `records` are what a journal would hold."""

    def __init__(self, traders: int = 6, seed: int = 1) -> None:
        self.state = State()
        self.records: list[Record] = []
        self.time_us = BEGIN_US
        self.traders: list[tuple[AccountId, KeyId]] = []
        self.random = random.Random(seed)
        self._found()
        for _ in range(traders):
            self.open_account()
        # Two sub-accounts of one user meet each other, so that self-trade prevention has work.
        self.open_account(UserId(self.traders[0][0] // 100_000))

    def do(self, command: AnyCommand) -> list[AnyEvent]:
        events = decide(self.state, self.time_us, command)
        record = Record(self.state.seq + 1, self.time_us, command, events)
        fold(self.state, record)
        self.records.append(record)
        return events

    def open_account(self, user: UserId | None = None) -> None:
        subaccount = SubaccountId(0 if user is None else 1)
        self.do(OpenAccount(ADMIN, user, subaccount))
        account = account_id(self.state.last_user if user is None else user, subaccount)
        self.do(AddKey(ADMIN, account, _key(1_000 + self.state.seq), (Scope.READ, Scope.TRADE), reason="test"))
        self.traders.append((account, KeyId(id_at(self.state.seq))))
        for asset, atoms in (("USDC", 10**13), ("SOL", 10**15), ("BTC", 10**14)):
            self.do(deposit(self.state, account, asset, atoms, f"{account}-{asset}"))

    def run(self, commands: int, pause_us: int = 400_000) -> "History":
        """Random trading, every kind of order and end in it; `pause_us` between two commands on average."""
        for _ in range(commands):
            self.time_us += self.random.randrange(2 * pause_us + 1)
            self.do(self._command())
        return self

    def _found(self) -> None:
        filters = MarketFilters(_REFERENCE_TICKS)
        listed = tuple(
            ListedMarket(spot_market(base, _USDC, E9 // 100, E9 // 100), filters) for base in _BASES.values()
        )
        roles = tuple(Role)
        self.do(
            Genesis(
                venue="test",
                venue_public_key=_key(1),
                assets=(_USDC, *_BASES.values()),
                markets=listed,
                fee_tiers=(FeeTier("base", 800, 1000),),
                admins=(AdminSpec("first", _key(2), roles),),
                limits=Limits(),
                auto_resume=True,
            )
        )
        self.do(StartProcess("build-1", True))
        for mode in (Mode.POST_ONLY, Mode.FULL):
            self.do(SetMode(ADMIN, mode, "opening"))

    def _command(self) -> AnyCommand:
        account, key = self.random.choice(self.traders)
        market = self.random.choice(MARKETS)
        chance = self.random.random()
        if chance < 0.3:
            orders = list(self.state.accounts[account].orders.values())
            if orders:
                order = self.random.choice(orders)
                return CancelOrder(account, key, order.market.symbol, order_id=order.order_id)
            return CancelOrder(account, key, market, order_id=OrderId(1))
        if chance < 0.31:
            return CancelAll(account, key, market)
        return self._order(account, key, market)

    def _order(self, account: AccountId, key: KeyId, market: str) -> PlaceOrder:
        pick = self.random
        side = pick.choice((Side.BID, Side.ASK))
        prevention = pick.choice(list(SelfTradePrevention))
        client_id = pick.randrange(1_000) if pick.random() < 0.5 else None
        if pick.random() < 0.1:
            by_quote = pick.random() < 0.5
            return PlaceOrder(
                account,
                key,
                market,
                side,
                OrderType.MARKET,
                lots=0 if by_quote else pick.randint(1, 300),
                quote_atoms=pick.randint(1, 10**9) if by_quote else 0,
                time_in_force=TimeInForce.IOC,
                self_trade_prevention=prevention,
                client_id=client_id,
                slippage_ticks=pick.choice((None, 5)),
            )
        away = int(pick.gauss(20, 25)) * (-1 if side is Side.BID else 1)
        in_force = pick.choices(list(TimeInForce), (8, 1, 1))[0]
        return PlaceOrder(
            account,
            key,
            market,
            side,
            price_ticks=_REFERENCE_TICKS + away,
            lots=pick.randint(1, 200),
            time_in_force=in_force,
            post_only=in_force is TimeInForce.GTC and pick.random() < 0.2,
            self_trade_prevention=prevention,
            client_id=client_id,
        )
