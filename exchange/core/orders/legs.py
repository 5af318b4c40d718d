"""What events of orders move, leg by leg. `evolve` moves the same directly, for speed."""

from exchange.core.rows import Posting
from exchange.core.state import State
from exchange.values.enums import Bucket, Side
from exchange.values.ids import FEES, AccountId
from exchange.values.money.events import Leg
from exchange.values.orders.events import OrderDone, OrderRested, Traded

#: Kinds of posting.
RESERVE, RELEASE, TRADE, FEE = "reserve", "release", "trade", "fee"


def order_rested(state: State, event: OrderRested) -> list[Posting]:
    asset = _paid(state, event.market, event.side)
    return _shift(RESERVE, event.account, asset, event.reserved_atoms, Bucket.AVAILABLE, Bucket.LOCKED)


def order_done(state: State, event: OrderDone) -> list[Posting]:
    asset = _paid(state, event.market, event.side)
    return _shift(RELEASE, event.account, asset, event.released_atoms, Bucket.LOCKED, Bucket.AVAILABLE)


def traded(state: State, event: Traded) -> list[Posting]:
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


def _paid(state: State, market: str, side: Side) -> str:
    """The asset an order of this side pays with."""
    spec = state.markets[market].spec
    return spec.quote if side is Side.BID else spec.base


def _shift(kind: str, account: AccountId, asset: str, atoms: int, source: Bucket, target: Bucket) -> list[Posting]:
    if not atoms:
        return []
    return [(kind, Leg(account, asset, -atoms, source)), (kind, Leg(account, asset, atoms, target))]
