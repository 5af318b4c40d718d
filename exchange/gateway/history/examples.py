"""Rows of histories shown on the OpenAPI page."""

from typing import Final

from exchange.gateway.history.wire import Deposit, HistoricalOrder, LedgerEntry, OrderFill
from exchange.values.enums import CancelReason, OrderStatus, OrderType, SelfTradePrevention, Side, TimeInForce

_AT: Final = "2026-07-27T17:39:00.092"

HISTORICAL_ORDER: Final = HistoricalOrder(
    id="54068",
    client_id=7,
    created_at=_AT,
    symbol="SOL_USDC",
    side=Side.BID,
    order_type=OrderType.LIMIT,
    price="100.5",
    quantity="1.5",
    quote_quantity=None,
    executed_quantity="0.5",
    executed_quote_quantity="50.25",
    status=OrderStatus.CANCELLED,
    expiry_reason=None,
    cancel_reason=CancelReason.USER,
    ended_seq=5_411,
    ended_command="CancelOrder",
    ended_by="key 1740",
    time_in_force=TimeInForce.GTC,
    post_only=True,
    self_trade_prevention=SelfTradePrevention.REJECT_TAKER,
    slippage_tolerance=None,
    slippage_tolerance_type=None,
)

FILL: Final = OrderFill(
    trade_id=8_299,
    order_id="54068",
    client_id="7",
    symbol="SOL_USDC",
    side=Side.BID,
    price="100.5",
    quantity="0.5",
    fee="0.0004",
    fee_symbol="SOL",
    is_maker=True,
    timestamp=_AT,
)

DEPOSIT: Final = Deposit(
    id=17,
    symbol="USDC",
    quantity="1000",
    created_at="2026-03-01T09:12:44.718",
    reference="wire 2026-03-01/17",
)

LEDGER_ENTRY: Final = LedgerEntry(
    seq=5_406,
    index=0,
    timestamp=_AT,
    symbol="USDC",
    bucket="locked",
    quantity="-50.25",
    balance="100.5",
    kind="trade",
    command="PlaceOrder",
    actor="another account",
    market="SOL_USDC",
    order_id="54068",
    trade_id=8_299,
    reference=None,
)
