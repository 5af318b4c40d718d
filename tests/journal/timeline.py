"""A venue that trades: real commands decided and folded by the real core, as records for the journal."""

import random
from base64 import b64encode

from nacl.signing import SigningKey

from exchange.core import State, decide, fold
from exchange.values.accounts.commands import AddKey, OpenAccount
from exchange.values.commands import AnyCommand
from exchange.values.enums import Mode, Role, Scope, Side
from exchange.values.ids import AccountId, AdminId, KeyId, account_id, id_at
from exchange.values.listings.specs import AssetSpec, FeeTier, Limits, ListedMarket, MarketFilters, spot_market
from exchange.values.modes.commands import SetMode
from exchange.values.orders.commands import CancelAll, PlaceOrder
from exchange.values.people.admins import AdminSpec
from exchange.values.process.commands import Genesis, StartProcess
from exchange.values.record import GENESIS_CHAIN, Record, Signed, encode, link
from tests.venue import deposit

ADMIN_KEY = SigningKey(bytes([8]) * 32)
VENUE_KEY = SigningKey(bytes([7]) * 32)
START_US = 1_790_000_000_000_000
ADMIN = AdminId(id_at(1, 1))
ACCOUNTS = 8
MARKET = "SOL_USDC"


def public(key: SigningKey) -> str:
    return b64encode(bytes(key.verify_key)).decode()


class Timeline:
    """Makes records; `state` and `chain` are those after the last one made."""

    def __init__(self) -> None:
        self.state = State()
        self.chain = GENESIS_CHAIN
        self.bodies: list[bytes] = []
        self._random = random.Random(1)
        self.traders: list[tuple[AccountId, KeyId]] = []
        self._found()

    def do(self, command: AnyCommand, *signed: Signed) -> int:
        """Record one command; returns its seq."""
        time_us = START_US + 1_000 * self.state.seq
        record = Record(self.state.seq + 1, time_us, command, decide(self.state, time_us, command), signed)
        fold(self.state, record)
        self.bodies.append(encode(record))
        self.chain = link(self.chain, self.bodies[-1])
        return record.seq

    def trade(self, commands: int) -> list[bytes]:
        """Record orders and cancels around a price; returns their encoded records."""
        assert self.state.venue_mode is Mode.FULL
        start = len(self.bodies)
        for _ in range(commands):
            account, key_id = self._random.choice(self.traders)
            if self._random.random() < 0.05:
                self.do(CancelAll(account, key_id, MARKET))
                continue
            side = self._random.choice((Side.BID, Side.ASK))
            price_ticks = 15_000 + self._random.randint(-20, 20)
            self.do(PlaceOrder(account, key_id, MARKET, side, price_ticks=price_ticks, lots=self._random.randint(1, 9)))
        return self.bodies[start:]

    def _found(self) -> None:
        sol, usdc = AssetSpec("SOL", 9), AssetSpec("USDC", 6)
        spec = spot_market(sol, usdc, tick_e9=10_000_000, step_e9=10_000_000)
        self.do(
            Genesis(
                venue="test",
                venue_public_key=public(VENUE_KEY),
                assets=(sol, usdc),
                markets=(ListedMarket(spec, MarketFilters(reference_price_ticks=15_000)),),
                fee_tiers=(FeeTier("base", 800, 1_000),),
                admins=(AdminSpec("root", public(ADMIN_KEY), tuple(Role)),),
                limits=Limits(),
            )
        )
        self.do(StartProcess("build 1", clean=True))
        # Before there is money, while there is nothing to prove.
        for mode in (Mode.POST_ONLY, Mode.FULL):
            self.do(SetMode(ADMIN, mode, "open"))
        for n in range(ACCOUNTS):
            self.do(OpenAccount(ADMIN))
            account = account_id(self.state.last_user)
            key = public(SigningKey(bytes([n + 10]) * 32))
            key_id = KeyId(id_at(self.do(AddKey(ADMIN, account, key, (Scope.READ, Scope.TRADE)))))
            self.do(deposit(self.state, account, "SOL", 10**15, f"sol {n}"))
            self.do(deposit(self.state, account, "USDC", 10**15, f"usdc {n}"))
            self.traders.append((account, key_id))
