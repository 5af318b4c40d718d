"""A venue with a past: a seeded run of commands through the real core, as the records they became."""

import random
from pathlib import Path
from typing import Final

from exchange.journal.store import open_writing
from exchange.values.commands import AnyCommand
from exchange.values.enums import OrderType, SelfTradePrevention, Side, TimeInForce
from exchange.values.ids import AccountId, KeyId, OrderId
from exchange.values.listings.specs import AssetSpec, MarketFilters, spot_market
from exchange.values.numbers import E9
from exchange.values.orders.commands import CancelAll, CancelOrder, PlaceOrder
from exchange.values.process.commands import StartProcess
from exchange.values.record import Record, encode
from tests.venue import ADMIN, SOL, USDC, Venue

BEGIN_US: Final = 1_790_000_000_000_000
MARKETS: Final = ("SOL_USDC", "BTC_USDC")
_BTC: Final = AssetSpec("BTC", 8)
_REFERENCE_TICKS: Final = 10_000

__all__ = ["ADMIN", "BEGIN_US", "MARKETS", "History", "keep"]


def keep(data_dir: Path, records: list[Record]) -> None:
    """Put records into the journal of a data folder, behind those that are there."""
    journal = open_writing(data_dir)
    journal.append(records[0].seq, [encode(record) for record in records])
    journal.close()


class History(Venue):
    """Every command goes through `decide` and `fold`; `records` are what a journal would hold."""

    def __init__(self, traders: int = 6, seed: int = 1) -> None:
        super().__init__(
            MarketFilters(_REFERENCE_TICKS),
            auto_resume=True,
            assets=(USDC, SOL, _BTC),
            markets=tuple(spot_market(base, USDC, E9 // 100, E9 // 100) for base in (SOL, _BTC)),
            begin_us=BEGIN_US,
            step_us=0,
        )
        self.traders: list[tuple[AccountId, KeyId]] = []
        self.random = random.Random(seed)
        self.expect(StartProcess("build-1", True))
        self.open()
        for _ in range(traders):
            self.open_account()
        # Two sub-accounts of one user meet each other, so that self-trade prevention has work.
        self.open_account(self.traders[0][0])

    def open_account(self, beside: AccountId | None = None) -> None:
        """A trader with funds; a sub-account of the same user if it is `beside` another."""
        deposits = {"USDC": 10**13, "SOL": 10**15, "BTC": 10**14}
        account = self.account(deposits, beside, 0 if beside is None else 1)
        self.traders.append((account, self.key(account)))

    def run(self, commands: int, pause_us: int = 400_000) -> "History":
        """Random trading, every kind of order and end in it; `pause_us` between two commands on average."""
        for _ in range(commands):
            self.time_us += self.random.randrange(2 * pause_us + 1)
            self.do(self._command())
        return self

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
