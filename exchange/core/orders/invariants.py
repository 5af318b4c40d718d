"""What holds of orders and books at every seq."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from exchange.core.orders.book import BookSide, Order
from exchange.core.state import Account, State
from exchange.values.enums import Side


def locked_is_reserved(state: State) -> Iterator[str]:
    """Locked equals the sum of the open orders' reserves, and each reserve what its order can still cost."""
    for account in state.accounts.values():
        reserved: dict[str, int] = {}
        for order in account.orders.values():
            spec = order.market.spec
            if order.side is Side.BID:
                asset, cost = spec.quote, order.price_ticks * order.left_lots * spec.quote_atoms_per_tick_lot
            else:
                asset, cost = spec.base, order.left_lots * spec.base_atoms_per_lot
            if order.reserved_atoms != cost:
                yield f"order {order.order_id}: reserves {order.reserved_atoms} atoms, can cost {cost}"
            reserved[asset] = reserved.get(asset, 0) + order.reserved_atoms
        for asset, held in account.balances.items():
            if held.locked_atoms != reserved.get(asset, 0):
                yield (
                    f"account {account.account_id} {asset}: locked {held.locked_atoms}, "
                    f"reserved {reserved.get(asset, 0)} atoms"
                )


def books_whole(state: State) -> Iterator[str]:
    """No book is crossed; levels add up and queue by rising id; every open order stands in its book, once."""
    standing = 0
    for market in state.markets.values():
        best_bid, best_ask = market.bids.best(), market.asks.best()
        if best_bid is not None and best_ask is not None and best_bid >= best_ask:
            yield f"{market.symbol}: crossed, bid {best_bid} at or above ask {best_ask} ticks"
        for side in (market.bids, market.asks):
            yield from _side_whole(market.symbol, side)
            standing += sum(1 for level in side.best_first() for _ in level)
    if standing != len(state.orders):
        yield f"{standing} orders stand in the books, {len(state.orders)} are open"


def _side_whole(symbol: str, side: BookSide) -> Iterator[str]:
    previous = None
    seen = 0
    for level in side.best_first():
        seen += 1
        where = f"{symbol} {side.side} {level.price_ticks}"
        if previous is not None and level.price_ticks * side.sign >= previous * side.sign:
            yield f"{where}: levels are not in order"
        previous = level.price_ticks
        orders = list(level)
        if not orders or level.lots != sum(order.left_lots for order in orders):
            yield f"{where}: the level holds {level.lots} lots, its orders do not add up to that"
        if any(before.order_id >= after.order_id for before, after in pairwise(orders)):
            yield f"{where}: the queue is not in the order of arrival"
        if any(order.left_lots <= 0 or order.price_ticks != level.price_ticks for order in orders):
            yield f"{where}: an order does not belong there"
    if seen != len(side.levels):
        yield f"{symbol} {side.side}: {len(side.levels)} levels, {seen} in order"


def orders_are_held_once(state: State) -> Iterator[str]:
    """The venue, the account, its counts and its client ids, the market and the balances name the same orders."""
    owned = 0
    for account in state.accounts.values():
        owned += len(account.orders)
        counts: dict[str, int] = {}
        named = 0
        for order_id, order in account.orders.items():
            counts[order.market.symbol] = counts.get(order.market.symbol, 0) + 1
            if order.account is not account or order.order_id != order_id or state.orders.get(order_id) is not order:
                yield f"order {order_id}: its account and the venue do not agree"
            if order.client_id is not None:
                named += 1
                if account.client_ids.get((order.market.symbol, order.client_id)) is not order:
                    yield f"order {order_id}: not found by its client id"
            yield from _tied(state, account, order)
        if named != len(account.client_ids) or counts != {m: n for m, n in account.open_orders.items() if n}:
            yield f"account {account.account_id}: its counts of orders are wrong"
        if any(before >= after for before, after in pairwise(account.orders)):
            yield f"account {account.account_id}: its orders do not stand by id"
    if owned != len(state.orders):
        yield f"accounts own {owned} orders, {len(state.orders)} are open"


def _tied(state: State, account: Account, order: Order) -> Iterator[str]:
    """An order points at the very market, level and balances that are its own."""
    market = order.market
    if state.markets.get(market.symbol) is not market:
        yield f"order {order.order_id}: its market is not the venue's"
    if order.level is None or market.book(order.side).levels.get(order.price_ticks) is not order.level:
        yield f"order {order.order_id}: its level is not its market's"
    bid, spec = order.side is Side.BID, market.spec
    pays, gets = (spec.quote, spec.base) if bid else (spec.base, spec.quote)
    if account.balances.get(pays) is not order.pays or account.balances.get(gets) is not order.gets:
        yield f"order {order.order_id}: the balances it moves are not its account's own"


def ended_client_ids_agree(state: State) -> Iterator[str]:
    """Accounts and the venue keep the same client ids of ended orders, numbered in the order they ended in."""
    kept = []
    for account in state.accounts.values():
        for client_id, ended in (account.ended_client_ids or {}).items():
            kept.append(ended)
            if ended[3:] != (account.account_id, client_id):
                yield f"order {ended[1]}: another account or client id keeps its end"
    every = list(state.ended_client_ids)
    if sorted(kept) != every or (every and every[-1][0] > state.ended_client_ids.count):
        yield "the client ids of ended orders and the order they ended in do not agree"


INVARIANTS: Final = (locked_is_reserved, books_whole, orders_are_held_once, ended_client_ids_agree)
