"""Double entry: what each event moves, leg by leg.

`evolve` moves balances directly, for speed; this says the same as postings, for the account
ledger, the read models and the auditors. A property test holds the two together.
"""

from exchange.core.state import State
from exchange.values.enums import Bucket, Side
from exchange.values.events import AnyEvent
from exchange.values.ids import FEES, AccountId
from exchange.values.money.events import Leg, Posted
from exchange.values.orders.events import OrderDone, OrderRested, Traded

#: Kinds of posting: what a person reads in the ledger.
RESERVE, RELEASE, TRADE, FEE = "reserve", "release", "trade", "fee"


def postings(state: State, event: AnyEvent) -> list[tuple[str, Leg]]:
    """The legs of an event that is about to be folded, each with its kind; per asset they sum to zero.

    Legs of zero atoms are left out. `state` is only read, for the market's assets.
    """
    if isinstance(event, OrderRested):
        asset = _paid(state, event.market, event.side)
        return _shift(RESERVE, event.account, asset, event.reserved_atoms, Bucket.AVAILABLE, Bucket.LOCKED)
    if isinstance(event, Traded):
        return _trade(state, event)
    if isinstance(event, OrderDone):
        asset = _paid(state, event.market, event.side)
        return _shift(RELEASE, event.account, asset, event.released_atoms, Bucket.LOCKED, Bucket.AVAILABLE)
    if isinstance(event, Posted):
        return [(event.kind, leg) for leg in event.legs]
    return []


def _paid(state: State, market: str, side: Side) -> str:
    """The asset an order of this side pays with."""
    spec = state.markets[market].spec
    return spec.quote if side is Side.BID else spec.base


def _shift(
    kind: str, account: AccountId, asset: str, atoms: int, source: Bucket, target: Bucket
) -> list[tuple[str, Leg]]:
    if not atoms:
        return []
    return [(kind, Leg(account, asset, -atoms, source)), (kind, Leg(account, asset, atoms, target))]


def _trade(state: State, event: Traded) -> list[tuple[str, Leg]]:
    spec = state.markets[event.market].spec
    if event.taker_side is Side.BID:
        gets, pays = (spec.base, event.base_atoms), (spec.quote, event.quote_atoms)
    else:
        gets, pays = (spec.quote, event.quote_atoms), (spec.base, event.base_atoms)
    taker, maker = event.taker_account, event.maker_account
    legs = [
        (TRADE, Leg(taker, pays[0], -pays[1])),
        (TRADE, Leg(maker, pays[0], pays[1])),
        (TRADE, Leg(maker, gets[0], -gets[1], Bucket.LOCKED)),
        (TRADE, Leg(taker, gets[0], gets[1])),
    ]
    for payer, asset, fee_atoms in (
        (taker, gets[0], event.taker_fee_atoms),
        (maker, pays[0], event.maker_fee_atoms),
    ):
        if fee_atoms:
            legs += [(FEE, Leg(payer, asset, -fee_atoms)), (FEE, Leg(FEES, asset, fee_atoms))]
    return legs
