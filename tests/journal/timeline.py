"""A venue that trades, as records for the journal."""

import random
from base64 import b64encode

from nacl.signing import SigningKey

from exchange.core import State
from exchange.values.commands import AnyCommand
from exchange.values.enums import Mode, Role, Side
from exchange.values.ids import AccountId, KeyId
from exchange.values.listings.specs import MarketFilters
from exchange.values.orders.commands import CancelAll, PlaceOrder
from exchange.values.people.admins import AdminSpec
from exchange.values.process.commands import StartProcess
from exchange.values.record import GENESIS_CHAIN, Signed, encode, link
from tests.venue import ADMIN, SOL_USDC, Venue

ADMIN_KEY = SigningKey(bytes([8]) * 32)
VENUE_KEY = SigningKey(bytes([7]) * 32)
START_US = 1_790_000_000_000_000
ACCOUNTS = 8
MARKET = SOL_USDC.symbol
_PRICE_TICKS = 15_000

__all__ = ["ACCOUNTS", "ADMIN", "ADMIN_KEY", "MARKET", "START_US", "VENUE_KEY", "Timeline", "public"]


def public(key: SigningKey) -> str:
    return b64encode(bytes(key.verify_key)).decode()


class Timeline:
    """Makes records; `state` and `chain` are those after the last one made."""

    def __init__(self) -> None:
        self.venue = Venue(
            MarketFilters(reference_price_ticks=_PRICE_TICKS),
            venue_key=public(VENUE_KEY),
            founders=(AdminSpec("root", public(ADMIN_KEY), tuple(Role)),),
            begin_us=START_US,
            signs=(ADMIN_KEY,),
        )
        self._random = random.Random(1)
        self.chain = GENESIS_CHAIN
        self.bodies: list[bytes] = []
        self.venue.expect(StartProcess("build 1", clean=True))
        # Before there is money, while there is nothing to prove.
        self.venue.open()
        self.traders: list[tuple[AccountId, KeyId]] = []
        for _ in range(ACCOUNTS):
            account = self.venue.account({"SOL": 10**15, "USDC": 10**15})
            self.traders.append((account, self.venue.key(account)))
        self._take()

    @property
    def state(self) -> State:
        return self.venue.state

    def do(self, command: AnyCommand, *signed: Signed) -> int:
        """Record one command; returns its seq."""
        self.venue.do(command, *signed)
        self._take()
        return self.state.seq

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
            price_ticks = _PRICE_TICKS + self._random.randint(-20, 20)
            self.do(PlaceOrder(account, key_id, MARKET, side, price_ticks=price_ticks, lots=self._random.randint(1, 9)))
        return self.bodies[start:]

    def _take(self) -> None:
        """Encode and chain what the venue has recorded since."""
        for record in self.venue.records[len(self.bodies) :]:
            self.bodies.append(encode(record))
            self.chain = link(self.chain, self.bodies[-1])
