"""A trading morning: a venue is founded, funded and traded on, and what the faults are aimed at is set up."""

import asyncio
import random
from base64 import b64encode
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import blake2b
from itertools import count, islice
from pathlib import Path
from typing import Final

import msgspec
from nacl.signing import SigningKey

from exchange.core import State, decide
from exchange.journal.client import WriterClient
from exchange.journal.layout import whole_file
from exchange.journal.store import JournalReader
from exchange.maintenance.drill.messages import Scene
from exchange.runtime.core.venue import Venue
from exchange.values.accounts.commands import AddKey, OpenAccount, SetUserTier
from exchange.values.accounts.events import AccountOpened, KeyAdded
from exchange.values.commands import AnyCommand
from exchange.values.enums import Mode, Role, Scope, Side
from exchange.values.ids import AccountId, AdminId, KeyId, OrderId, id_at, user_of
from exchange.values.listings.specs import AssetSpec, FeeTier, Limits, ListedMarket, MarketFilters, spot_market
from exchange.values.modes.commands import SetMode
from exchange.values.money.commands import CreditDeposit
from exchange.values.orders.commands import CancelOrder, PlaceOrder
from exchange.values.orders.events import Traded
from exchange.values.orders.views import Outcome
from exchange.values.people.admins import AdminSpec
from exchange.values.process.commands import Genesis
from exchange.values.record import Record, encode
from exchange.values.windows.commands import PlanWindow
from exchange.values.windows.events import WindowPlanned
from exchange.values.windows.plan import WindowId, WindowPlan

#: Accounts that play a part in the scene; those after them only trade.
CAST: Final = 10
MIN_ACCOUNTS: Final = CAST + 2
#: Commands on their way at a time, all of one market.
_AT_A_TIME: Final = 500
_SEED: Final = 20260703

_USDC, _SOL, _ETH = AssetSpec("USDC", 6), AssetSpec("SOL", 9), AssetSpec("ETH", 9)
#: Both are priced about 15,000 ticks; a lot, a hundredth, at one tick is 100 atoms of USDC.
_MARKETS: Final = tuple(
    ListedMarket(spot_market(base, _USDC, 10_000_000, 10_000_000), MarketFilters(reference_price_ticks=15_000))
    for base in (_SOL, _ETH)
)
MARKET: Final = "SOL_USDC"
#: What a lot is in atoms of its asset.
LOT_ATOMS: Final = _MARKETS[0].spec.base_atoms_per_lot
#: The scene plays this far from where the others trade, who never come here.
LOW_TICKS: Final = 13_500
_HIGH_TICKS: Final = 16_500
ADMINS: Final = (AdminId(id_at(1, 1)), AdminId(id_at(1, 2)))
_ADMIN: Final = ADMINS[0]

Trader = tuple[AccountId, KeyId]


def at_us(hour: int, minute: int = 0) -> int:
    """A time of the day of the drill, in µs since 1970."""
    return int(datetime(2026, 7, 3, hour, minute, tzinfo=UTC).timestamp()) * 1_000_000


OPENS_US, OFFLINE_US, POST_ONLY_US, FULL_US = at_us(9), at_us(10), at_us(12), at_us(12, 10)


def _key_of(name: str) -> SigningKey:
    """A key that is the same in every stage; it signs for nothing but the drill."""
    return SigningKey(blake2b(name.encode(), digest_size=32).digest())


def public_key(name: str) -> str:
    return b64encode(bytes(_key_of(name).verify_key)).decode()


def keep_venue_key(data_dir: Path) -> None:
    """Put the venue's key where what certifies looks for it."""
    with whole_file(data_dir / "keys" / "venue.json") as file:
        seed = b64encode(bytes(_key_of("venue"))).decode()
        file.write(msgspec.json.encode({"apiKey": public_key("venue"), "apiSecret": seed}))


async def found(data_dir: Path, witness_dir: Path) -> None:
    """Write the first record, and keep the venue's key."""
    genesis = Genesis(
        venue="drill",
        venue_public_key=public_key("venue"),
        assets=(_USDC, _SOL, _ETH),
        markets=_MARKETS,
        fee_tiers=(FeeTier("VIP0", 800, 1_000), FeeTier("VIP1", 600, 800)),
        admins=tuple(
            AdminSpec(name, public_key(name), (Role.OPERATOR, Role.APPROVER, Role.SUPPORT, Role.TREASURER))
            for name in ("first", "second")
        ),
        limits=Limits(),
    )
    keep_venue_key(data_dir)
    writer = await WriterClient.start(data_dir, lambda _seq: None, lambda _reason: None, witness_dir)
    writer.append(1, [encode(Record(1, OPENS_US, genesis, decide(State(), OPENS_US, genesis)))])
    await writer.close()


async def run_all(venue: Venue, commands: Iterable[AnyCommand]) -> list[Outcome]:
    """Run commands that may be under way together; some at a time, all in their order."""
    waiting, outcomes = iter(commands), list[Outcome]()
    while some := list(islice(waiting, _AT_A_TIME)):
        outcomes += await asyncio.gather(*map(venue.execute, some))
    return outcomes


async def do(venue: Venue, command: AnyCommand) -> Outcome:
    """Run a command that is sure to be taken."""
    outcome = await venue.execute(command)
    assert outcome.refusal is None, f"{command}: {outcome.refusal}"
    return outcome


