"""Who pays, gets and is charged what: of an order before it trades, and of both sides of a trade.

The one place that says so, beside the legs made of it. The hot path, `matching` and `evolve`, has the amounts in its
hands and doesn't ask; the law that postings say what `evolve` does holds the two together.
"""

from typing import NamedTuple

from exchange.values.enums import Side
from exchange.values.ids import AccountId, OrderId
from exchange.values.listings.specs import MarketSpec
from exchange.values.orders.events import Traded


def paid_asset(spec: MarketSpec, side: Side) -> str:
    """The asset that an order of this side pays with, and reserves while it rests."""
    return spec.quote if side is Side.BID else spec.base


class TradeSide(NamedTuple):
    """One side of a trade. The fee is taken out of what it gets."""

    account: AccountId
    order_id: OrderId
    side: Side
    is_maker: bool
    pays: str
    pays_atoms: int
    gets: str
    gets_atoms: int
    fee_asset: str
    fee_atoms: int


def taker_side(spec: MarketSpec, event: Traded) -> TradeSide:
    return _side(spec, event, event.taker_side, event.taker_account, event.taker_order_id, event.taker_fee_atoms, False)


def maker_side(spec: MarketSpec, event: Traded) -> TradeSide:
    side = Side.ASK if event.taker_side is Side.BID else Side.BID
    return _side(spec, event, side, event.maker_account, event.maker_order_id, event.maker_fee_atoms, True)


def _side(
    spec: MarketSpec,
    event: Traded,
    side: Side,
    account: AccountId,
    order_id: OrderId,
    fee_atoms: int,
    is_maker: bool,
) -> TradeSide:
    base, quote = (spec.base, event.base_atoms), (spec.quote, event.quote_atoms)
    pays, gets = (quote, base) if side is Side.BID else (base, quote)
    return TradeSide(account, order_id, side, is_maker, *pays, *gets, gets[0], fee_atoms)
