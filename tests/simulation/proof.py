"""After a restart: is everything anybody was told still true, and does the money add up?"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from exchange_client import ExchangeClient
from exchange_client.models import Fill, HistoricOrder, Order, Trade
from tests.simulation.seen import Seen, SeenAccount
from tests.simulation.traffic import SYMBOLS

PAGE_ROWS = 1_000
OPEN = ("New", "PartiallyFilled")
#: What an update of this kind says the order's state is.
ENDED_BY = {"orderCancelled": "Cancelled", "orderExpired": "Expired"}

Totals = Mapping[str, Decimal]
AnyOrder = Order | HistoricOrder


async def totals(url: str, account: SeenAccount) -> dict[str, Decimal]:
    """Available and locked together, by asset."""
    async with ExchangeClient(url, account.keypair) as client:
        return {asset: held.available + held.locked for asset, held in (await client.balances()).items()}


async def problems(seen: Seen, url: str, deposits: Mapping[str, Totals]) -> list[str]:
    """Everything that contradicts what was seen, or doesn't add up; `deposits` are each account's first totals."""
    found: list[str] = []
    async with ExchangeClient(url) as public:
        for symbol in SYMBOLS:
            found += public_problems(seen, symbol, await every_trade(public, symbol))
            depth = await public.depth(symbol)
            if int(depth.last_update_id) < seen.update_ids.get(symbol, 0):
                found.append(
                    f"{symbol}: update {seen.update_ids[symbol]} was shown, the book is at {depth.last_update_id}"
                )
            if depth.bids and depth.asks and depth.bids[-1][0] >= depth.asks[0][0]:
                found.append(f"{symbol}: the book is crossed: {depth.bids[-1]} {depth.asks[0]}")
    for account in seen.accounts.values():
        async with ExchangeClient(url, account.keypair) as client:
            orders: dict[str, AnyOrder] = {order.id: order async for order in client.every_order()}
            still_open = {order.id: order for order in await client.open_orders()}
            fills = [fill async for fill in client.every_fill()]
            balances = await client.balances()
        orders |= still_open
        found += [f"{account.name}: {problem}" for problem in account_problems(account, orders, still_open, fills)]
        expected = dict(deposits[account.name])
        for fill in fills:
            settle(expected, fill)
        held = {asset: balance.available + balance.locked for asset, balance in balances.items()}
        if any(held.get(asset, 0) != expected.get(asset, 0) for asset in held.keys() | expected.keys()):
            found.append(f"{account.name}: deposits and fills make {expected}, the balances are {held}")
        locked = reserves(still_open.values())
        if any(balance.locked != locked.get(asset, 0) for asset, balance in balances.items()):
            found.append(f"{account.name}: open orders reserve {dict(locked)}, locked are {balances}")
    return found


async def every_trade(client: ExchangeClient, symbol: str) -> list[Trade]:
    trades: list[Trade] = []
    while len(page := await client.trade_history(symbol, PAGE_ROWS, len(trades))) == PAGE_ROWS:
        trades += page
    return trades + page


def public_problems(seen: Seen, symbol: str, trades: list[Trade]) -> Iterator[str]:
    ids = sorted(trade.id for trade in trades)
    if ids != list(range(1, len(ids) + 1)):
        yield f"{symbol}: trade ids have gaps or doubles"
    by_id = {trade.id: trade for trade in trades}
    for (of, trade_id), told in seen.trades.items():
        if of != symbol:
            continue
        kept = by_id.get(trade_id)
        if kept is None or (kept.price, kept.quantity) != (Decimal(told["p"]), Decimal(told["q"])):
            yield f"{symbol}: trade {told} was shown, kept is {kept}"


def account_problems(
    account: SeenAccount, orders: dict[str, AnyOrder], still_open: dict[str, Order], fills: list[Fill]
) -> Iterator[str]:
    by_client_id = {order.client_id: order for order in orders.values()}
    fills_of: dict[str, list[Fill]] = defaultdict(list)
    for fill in fills:
        fills_of[fill.order_id].append(fill)

    for client_id, told in account.acknowledged.items():
        kept = by_client_id.get(client_id)
        if kept is None:
            yield f"order {told.id} (client id {client_id}) was acknowledged and is gone"
            continue
        yield from same_order(told, kept)
    for order_id, told in account.cancelled.items():
        kept = orders.get(order_id)
        if kept is None or (kept.status, kept.executed_quantity) != ("Cancelled", told.executed_quantity):
            yield f"the cancel of {told} was acknowledged, kept is {kept}"
    for client_id, code in account.refused.items():
        if client_id in by_client_id:
            yield f"client id {client_id} was refused with {code} and is there: {by_client_id[client_id]}"
    for order in orders.values():
        if order.client_id not in account.sent:
            yield f"nobody sent {order}"
        elif order.client_id not in account.acknowledged:
            yield from as_sent(account, order)
        yield from whole(order, fills_of[order.id], order.id in still_open)
    for update in account.updates:
        yield from told_truly(update, orders.get(update["i"]), fills_of[update["i"]])


def same_order(told: Order, kept: AnyOrder) -> Iterator[str]:
    """What was answered when it was placed still holds; a resting order may have gone on since."""
    fixed = ("id", "symbol", "side", "order_type", "price", "quantity", "quote_quantity", "time_in_force")
    if any(getattr(told, name) != getattr(kept, name) for name in fixed):
        yield f"acknowledged {told}, kept is {kept}"
    executed, before = kept.executed_quantity or 0, told.executed_quantity or 0
    if executed < before or (not told.is_open and (kept.status, executed) != (told.status, before)):
        yield f"acknowledged {told}, has become {kept}"


def as_sent(account: SeenAccount, order: AnyOrder) -> Iterator[str]:
    """An order whose answer was lost is there as it was asked for, or not at all."""
    assert order.client_id is not None
    asked = account.sent[order.client_id]
    if (asked.symbol, asked.side, asked.price, asked.quantity) != (
        order.symbol,
        order.side,
        order.price,
        order.quantity,
    ):
        yield f"asked for {asked}, got {order}"


def whole(order: AnyOrder, fills: list[Fill], is_open: bool) -> Iterator[str]:
    """An order, its fills and its place in the book say the same."""
    executed, quote = order.executed_quantity or Decimal(0), order.executed_quote_quantity or Decimal(0)
    if sum(fill.quantity for fill in fills) != executed or sum(fill.price * fill.quantity for fill in fills) != quote:
        yield f"{order} doesn't agree with its fills {fills}"
    if (order.status in OPEN) is not is_open:
        yield f"{order} is {'on' if is_open else 'not on'} the book"
    if order.quantity is not None and (order.status == "Filled") is not (executed == order.quantity):
        yield f"{order} has the wrong status"


def told_truly(update: dict[str, Any], order: AnyOrder | None, fills: list[Fill]) -> Iterator[str]:
    """Whatever a stream has said about an order is still so."""
    if order is None:
        yield f"an update about an order that is gone: {update}"
        return
    if update["e"] == "orderFill":
        told = (update["t"], Decimal(update["l"]), Decimal(update["L"]), Decimal(update["n"]), update["N"])
        if told not in [(fill.trade_id, fill.quantity, fill.price, fill.fee, fill.fee_symbol) for fill in fills]:
            yield f"a fill was shown that is gone: {update}"
    elif update["e"] in ENDED_BY and order.status != ENDED_BY[update["e"]]:
        yield f"{update['e']} was shown, kept is {order}"
    if Decimal(update["z"]) > (order.executed_quantity or 0):
        yield f"more was executed in {update} than in {order}"


def settle(totals_by_asset: dict[str, Decimal], fill: Fill) -> None:
    base, quote = fill.symbol.split("_")
    sign = 1 if fill.side == "Bid" else -1
    totals_by_asset[base] = totals_by_asset.get(base, Decimal(0)) + sign * fill.quantity
    totals_by_asset[quote] = totals_by_asset.get(quote, Decimal(0)) - sign * fill.quantity * fill.price
    totals_by_asset[fill.fee_symbol] -= fill.fee


def reserves(orders: Any) -> dict[str, Decimal]:
    """What open orders hold, by asset."""
    locked: dict[str, Decimal] = defaultdict(Decimal)
    for order in orders:
        base, quote = order.symbol.split("_")
        left = order.quantity - order.executed_quantity
        if order.side == "Bid":
            locked[quote] += left * order.price
        else:
            locked[base] += left
    return locked
