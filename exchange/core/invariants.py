"""What holds at every seq. A plain list of checks, each answering what it found broken."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final

from exchange.core.money.posting import overdraft, overdrawn
from exchange.core.orders.book import BookSide
from exchange.core.state import State
from exchange.values.enums import Side


def zero_sum(state: State) -> Iterator[str]:
    """Per asset, the sum over all accounts and buckets is zero."""
    totals: dict[str, int] = {}
    for account in state.accounts.values():
        for asset, held in account.balances.items():
            totals[asset] = totals.get(asset, 0) + held.available_atoms + held.locked_atoms
    for asset, total in totals.items():
        if total:
            yield f"{asset}: the sum over all accounts is {total} atoms, not 0"


def no_negative_balance(state: State) -> Iterator[str]:
    """Nobody has less than nothing of what they may not (`values.money.holdings`)."""
    for account in state.accounts.values():
        for asset, held in account.balances.items():
            if overdrawn(state, account.account_id, asset, held):
                yield overdraft(account.account_id, asset, held)


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


def indexes_agree(state: State) -> Iterator[str]:
    """What is held twice, for speed, says the same twice."""
    owned = 0
    for account in state.accounts.values():
        owned += len(account.orders)
        counts: dict[str, int] = {}
        named = 0
        for order_id, order in account.orders.items():
            counts[order.market.symbol] = counts.get(order.market.symbol, 0) + 1
            if order.account is not account or state.orders.get(order_id) is not order:
                yield f"order {order_id}: its account and the venue do not agree"
            if order.client_id is not None:
                named += 1
                if account.client_ids.get((order.market.symbol, order.client_id)) is not order:
                    yield f"order {order_id}: not found by its client id"
        if named != len(account.client_ids) or counts != {m: n for m, n in account.open_orders.items() if n}:
            yield f"account {account.account_id}: its counts of orders are wrong"
    if owned != len(state.orders):
        yield f"accounts own {owned} orders, {len(state.orders)} are open"
    kept = [ended for account in state.accounts.values() for ended in (account.ended_client_ids or {}).values()]
    if sorted(kept) != list(state.ended_client_ids):
        yield "the client ids of ended orders and the order they ended in do not agree"
    switches = sorted((a.cancel_all_after_us, a.account_id) for a in state.accounts.values() if a.cancel_all_after_us)
    if switches != state.deadlines:
        yield "the dead-man's switches and the list of deadlines do not agree"


def keys_are_one_persons(state: State) -> Iterator[str]:
    """Every public key in force is found by its text, and was not revoked; everybody's makers are known."""
    if state.key_ids != {key.public_key: key_id for key_id, key in state.keys.items()}:
        yield "the API keys and their index do not agree"
    if state.admin_ids != {spec.public_key: admin for admin, spec in state.admins.items()}:
        yield "the admins and the index of their keys do not agree"
    if state.added_by.keys() != state.admins.keys():
        yield "the admins and those who added them do not agree"
    if any(len(state.added_by.get(admin, ())) != 1 for admin in state.unheard):
        yield "somebody who was not added by one person alone is not heard of"
    for public_key in (*state.key_ids, *state.admin_ids):
        if public_key in state.spent_keys or (public_key in state.key_ids and public_key in state.admin_ids):
            yield f"the public key {public_key} is more than one person's"


CHECKS: Final[tuple[Callable[[State], Iterator[str]], ...]] = (
    zero_sum,
    no_negative_balance,
    locked_is_reserved,
    books_whole,
    indexes_agree,
    keys_are_one_persons,
)


def violations(state: State) -> list[str]:
    """Every broken invariant, with the account, order or asset named; empty when all hold."""
    return [found for check in CHECKS for found in check(state)]
