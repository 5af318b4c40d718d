"""Applying order and trade events: moves what the event says, and decides nothing."""

from typing import Final

from exchange.core.orders.book import Order
from exchange.core.state import State
from exchange.values.enums import Side
from exchange.values.ids import FEES
from exchange.values.orders.events import (
    CancelAllAfterSet,
    CancelOnDisconnectSet,
    OrderDone,
    OrderPlaced,
    OrderRested,
    Traded,
)

# On the path of every order: reading a member off its enum class costs several times a global.
_BID: Final = Side.BID


def order_placed(state: State, event: OrderPlaced) -> None:
    """Terms alone change nothing: what became of the order stands behind them."""


def order_rested(state: State, event: OrderRested) -> None:
    market = state.markets[event.market]
    account = state.accounts[event.account]
    spec = market.spec
    if event.side is _BID:
        pays, gets, book = account.balance(spec.quote), account.balance(spec.base), market.bids
    else:
        pays, gets, book = account.balance(spec.base), account.balance(spec.quote), market.asks
    order = Order(
        account,
        market,
        pays,
        gets,
        event.order_id,
        event.side,
        event.price_ticks,
        event.lots,
        event.left_lots,
        event.reserved_atoms,
        state.time_us,
        event.filled_quote_atoms,
        event.post_only,
        event.self_trade_prevention,
        event.client_id,
        event.cancel_at_close,
    )
    pays.available_atoms -= event.reserved_atoms
    pays.locked_atoms += event.reserved_atoms
    book.add(order)
    market.update_id += 1
    market.trading_seq = state.trading_seq = state.seq
    state.orders[event.order_id] = order
    account.orders[event.order_id] = order
    account.open_orders[event.market] = account.open_orders.get(event.market, 0) + 1
    if event.client_id is not None:
        account.client_ids[(event.market, event.client_id)] = order


def traded(state: State, event: Traded) -> None:
    market = state.markets[event.market]
    spec = market.spec
    maker = state.orders[event.maker_order_id]
    taker = state.accounts[event.taker_account]
    fees = state.accounts[FEES]
    if event.taker_side is _BID:
        taker_pays, taker_gets = event.quote_atoms, event.base_atoms
        paid, got = spec.quote, spec.base
    else:
        taker_pays, taker_gets = event.base_atoms, event.quote_atoms
        paid, got = spec.base, spec.quote
    taker.balances[paid].available_atoms -= taker_pays
    taker.balance(got).available_atoms += taker_gets - event.taker_fee_atoms
    maker.pays.locked_atoms -= taker_gets
    maker.gets.available_atoms += taker_pays - event.maker_fee_atoms
    fees.balance(got).available_atoms += event.taker_fee_atoms
    fees.balance(paid).available_atoms += event.maker_fee_atoms

    maker.reserved_atoms -= taker_gets
    maker.filled_quote_atoms += event.quote_atoms
    if event.maker_left_lots:
        maker.left_lots -= event.lots
        level = maker.level
        assert level is not None
        level.lots -= event.lots
    else:
        _leave_book(state, maker)
        maker.left_lots = 0
    market.trading_seq = state.trading_seq = state.seq
    market.last_price_ticks = event.price_ticks
    market.trade_id = event.trade_id
    market.update_id += 1


def order_done(state: State, event: OrderDone) -> None:
    if not event.resting:
        if event.client_id is not None:
            account = state.accounts[event.account]
            state.ended_client_ids.add(account, (event.market, event.client_id), event.order_id, state.time_us)
        return
    order = state.orders[event.order_id]
    order.pays.locked_atoms -= event.released_atoms
    order.pays.available_atoms += event.released_atoms
    order.reserved_atoms -= event.released_atoms
    _leave_book(state, order)
    order.market.update_id += 1
    if not event.declared:
        order.market.trading_seq = state.trading_seq = state.seq


def _leave_book(state: State, order: Order) -> None:
    market, account = order.market, order.account
    market.book(order.side).remove(order)
    del state.orders[order.order_id]
    del account.orders[order.order_id]
    account.open_orders[market.symbol] -= 1
    if order.client_id is not None:
        client_id = (market.symbol, order.client_id)
        del account.client_ids[client_id]
        state.ended_client_ids.add(account, client_id, order.order_id, state.time_us)


def cancel_all_after_set(state: State, event: CancelAllAfterSet) -> None:
    account = state.accounts[event.account]
    if account.cancel_all_after_us:
        state.deadlines.remove((account.cancel_all_after_us, event.account))
    account.cancel_all_after_us = event.deadline_us
    if event.deadline_us:
        state.deadlines.add((event.deadline_us, event.account))


def cancel_on_disconnect_set(state: State, event: CancelOnDisconnectSet) -> None:
    account = state.accounts[event.account]
    if event.armed:
        account.armed_sessions[event.session] = None
    else:
        account.armed_sessions.pop(event.session, None)
        state.orphaned.pop((event.account, event.session), None)
