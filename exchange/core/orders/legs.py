"""What events of orders move, leg by leg. `evolve` moves the same directly, for speed."""

from exchange.core.orders.sides import maker_side, paid_asset, taker_side
from exchange.core.rows import Posting
from exchange.core.state import State
from exchange.values.enums import Bucket
from exchange.values.ids import FEES, AccountId
from exchange.values.money.events import Leg
from exchange.values.orders.events import OrderDone, OrderRested, Traded

#: Kinds of posting.
RESERVE, RELEASE, TRADE, FEE = "reserve", "release", "trade", "fee"


def order_rested(state: State, event: OrderRested) -> list[Posting]:
    asset = paid_asset(state.markets[event.market].spec, event.side)
    return _shift(RESERVE, event.account, asset, event.reserved_atoms, Bucket.AVAILABLE, Bucket.LOCKED)


def order_done(state: State, event: OrderDone) -> list[Posting]:
    asset = paid_asset(state.markets[event.market].spec, event.side)
    return _shift(RELEASE, event.account, asset, event.released_atoms, Bucket.LOCKED, Bucket.AVAILABLE)


def traded(state: State, event: Traded) -> list[Posting]:
    spec = state.markets[event.market].spec
    taker, maker = taker_side(spec, event), maker_side(spec, event)
    legs = [
        (TRADE, Leg(taker.account, taker.pays, -taker.pays_atoms)),
        (TRADE, Leg(maker.account, maker.gets, maker.gets_atoms)),
        (TRADE, Leg(maker.account, maker.pays, -maker.pays_atoms, Bucket.LOCKED)),
        (TRADE, Leg(taker.account, taker.gets, taker.gets_atoms)),
    ]
    for side in (taker, maker):
        if side.fee_atoms:
            legs.append((FEE, Leg(side.account, side.fee_asset, -side.fee_atoms)))
            legs.append((FEE, Leg(FEES, side.fee_asset, side.fee_atoms)))
    return legs


def _shift(kind: str, account: AccountId, asset: str, atoms: int, source: Bucket, target: Bucket) -> list[Posting]:
    if not atoms:
        return []
    return [(kind, Leg(account, asset, -atoms, source)), (kind, Leg(account, asset, atoms, target))]