class Morning:
    """Plays it, on an exchange that nothing has happened on yet."""

    def __init__(self, venue: Venue, data_dir: Path) -> None:
        self._venue = venue
        self._data_dir = data_dir
        self._random = random.Random(_SEED)
        self._traders: list[Trader] = []
        self._resting: list[PlaceOrder] = []
        self._client_id = 0

    async def play(self, accounts: int, trades: int, backup: Path) -> Scene:
        """The whole of it; a copy of the journal as it was in the middle goes to `backup`."""
        venue = self._venue
        for mode in (Mode.POST_ONLY, Mode.FULL):
            await do(venue, SetMode(_ADMIN, mode, "the day begins"))
        planned = (
            await do(venue, PlanWindow(_ADMIN, WindowPlan(OFFLINE_US, POST_ONLY_US, FULL_US, "upgrade")))
        ).events[0]
        assert isinstance(planned, WindowPlanned)
        deposits = await self._fund(accounts)
        scene = await self._set_scene(planned.window, deposits)
        await self._trade(trades // 2)
        with JournalReader(self._data_dir) as reader:
            reader.copy_to(backup)
            backup_seq, _ = reader.last()
        await self._trade(trades - trades // 2)
        last = await self._order(self._traders[CAST - 1], Side.BID, LOW_TICKS - 100, 10)
        return msgspec.structs.replace(scene, backup_seq=backup_seq, late_seq=last.seq)

    async def _fund(self, accounts: int) -> list[Outcome]:
        """Open the accounts; returns their deposits of USDC."""
        venue, draw = self._venue, self._random
        opened = await run_all(venue, (OpenAccount(_ADMIN, label=f"trader {n}") for n in range(accounts)))
        ids = [event.account for each in opened for event in each.events if isinstance(event, AccountOpened)]
        scopes = (Scope.READ, Scope.TRADE)
        keyed = await run_all(venue, (AddKey(_ADMIN, each, public_key(f"trader {each}"), scopes) for each in ids))
        keys = [event.key_id for each in keyed for event in each.events if isinstance(event, KeyAdded)]
        self._traders = list(zip(ids, keys, strict=True))
        deposits: list[Outcome] = []
        numbers = count(1)
        for asset, least_atoms in (("ETH", 10**13), ("SOL", 10**13), ("USDC", 10**12)):
            amounts = [(each, draw.randrange(least_atoms, 2 * least_atoms)) for each in ids]
            deposits = await run_all(
                venue,
                (
                    CreditDeposit(_ADMIN, each, asset, atoms, f"{asset} {each}", next(numbers))
                    for each, atoms in amounts
                ),
            )
        return deposits

    async def _set_scene(self, window: WindowId, deposits: list[Outcome]) -> Scene:
        """Play the scene, far from where the others will trade."""
        venue = self._venue
        maker, behind, taker, tiered, canceller, reserver, idle, depositor, bystander, late = self._traders[:CAST]
        await self._order(maker, Side.BID, LOW_TICKS, 1_000)
        await self._order(behind, Side.BID, LOW_TICKS, 500)
        taken = await self._order(taker, Side.ASK, LOW_TICKS, 300)
        await do(venue, SetUserTier(_ADMIN, user_of(tiered[0]), 1, "trades much"))
        await self._order(tiered, Side.ASK, LOW_TICKS, 200)
        ended = await self._order(canceller, Side.BID, LOW_TICKS - 100, 100)
        await do(venue, CancelOrder(*canceller, MARKET, OrderId(id_at(ended.seq))))
        resting = await self._order(reserver, Side.ASK, _HIGH_TICKS, 50)
        deposit = deposits[7].command
        assert isinstance(deposit, CreditDeposit)
        assert deposit.account == depositor[0]
        return Scene(
            window=window,
            maker=maker[0],
            behind=behind[0],
            taker=taker[0],
            tiered=tiered[0],
            canceller=canceller[0],
            reserver=reserver[0],
            idle=idle[0],
            depositor=depositor[0],
            bystander=bystander[0],
            late=late[0],
            taker_key=taker[1],
            taker_order=OrderId(id_at(taken.seq)),
            taken_atoms=300 * LOT_ATOMS,
            ended_order=OrderId(id_at(ended.seq)),
            resting_order=OrderId(id_at(resting.seq)),
            reserved_atoms=50 * LOT_ATOMS,
            deposit_seq=deposits[7].seq,
            deposit_atoms=deposit.atoms,
        )

    async def _order(self, trader: Trader, side: Side, price_ticks: int, lots: int) -> Outcome:
        return await do(self._venue, PlaceOrder(*trader, MARKET, side, price_ticks=price_ticks, lots=lots))

    async def _trade(self, trades: int) -> None:
        """Orders and cancels of everybody who has no part in the scene, until there are so many trades more."""
        done = 0
        while done < trades:
            market = self._random.choice(_MARKETS).spec.symbol
            some = [self._drawn(market) for _ in range(min(_AT_A_TIME, 4 * (trades - done) + 4))]
            done += sum(type(e) is Traded for outcome in await run_all(self._venue, some) for e in outcome.events)

    def _drawn(self, market: str) -> AnyCommand:
        draw = self._random
        if self._resting and not draw.randrange(8):
            placed = self._resting.pop(draw.randrange(len(self._resting)))
            return CancelOrder(placed.account, placed.key_id, placed.market, client_id=placed.client_id)
        self._client_id += 1
        order = PlaceOrder(
            *draw.choice(self._traders[CAST:]),
            market,
            draw.choice((Side.BID, Side.ASK)),
            price_ticks=15_000 + draw.randrange(-100, 101),
            lots=draw.randrange(1, 100),
            client_id=self._client_id,
            cancel_at_close=not draw.randrange(10),
        )
        self._resting.append(order)
        return order
