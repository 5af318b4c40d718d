"""Deciding on orders: place, cancel, cancel all, and the two switches that cancel by themselves.

Nothing here changes state. Each function checks everything in the published order
(`rules.validity`) and returns all the facts, or a refusal.
"""

from typing import Final

from exchange.core import refuse
from exchange.core.orders.book import Order
from exchange.core.orders.client_ids import holder
from exchange.core.orders.matching import Match, crosses, match
from exchange.core.orders.sides import paid_asset
from exchange.core.state import Account, Market, State
from exchange.rules import validity
from exchange.rules.limits import MAX_ARMED_SESSIONS, MAX_CANCEL_ALL_AFTER_US, MAX_CANCELS_PER_COMMAND
from exchange.rules.versions import BAND_BY_SIDE
from exchange.values.enums import (
    Action,
    CancelReason,
    ExpiryReason,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from exchange.values.events import AnyEvent
from exchange.values.ids import OrderId, id_at
from exchange.values.orders.commands import (
    CancelAll,
    CancelForAccount,
    CancelOrder,
    PlaceOrder,
    SetCancelAllAfter,
    SetCancelOnDisconnect,
)
from exchange.values.orders.events import (
    CancelAllAfterSet,
    CancelOnDisconnectSet,
    IncomingOrder,
    OrderDone,
    OrderRested,
)
from exchange.values.refusals import Code, Refusal
from exchange.values.text import MAX_TEXT

# On the path of every order: reading a member off its enum class costs several times a global.
_BID: Final = Side.BID
_ASK: Final = Side.ASK
_LIMIT: Final = OrderType.LIMIT
_MARKET: Final = OrderType.MARKET
_GTC: Final = TimeInForce.GTC
_FOK: Final = TimeInForce.FOK
_REST: Final = Action.REST
_TAKE_LIMIT: Final = Action.TAKE_LIMIT
_CANCEL: Final = Action.CANCEL
_FILLED: Final = OrderStatus.FILLED
_CANCELLED: Final = OrderStatus.CANCELLED
_BY_USER: Final = CancelReason.USER

_ORDER_LIMIT = Refusal(Code.ORDER_LIMIT, "Too many open orders on this market")
_BELOW_MINIMUM = Refusal(Code.INVALID_CLIENT_REQUEST, "Quantity is below the minimum allowed value")
_ONE_ID = Refusal(Code.INVALID_CLIENT_REQUEST, "Specify exactly one of `orderId` and `clientId`")
_TIMEOUT = Refusal(Code.INVALID_CLIENT_REQUEST, "`timeout` must be 0 to one day")
_SESSION = Refusal(Code.INVALID_CLIENT_REQUEST, "Too many armed sessions, or a bad session name")


def place_order(state: State, time_us: int, command: PlaceOrder, account: Account) -> list[AnyEvent]:
    found = accept(state, time_us, account, command)
    return refuse.refused(found) if isinstance(found, Refusal) else found


def accept(state: State, time_us: int, account: Account, order: IncomingOrder) -> list[AnyEvent] | Refusal:
    """What becomes of an order of `account`, whoever brought it: all the facts, or a refusal.

    A command that holds no order itself puts its `OrderPlaced` in front of the facts.
    """
    market = state.markets.get(order.market)
    if market is None:
        return refuse.UNKNOWN_MARKET
    limit = order.order_type is _LIMIT
    rests = limit and order.time_in_force is _GTC
    taking = not limit or crosses(market, order.side, order.price_ticks)
    refusal = (
        refuse.mode(state, market, _action(order, taking))
        or validity.form(order)
        or validity.filters(
            order, market.spec, market.filters, market.active_price_ticks(), BAND_BY_SIDE in state.rules
        )
        or _account_limits(state, time_us, account, market, order, rests)
        or (refuse.INSUFFICIENT_FUNDS if _most_paid(market, order) > _available(account, market, order) else None)
    )
    if refusal is not None:
        return refusal
    order_id = OrderId(id_at(state.seq + 1))
    if not taking:
        return [_rested(order, market, order_id, None)] if rests else [_unfilled(order, order_id)]
    if order.post_only:
        return refuse.WOULD_TAKE
    return _take(state, account, market, order, order_id, rests)


def _action(order: IncomingOrder, taking: bool) -> Action:
    if order.order_type is _MARKET:
        return Action.TAKE_MARKET
    # A post-only order never takes; one that would is refused for that, whatever the mode.
    if order.post_only or (not taking and order.time_in_force is _GTC):
        return _REST
    return _TAKE_LIMIT


def _account_limits(
    state: State, time_us: int, account: Account, market: Market, order: IncomingOrder, rests: bool
) -> Refusal | None:
    if order.client_id is not None:
        client_id = (market.symbol, order.client_id)
        resting = account.client_ids.get(client_id)
        if resting is not None:
            return _duplicate(f"order {resting.order_id} is open under it")
        ended = holder(account, client_id, time_us)
        if ended is not None:
            return _duplicate(f"order {ended} ended under it less than 10 minutes ago")
    if rests and account.open_orders.get(market.symbol, 0) >= state.limits.open_orders_per_market:
        return _ORDER_LIMIT
    return None


def _duplicate(why: str) -> Refusal:
    return Refusal(Code.INVALID_CLIENT_REQUEST, f"Duplicate clientId: {why}")


def _most_paid(market: Market, order: IncomingOrder) -> int:
    """The most the order can cost, in atoms of what it pays; for a sized market bid only matching tells (0 here)."""
    if order.side is _ASK:
        return order.lots * market.spec.base_atoms_per_lot
    if order.order_type is _LIMIT:
        return order.price_ticks * order.lots * market.spec.quote_atoms_per_tick_lot
    return order.quote_atoms


def _available(account: Account, market: Market, order: IncomingOrder) -> int:
    held = account.balances.get(paid_asset(market.spec, order.side))
    return held.available_atoms if held is not None else 0


def _take(
    state: State, account: Account, market: Market, order: IncomingOrder, order_id: OrderId, rests: bool
) -> list[AnyEvent] | Refusal:
    """An order that meets the other side, or a market order that meets none; `rests`: what is left may rest."""
    worst, too_far = _worst_price(market, order)
    found = match(state, market, account.user, order, order_id, worst)
    if order.order_type is _MARKET:
        paid = found.quote_atoms if order.side is _BID else found.base_atoms
        if paid > _available(account, market, order):
            return refuse.INSUFFICIENT_FUNDS
        if not found.left_lots and found.filled_lots < market.filters.min_lots:
            return _BELOW_MINIMUM
    if not found.left_lots:
        return [*found.events, _done(order, order_id, found, _FILLED, None)]
    if order.time_in_force is _FOK:
        return [_unfilled(order, order_id)]
    if rests and found.stopped is None:
        return [*found.events, _rested(order, market, order_id, found)]
    reason = found.stopped or (too_far if found.priced_out else None) or _nothing_left(order)
    return [*found.events, _done(order, order_id, found, OrderStatus.EXPIRED, reason)]


def _nothing_left(order: IncomingOrder) -> ExpiryReason:
    """Why an order that may not rest ends when there is nothing more to meet."""
    market = order.order_type is _MARKET
    return ExpiryReason.INSUFFICIENT_LIQUIDITY if market else ExpiryReason.IMMEDIATE_OR_CANCEL


def _worst_price(market: Market, order: IncomingOrder) -> tuple[int, ExpiryReason]:
    """The worst price to trade at, and the reason of an end because all that is left lies beyond it."""
    if order.order_type is _LIMIT:
        return order.price_ticks, ExpiryReason.IMMEDIATE_OR_CANCEL
    touch = (market.asks if order.side is _BID else market.bids).best()
    if touch is None:
        return 0, ExpiryReason.INSUFFICIENT_LIQUIDITY
    worst = validity.impact_bound(order.side, touch, market.filters)
    reason = ExpiryReason.PRICE_IMPACT
    tolerated = validity.slippage_bound(order, touch)
    if tolerated is not None and (tolerated < worst if order.side is _BID else tolerated > worst):
        worst, reason = tolerated, ExpiryReason.SLIPPAGE_TOLERANCE_EXCEEDED
    return worst, reason


def _rested(order: IncomingOrder, market: Market, order_id: OrderId, found: Match | None) -> OrderRested:
    left = order.lots if found is None else found.left_lots
    spec = market.spec
    if order.side is _BID:
        reserve = order.price_ticks * left * spec.quote_atoms_per_tick_lot
    else:
        reserve = left * spec.base_atoms_per_lot
    return OrderRested(
        order_id,
        order.account,
        order.market,
        order.side,
        order.price_ticks,
        order.lots,
        left,
        reserve,
        0 if found is None else found.quote_atoms,
        order.post_only,
        order.self_trade_prevention,
        order.client_id,
        order.cancel_at_close,
    )


def _done(
    order: IncomingOrder, order_id: OrderId, found: Match, status: OrderStatus, reason: ExpiryReason | None
) -> OrderDone:
    """The end of an order that never rested."""
    return OrderDone(
        order_id,
        order.account,
        order.market,
        order.side,
        status,
        order.price_ticks,
        found.left_lots if order.lots else 0,
        resting=False,
        expiry_reason=reason,
        client_id=order.client_id,
    )


def _unfilled(order: IncomingOrder, order_id: OrderId) -> OrderDone:
    """An IOC or FOK that traded nothing."""
    fok = order.time_in_force is _FOK
    reason = ExpiryReason.FILL_OR_KILL if fok else ExpiryReason.IMMEDIATE_OR_CANCEL
    return _done(order, order_id, Match(order.lots, 0), OrderStatus.EXPIRED, reason)


# --- cancelling ----------------------------------------------------------------------------------


def _market_to_cancel_on(state: State, command: CancelOrder | CancelAll) -> Market | Refusal:
    market = state.markets.get(command.market)
    if market is None:
        return refuse.UNKNOWN_MARKET
    return refuse.mode(state, market, _CANCEL) or market


def cancel_order(state: State, time_us: int, command: CancelOrder, account: Account) -> list[AnyEvent]:
    market = _market_to_cancel_on(state, command)
    if isinstance(market, Refusal):
        return refuse.refused(market)
    if (command.order_id is None) == (command.client_id is None):
        return refuse.refused(_ONE_ID)
    if command.order_id is not None:
        order = account.orders.get(command.order_id)
    else:
        assert command.client_id is not None
        order = account.client_ids.get((command.market, command.client_id))
    if order is None or order.market is not market:
        return refuse.refused(refuse.NOT_FOUND)
    return [cancelled(order, _BY_USER)]


def cancel_all(state: State, time_us: int, command: CancelAll, account: Account) -> list[AnyEvent]:
    """Bounded by the limit on open orders; no order to cancel is no refusal, and no event."""
    market = _market_to_cancel_on(state, command)
    if isinstance(market, Refusal):
        return refuse.refused(market)
    return [cancelled(order, _BY_USER) for order in account.orders.values() if order.market is market]


def cancel_for_account(state: State, time_us: int, command: CancelForAccount) -> list[AnyEvent]:
    """A timer ran out or a session ended. The switch goes off with the last order, so the work stays due until then."""
    account = state.accounts.get(command.account)
    if account is None:
        return refuse.refused(refuse.NOT_FOUND)
    by_timer = command.reason is CancelReason.CANCEL_ALL_AFTER
    if by_timer and not 0 < account.cancel_all_after_us <= state.timer_us(time_us):
        return refuse.refused(Refusal(Code.TOO_EARLY, "The switch has been set again, or is off"))
    if not by_timer and command.session not in account.armed_sessions:
        return refuse.refused(refuse.NOT_FOUND)
    # Announced by the account beforehand: or who arms a switch could void the evidence of a shut venue again and again.
    orders = list(account.orders.values())
    events: list[AnyEvent] = [
        cancelled(order, command.reason, declared=True) for order in orders[:MAX_CANCELS_PER_COMMAND]
    ]
    if len(orders) <= MAX_CANCELS_PER_COMMAND:
        if by_timer:
            events.append(CancelAllAfterSet(command.account, 0))
        else:
            assert command.session is not None
            events.append(CancelOnDisconnectSet(command.account, command.session, False))
    return events


def cancelled(order: Order, reason: CancelReason, declared: bool = False) -> OrderDone:
    """The end of a resting order that somebody, or the venue, asked for."""
    return OrderDone(
        order_id=order.order_id,
        account=order.account.account_id,
        market=order.market.symbol,
        side=order.side,
        status=_CANCELLED,
        price_ticks=order.price_ticks,
        left_lots=order.left_lots,
        released_atoms=order.reserved_atoms,
        cancel_reason=reason,
        declared=declared,
    )


# --- switches ---------------------------------------------------------------------------------------


def set_cancel_all_after(state: State, time_us: int, command: SetCancelAllAfter, account: Account) -> list[AnyEvent]:
    if not 0 <= command.timeout_us <= MAX_CANCEL_ALL_AFTER_US:
        return refuse.refused(_TIMEOUT)
    deadline_us = state.timer_us(time_us) + command.timeout_us if command.timeout_us else 0
    return [CancelAllAfterSet(command.account, deadline_us)]


def set_cancel_on_disconnect(
    state: State, time_us: int, command: SetCancelOnDisconnect, account: Account
) -> list[AnyEvent]:
    new = command.armed and command.session not in account.armed_sessions
    if not 0 < len(command.session) <= MAX_TEXT or (new and len(account.armed_sessions) >= MAX_ARMED_SESSIONS):
        return refuse.refused(_SESSION)
    return [CancelOnDisconnectSet(command.account, command.session, command.armed)]
