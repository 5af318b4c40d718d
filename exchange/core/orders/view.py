"""Orders, as they are shown."""

from collections.abc import Iterable
from typing import Final

from exchange.core.orders.book import Order
from exchange.core.orders.matching import match
from exchange.core.orders.sides import paid_asset
from exchange.core.state import Account, Market, State
from exchange.rules.validity import impact_bound
from exchange.values.enums import ExpiryReason, OrderStatus, OrderType, Side, TimeInForce
from exchange.values.events import AnyEvent
from exchange.values.ids import OrderId, id_at
from exchange.values.orders.events import IncomingOrder, OrderDone, OrderPlaced, Traded
from exchange.values.orders.views import OrderView

# On the path of every order: reading a member off its enum class costs several times a global.
_LIMIT: Final = OrderType.LIMIT
_GTC: Final = TimeInForce.GTC
_NEW: Final = OrderStatus.NEW
_PARTIALLY_FILLED: Final = OrderStatus.PARTIALLY_FILLED


def order_view(order: Order, done: OrderDone | None = None) -> OrderView:
    """A resting order as it stands; or, with the event that ended it, as it ended.

    An order that left the book as a maker filled to its last lot shows as Filled.
    """
    filled = order.lots - order.left_lots
    if done is not None:
        status = done.status
    elif not order.left_lots:
        status = OrderStatus.FILLED
    else:
        status = _PARTIALLY_FILLED if filled else _NEW
    return OrderView(
        order.order_id,
        order.account.account_id,
        order.market.symbol,
        order.side,
        _LIMIT,
        order.price_ticks,
        order.lots,
        0,
        filled,
        order.filled_quote_atoms,
        status,
        _GTC,
        order.post_only,
        order.self_trade_prevention,
        order.client_id,
        order.created_us,
        None if done is None else done.expiry_reason,
        None if done is None else done.cancel_reason,
    )


def placed_view(seq: int, time_us: int, order: IncomingOrder, events: Iterable[AnyEvent]) -> OrderView:
    """An order that came in (`record.placed_order`), after matching, from its record alone."""
    order_id = OrderId(id_at(seq))
    filled_lots = filled_quote_atoms = 0
    status = _NEW
    expiry_reason: ExpiryReason | None = None
    for event in events:
        if type(event) is Traded:
            filled_lots += event.lots
            filled_quote_atoms += event.quote_atoms
            status = _PARTIALLY_FILLED
        elif type(event) is OrderDone and event.order_id == order_id:
            status, expiry_reason = event.status, event.expiry_reason
    return OrderView(
        order_id,
        order.account,
        order.market,
        order.side,
        order.order_type,
        order.price_ticks,
        order.lots,
        order.quote_atoms,
        filled_lots,
        filled_quote_atoms,
        status,
        order.time_in_force,
        order.post_only,
        order.self_trade_prevention,
        order.client_id,
        time_us,
        expiry_reason,
        None,
        order.slippage_ticks,
        order.slippage_ppm,
    )


def max_order_lots(state: State, account: Account, market: Market, side: Side, price_ticks: int | None) -> int:
    """The largest order that funds and filters let through now; one lot more is refused.

    Without a price: the largest market order, as far as the book within the impact bound can pay
    for or be bought; 0 where not even the least quantity is possible.
    """
    spec, bounds = market.spec, market.filters
    held = account.balances.get(paid_asset(spec, side))
    available = held.available_atoms if held is not None else 0
    if side is Side.ASK:
        lots = available // spec.base_atoms_per_lot
    elif price_ticks is not None:
        lots = available // (price_ticks * spec.quote_atoms_per_tick_lot)
    else:
        touch = market.asks.best()
        if touch is None:
            return 0
        budget = OrderPlaced(account.account_id, market.symbol, side, OrderType.MARKET, quote_atoms=available)
        worst = impact_bound(side, touch, bounds)
        lots = match(state, market, account.user, budget, OrderId(0), worst).filled_lots if available else 0
    if price_ticks is not None and bounds.max_notional_atoms:
        lots = min(lots, bounds.max_notional_atoms // (price_ticks * spec.quote_atoms_per_tick_lot))
    if bounds.max_lots:
        lots = min(lots, bounds.max_lots)
    return lots if lots >= bounds.min_lots else 0
