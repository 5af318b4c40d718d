"""Open orders, and the client ids that ended ones keep, as they are written down.

There are hundreds of thousands of them, so their names are short.
"""

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import msgspec

from exchange.core.images import Image, Table
from exchange.core.orders.book import Order
from exchange.core.orders.client_ids import ClientId, Ended
from exchange.values.enums import SelfTradePrevention, Side
from exchange.values.ids import OrderId

if TYPE_CHECKING:
    from exchange.core.state import Account, State

_BID: Final = Side.BID


class OrderImage(
    Image,
    frozen=True,
    rename={
        "market": "m",
        "order_id": "id",
        "side": "s",
        "price_ticks": "p",
        "lots": "q",
        "left_lots": "l",
        "reserved_atoms": "r",
        "created_us": "t",
        "filled_quote_atoms": "f",
        "post_only": "po",
        "self_trade_prevention": "stp",
        "client_id": "c",
        "cancel_at_close": "cc",
    },
):
    """Behind the market's symbol stand the last parameters of `Order`, in their order."""

    market: str
    order_id: OrderId
    side: Side
    price_ticks: int
    lots: int
    left_lots: int
    reserved_atoms: int
    created_us: int
    filled_quote_atoms: int = 0
    post_only: bool = False
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.REJECT_TAKER
    client_id: int | None = None
    cancel_at_close: bool = False


#: What an order is tied to follows from its account, its market and its price.
ORDER: Final = Table(
    OrderImage,
    sources={"market": "market.symbol"},
    derived=frozenset({"account", "pays", "gets", "level", "previous", "next"}),
)


def restore_orders(state: "State", orders: list[tuple[OrderImage, "Account"]]) -> None:
    """Orders join their levels by rising id, which is the order they joined in before.

    Raises:
        KeyError: one is of a market that isn't listed.
    """
    orders.sort(key=lambda order: order[0].order_id)
    for image, account in orders:
        symbol = image.market
        market = state.markets[symbol]
        spec = market.spec
        bid = image.side is _BID
        pays = account.balance(spec.quote if bid else spec.base)
        gets = account.balance(spec.base if bid else spec.quote)
        order = Order(account, market, pays, gets, *msgspec.structs.astuple(image)[1:])
        market.book(image.side).add(order)
        state.orders[image.order_id] = account.orders[image.order_id] = order
        account.open_orders[symbol] = account.open_orders.get(symbol, 0) + 1
        if image.client_id is not None:
            account.client_ids[(symbol, image.client_id)] = order


class EndedImage(
    Image,
    frozen=True,
    rename={"number": "n", "order_id": "id", "ended_us": "t", "market": "m", "client_id": "c"},
):
    """A client id that an ended order keeps to itself (`core.orders.client_ids`)."""

    number: int
    order_id: OrderId
    ended_us: int
    market: str
    client_id: int


def ended_images(ended: "OrderedDict[ClientId, Ended] | None") -> tuple[EndedImage, ...]:
    """Those of one account, the first that ended in front."""
    if ended is None:
        return ()
    return tuple(
        EndedImage(number, order_id, ended_us, market, client_id)
        for number, order_id, ended_us, _, (market, client_id) in ended.values()
    )


def restore_ended(state: "State", ended: list[tuple[EndedImage, "Account"]]) -> None:
    """In the order the orders ended in, over all accounts."""
    ended.sort(key=lambda each: each[0].number)
    for image, account in ended:
        client_id = (image.market, image.client_id)
        kept: Ended = (image.number, image.order_id, image.ended_us, account.account_id, client_id)
        state.ended_client_ids.restore(account, kept)


class OrdersImage(Image, frozen=True):
    """`ended_client_ids` is how many orders with a client id have ended."""

    ended_client_ids: int = 0


ORDERS: Final = Table(OrdersImage, sources={"ended_client_ids": "ended_client_ids.count"})
DERIVED: Final = frozenset({"orders"})
