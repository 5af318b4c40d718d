"""Orders to be placed, the same over REST and over the WebSocket."""

import itertools
import secrets
from decimal import Decimal
from typing import Final, Literal

import msgspec

from exchange_client.codec import typed
from exchange_client.decimals import Scalar, plain
from exchange_client.errors import ExchangeError
from exchange_client.models import Order, SelfTradePrevention, Side, TimeInForce

CLIENT_ID_LIMIT: Final = 1 << 32
_client_ids: Final = itertools.count(secrets.randbelow(CLIENT_ID_LIMIT))


def next_client_id() -> int:
    """A client id this process has not given out yet, from a random start so that processes don't meet."""
    return next(_client_ids) % CLIENT_ID_LIMIT


class NewOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order to place; see `limit` and `market`.

    Every order has a client id: it is how the outcome is found when an answer gets lost.
    """

    symbol: str
    side: Side
    order_type: Literal["Limit", "Market"]
    quantity: Decimal | None = None
    quote_quantity: Decimal | None = None
    price: Decimal | None = None
    time_in_force: TimeInForce | None = None
    post_only: bool = False
    self_trade_prevention: SelfTradePrevention | None = None
    client_id: int = msgspec.field(default_factory=next_client_id)

    def wire(self) -> dict[str, Scalar]:
        """The fields of the request; what isn't set isn't sent."""
        fields: dict[str, Scalar] = {
            "symbol": self.symbol,
            "side": self.side,
            "orderType": self.order_type,
            "clientId": self.client_id,
        }
        for name, number in (
            ("quantity", self.quantity),
            ("quoteQuantity", self.quote_quantity),
            ("price", self.price),
        ):
            if number is not None:
                fields[name] = plain(number)
        if self.time_in_force is not None:
            fields["timeInForce"] = self.time_in_force
        if self.post_only:
            fields["postOnly"] = True
        if self.self_trade_prevention is not None:
            fields["selfTradePrevention"] = self.self_trade_prevention
        return fields


def limit(
    symbol: str,
    side: Side,
    price: Decimal,
    quantity: Decimal,
    *,
    time_in_force: TimeInForce = "GTC",
    post_only: bool = False,
    self_trade_prevention: SelfTradePrevention | None = None,
    client_id: int | None = None,
) -> NewOrder:
    """A limit order of `quantity` base at `price` or better."""
    return NewOrder(
        symbol=symbol,
        side=side,
        order_type="Limit",
        price=price,
        quantity=quantity,
        time_in_force=time_in_force,
        post_only=post_only,
        self_trade_prevention=self_trade_prevention,
        client_id=next_client_id() if client_id is None else client_id,
    )


def market(
    symbol: str,
    side: Side,
    *,
    quantity: Decimal | None = None,
    quote_quantity: Decimal | None = None,
    self_trade_prevention: SelfTradePrevention | None = None,
    client_id: int | None = None,
) -> NewOrder:
    """A market order of `quantity` base, or one that spends (Bid) or brings in (Ask) `quote_quantity`."""
    return NewOrder(
        symbol=symbol,
        side=side,
        order_type="Market",
        quantity=quantity,
        quote_quantity=quote_quantity,
        self_trade_prevention=self_trade_prevention,
        client_id=next_client_id() if client_id is None else client_id,
    )


def order_key(symbol: str, order_id: str | None, client_id: int | None) -> dict[str, Scalar]:
    """How a request names one order. Raises ValueError unless exactly one of the two ids is given."""
    if order_id is not None and client_id is None:
        return {"symbol": symbol, "orderId": order_id}
    if client_id is not None and order_id is None:
        return {"symbol": symbol, "clientId": client_id}
    raise ValueError("name an order by exactly one of order_id and client_id")


class _Placed(Order, frozen=True, kw_only=True, tag_field="operation", tag="Ok"):
    pass


class _Refused(msgspec.Struct, frozen=True, tag_field="operation", tag="Err"):
    code: str
    message: str


def outcomes(answer: object) -> list[Order | ExchangeError]:
    """The outcome of each order of a batch, in the order they were sent."""
    return [
        item if isinstance(item, _Placed) else ExchangeError(item.code, item.message, 400)
        for item in typed(answer, list[_Placed | _Refused])
    ]
