"""Orders shown on the OpenAPI page."""

from typing import Any, Final

from exchange.gateway.orders.wire import LimitOrder
from exchange.values.enums import OrderStatus, OrderType, SelfTradePrevention, Side, TimeInForce

PLACE_ORDER: Final[dict[str, Any]] = {
    "symbol": "SOL_USDC",
    "side": "Bid",
    "orderType": "Limit",
    "price": "100.5",
    "quantity": "1.5",
    "timeInForce": "GTC",
    "postOnly": True,
    "clientId": 7,
}

LIMIT_ORDER: Final = LimitOrder(
    order_type=OrderType.LIMIT,
    id="54068",
    client_id=7,
    created_at=1_754_939_110_174,
    symbol="SOL_USDC",
    side=Side.BID,
    quantity="1.5",
    executed_quantity="0",
    executed_quote_quantity="0",
    status=OrderStatus.NEW,
    time_in_force=TimeInForce.GTC,
    self_trade_prevention=SelfTradePrevention.REJECT_TAKER,
    price="100.5",
    post_only=True,
)
