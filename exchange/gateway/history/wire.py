"""Rows of an account's history: orders, fills, postings."""

from typing import Literal

import msgspec

from exchange.gateway.orders.wire import slippage_texts
from exchange.gateway.wire.base import Wire
from exchange.gateway.wire.numbers import amount_text, price_text, quantity_text
from exchange.gateway.wire.times import iso_text
from exchange.values.enums import (
    CancelReason,
    ExpiryReason,
    OrderStatus,
    OrderType,
    SelfTradePrevention,
    Side,
    TimeInForce,
)
from exchange.values.listings.specs import MarketSpec
from exchange.values.money.views import LedgerLine
from exchange.values.orders.views import FillView, OrderView


class HistoricalOrder(Wire, frozen=True):
    """`createdAt` is text here.

    This venue's own: `cancelReason`, why an order was cancelled, and `endedSeq`, `endedCommand`, `endedBy`, the
    record that ended it, the command and who sent that. The `id` is ten times the seq of the record that placed it.
    """

    id: str
    client_id: int | None
    created_at: str
    symbol: str
    side: Side
    order_type: OrderType
    price: str | None
    quantity: str | None
    quote_quantity: str | None
    executed_quantity: str
    executed_quote_quantity: str
    status: OrderStatus
    expiry_reason: ExpiryReason | None
    cancel_reason: CancelReason | None
    ended_seq: int | None
    ended_command: str | None
    ended_by: str | None
    time_in_force: TimeInForce
    post_only: bool | None
    self_trade_prevention: SelfTradePrevention
    slippage_tolerance: str | None
    slippage_tolerance_type: str | None
    system_order_type: None = None
    trigger_price: None = None
    trigger_by: None = None
    trigger_quantity: None = None
    take_profit_trigger_price: None = None
    take_profit_trigger_by: None = None
    take_profit_limit_price: None = None
    stop_loss_trigger_price: None = None
    stop_loss_trigger_by: None = None
    stop_loss_limit_price: None = None
    strategy_id: None = None


class OrderFill(Wire, frozen=True):
    """One row per order and trade. `clientId` is text here."""

    trade_id: int
    order_id: str
    client_id: str | None
    symbol: str
    side: Side
    price: str
    quantity: str
    fee: str
    fee_symbol: str
    is_maker: bool
    timestamp: str
    system_order_type: None = None


class Deposit(Wire, frozen=True):
    """A credit from outside. `reference` is this venue's own; what chains and banks would tell is null."""

    id: int
    symbol: str
    quantity: str
    created_at: str
    reference: str | None
    source: Literal["administrator"] = "administrator"
    status: Literal["confirmed"] = "confirmed"
    to_address: None = None
    from_address: None = None
    transaction_hash: None = None
    fiat_amount: None = None
    fiat_currency: None = None
    institution_bic: None = None
    platform_memo: None = None


class LedgerEntry(Wire, frozen=True):
    """One posting on one balance, and what it came to. The sum of all `quantity` is the balance.

    `seq` is the record, `command` what was asked for, `actor` who: your key, an admin, the venue, another account.
    """

    seq: int
    index: int
    timestamp: str
    symbol: str
    bucket: str
    quantity: str
    balance: str
    kind: str
    command: str
    actor: str
    market: str | None
    order_id: str | None
    trade_id: int | None
    reference: str | None


LEDGER_COLUMNS = tuple(field.encode_name for field in msgspec.structs.fields(LedgerEntry))


def historical_order_to_wire(order: OrderView, spec: MarketSpec) -> HistoricalOrder:
    is_limit = order.order_type is OrderType.LIMIT
    tolerance, kind = slippage_texts(order)
    return HistoricalOrder(
        id=str(order.order_id),
        client_id=order.client_id,
        created_at=iso_text(order.created_us),
        symbol=order.market,
        side=order.side,
        order_type=order.order_type,
        price=price_text(order.price_ticks, spec) if is_limit else None,
        quantity=quantity_text(order.lots, spec) if order.lots else None,
        quote_quantity=amount_text(order.quote_atoms, spec.quote_decimals) if order.quote_atoms else None,
        executed_quantity=quantity_text(order.filled_lots, spec),
        executed_quote_quantity=amount_text(order.filled_quote_atoms, spec.quote_decimals),
        status=order.status,
        expiry_reason=order.expiry_reason,
        cancel_reason=order.cancel_reason,
        ended_seq=order.ended_seq,
        ended_command=order.ended_command,
        ended_by=order.ended_by,
        time_in_force=order.time_in_force,
        post_only=order.post_only if is_limit else None,
        self_trade_prevention=order.self_trade_prevention,
        slippage_tolerance=tolerance,
        slippage_tolerance_type=kind,
    )


def fill_to_wire(fill: FillView, spec: MarketSpec, fee_decimals: int) -> OrderFill:
    return OrderFill(
        trade_id=fill.trade_id,
        order_id=str(fill.order_id),
        client_id=None if fill.client_id is None else str(fill.client_id),
        symbol=fill.market,
        side=fill.side,
        price=price_text(fill.price_ticks, spec),
        quantity=quantity_text(fill.lots, spec),
        fee=amount_text(fill.fee_atoms, fee_decimals),
        fee_symbol=fill.fee_asset,
        is_maker=fill.is_maker,
        timestamp=iso_text(fill.time_us),
    )


def deposit_to_wire(line: LedgerLine, decimals: int) -> Deposit:
    return Deposit(
        id=line.seq,
        symbol=line.asset,
        quantity=amount_text(line.atoms, decimals),
        created_at=iso_text(line.time_us),
        reference=line.reference or None,
    )


def ledger_entry_to_wire(line: LedgerLine, decimals: int) -> LedgerEntry:
    return LedgerEntry(
        seq=line.seq,
        index=line.index,
        timestamp=iso_text(line.time_us),
        symbol=line.asset,
        bucket=line.bucket,
        quantity=amount_text(line.atoms, decimals),
        balance=amount_text(line.balance_atoms, decimals),
        kind=line.kind,
        command=line.command,
        actor=line.actor,
        market=line.market,
        order_id=None if line.order_id is None else str(line.order_id),
        trade_id=line.trade_id,
        reference=line.reference or None,
    )
