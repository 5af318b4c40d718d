"""The state, and what a record did to orders, as `values.views`: for answers and streams. Only reads."""

from collections.abc import Iterable
from itertools import islice
from typing import Final

from exchange.core.agreement import approvers_in_force, counts, one_person
from exchange.core.book import BookSide, Order
from exchange.core.maintenance_view import maintenance_view
from exchange.core.matching import match
from exchange.core.state import Account, Key, Market, State
from exchange.rules.validity import impact_bound
from exchange.values.commands import PlaceOrder
from exchange.values.enums import ExpiryReason, OrderStatus, OrderType, Side, TimeInForce
from exchange.values.events import AnyEvent, OrderDone, Traded
from exchange.values.ids import AdminId, KeyId, OrderId, id_at
from exchange.values.views import (
    AccountView,
    AdminView,
    BalanceView,
    DepthView,
    KeyView,
    MarketView,
    OrderView,
    PauseView,
    PeopleView,
    ProposalView,
    StatusView,
)

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


def placed_view(seq: int, time_us: int, command: PlaceOrder, events: Iterable[AnyEvent]) -> OrderView:
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
        command.account,
        command.market,
        command.side,
        command.order_type,
        command.price_ticks,
        command.lots,
        command.quote_atoms,
        filled_lots,
        filled_quote_atoms,
        status,
        command.time_in_force,
        command.post_only,
        command.self_trade_prevention,
        command.client_id,
        time_us,
        expiry_reason,
        None,
        command.slippage_ticks,
        command.slippage_ppm,
    )


def market_view(state: State, market: Market) -> MarketView:
    return MarketView(
        market.spec,
        market.filters,
        state.ruling_mode(market),
        state.ruling_reason(market),
        market.listed_us,
        market.last_price_ticks,
    )


def depth_view(state: State, market: Market, limit: int) -> DepthView:
    """The `limit` levels of each side nearest the touch."""
    return DepthView(
        market.symbol,
        _levels(market.bids, limit)[::-1],
        _levels(market.asks, limit),
        market.update_id,
        state.time_us,
    )


def _levels(side: BookSide, limit: int) -> tuple[tuple[int, int], ...]:
    return tuple((level.price_ticks, level.lots) for level in islice(side.best_first(), limit))


def balance_views(account: Account) -> tuple[BalanceView, ...]:
    """By asset; every asset ever held."""
    return tuple(
        BalanceView(asset, held.available_atoms, held.locked_atoms) for asset, held in sorted(account.balances.items())
    )


def account_view(state: State, account: Account) -> AccountView:
    return AccountView(
        account.account_id,
        account.user.user_id,
        account.settings,
        state.fee_tiers[account.user.tier],
        len(account.orders),
        account.cancel_all_after_us and account.cancel_all_after_us + state.frozen_us,
    )


def key_view(key: Key) -> KeyView:
    return KeyView(key.key_id, key.account.account_id, key.public_key, key.scopes, key.label)


def admin_view(state: State, admin: AdminId) -> AdminView:
    spec = state.admins[admin]
    return AdminView(admin, spec.name, spec.public_key, spec.roles, state.added_by[admin])


def people_view(state: State) -> PeopleView:
    approvers = approvers_in_force(state)
    alone = [f"{admin} was added by {by[0]} alone" for admin in approvers if len(by := state.added_by[admin]) == 1]
    count = "one person: the one approver acts alone" if one_person(state) else f"{len(approvers)} approvers"
    return PeopleView(
        "; ".join((count, *alone)),
        len(approvers),
        tuple(admin_view(state, admin) for admin in state.admins),
        tuple(
            ProposalView(each.proposal, each.command, each.expires_us)
            for each in state.proposals.values()
            if counts(state, state.time_us, each)
        ),
    )


def status_view(state: State) -> StatusView:
    return StatusView(
        state.venue,
        state.venue_mode,
        state.mode_reason,
        state.mode_changed_us,
        {symbol: (state.ruling_mode(market), state.ruling_reason(market)) for symbol, market in state.markets.items()},
        tuple(PauseView(pause, asset or None, reason) for (pause, asset), reason in sorted(state.pauses.items())),
        state.build,
        state.epoch,
        maintenance_view(state),
    )


def max_order_lots(state: State, account: Account, market: Market, side: Side, price_ticks: int | None) -> int:
    """The largest order that funds and filters let through now; one lot more is refused.

    Without a price: the largest market order, as far as the book within the impact bound can pay
    for or be bought; 0 where not even the least quantity is possible.
    """
    spec, bounds = market.spec, market.filters
    held = account.balances.get(spec.quote if side is Side.BID else spec.base)
    available = held.available_atoms if held is not None else 0
    if side is Side.ASK:
        lots = available // spec.base_atoms_per_lot
    elif price_ticks is not None:
        lots = available // (price_ticks * spec.quote_atoms_per_tick_lot)
    else:
        touch = market.asks.best()
        if touch is None:
            return 0
        budget = PlaceOrder(account.account_id, KeyId(0), market.symbol, side, OrderType.MARKET, quote_atoms=available)
        worst = impact_bound(side, touch, bounds)
        lots = match(state, market, account.user, budget, OrderId(0), worst).filled_lots if available else 0
    if price_ticks is not None and bounds.max_notional_atoms:
        lots = min(lots, bounds.max_notional_atoms // (price_ticks * spec.quote_atoms_per_tick_lot))
    if bounds.max_lots:
        lots = min(lots, bounds.max_lots)
    return lots if lots >= bounds.min_lots else 0
