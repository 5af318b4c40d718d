"""What the venue says to each account of itself, in one line of canonical JSON.

Statements are versioned: equality of closing and opening is judged in the closing version, which every
build can still produce. So a version lists its fields one by one, and nothing that is added anywhere else
changes what it says. A new version adds fields, each with a declared value that an account has
before it ever used what the field is about (`INITIAL`); a new field that holds anything else was
not there at closing, and has to be explained.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from exchange.core import State
from exchange.core.orders.book import Order
from exchange.core.state import Account
from exchange.maintenance.evidence.history import FILLS, ORDERS, POSTINGS, AccountHistory, Histories, Tally
from exchange.values.enums import Holder
from exchange.values.ids import AccountId, subaccount_of, user_of
from exchange.values.money.holdings import holder
from exchange.values.windows.certificate import AssetTotal

STATEMENT_VERSION: Final = 1

#: Orders ahead of an order in its level, and their lots, by order id.
Places = dict[int, tuple[int, int]]
Statement = dict[str, Any]

_encode = msgspec.json.Encoder().encode


def version_1(account: Account, history: AccountHistory, places: Places) -> Statement:
    """Balances in atoms by asset; open orders by id with their place in the queue; tier; settings; histories."""
    settings = account.settings
    return {
        "version": 1,
        "user": user_of(account.account_id),
        "subaccount": subaccount_of(account.account_id),
        "balances": {
            asset: {"available": held.available_atoms, "locked": held.locked_atoms}
            for asset, held in sorted(account.balances.items())
        },
        "orders": [_order(order, places) for _, order in sorted(account.orders.items())],
        "tier": account.user.tier,
        "settings": {
            "auto_borrow_settlements": settings.auto_borrow_settlements,
            "auto_lend": settings.auto_lend,
            "auto_repay_borrows": settings.auto_repay_borrows,
            "leverage_limit_e9": settings.leverage_limit_e9,
            "cancel_at_close": settings.cancel_at_close,
        },
        "history": {kind: tally(history, kind) for kind in (ORDERS, FILLS, POSTINGS)},
    }


def tally(history: AccountHistory, kind: str) -> Statement:
    """What is stated of an account's history of one kind; it may have had none."""
    of = history.get(kind, Tally())
    return {"count": of.count, "hash": of.hashed}


def _order(order: Order, places: Places) -> Statement:
    orders_ahead, lots_ahead = places[order.order_id]
    return {
        "id": order.order_id,
        "market": order.market.symbol,
        "side": order.side,
        "price_ticks": order.price_ticks,
        "lots": order.lots,
        "left_lots": order.left_lots,
        "reserved_atoms": order.reserved_atoms,
        "client_id": order.client_id,
        "orders_ahead": orders_ahead,
        "lots_ahead": lots_ahead,
    }


Builder = Callable[[Account, AccountHistory, Places], Statement]
VERSIONS: Final[dict[int, Builder]] = {1: version_1}
#: For each version after the first: its new fields, and what they hold before their first use.
INITIAL: Final[dict[int, Statement]] = {}


def statements(
    state: State, histories: Histories, version: int = STATEMENT_VERSION
) -> Iterator[tuple[AccountId, bytes]]:
    """Every account's statement, by account id; the venue's own accounts too.

    Raises:
        KeyError: no such version in this build.
    """
    build = VERSIONS[version]
    places = queue_places(state)
    nothing: AccountHistory = {}
    for account_id, account in sorted(state.accounts.items()):
        yield account_id, _encode(build(account, histories.of.get(account_id, nothing), places))


def queue_places(state: State) -> Places:
    """Where every open order stands in its level: orders and lots before it."""
    places: Places = {}
    for market in state.markets.values():
        for side in (market.bids, market.asks):
            for level in side.best_first():
                lots_ahead = 0
                for orders_ahead, order in enumerate(level):
                    places[order.order_id] = (orders_ahead, lots_ahead)
                    lots_ahead += order.left_lots
    return places


def unexplained_new_fields(
    statement: Statement, version: int, initial: dict[int, Statement] | None = None
) -> list[str]:
    """Fields newer than `version` that do not hold what an account has before it used them."""
    declared = INITIAL if initial is None else initial
    return [
        name
        for newer, fields in sorted(declared.items())
        if newer > version
        for name, value in fields.items()
        if statement.get(name, value) != value
    ]


def totals(state: State) -> tuple[AssetTotal, ...]:
    """Per asset what each kind of holder has. They sum to zero."""
    held_by: dict[Holder, dict[str, int]] = {each: dict.fromkeys(state.assets, 0) for each in Holder}
    for account in state.accounts.values():
        atoms = held_by[holder(account.account_id)]
        for asset, held in account.balances.items():
            atoms[asset] += held.available_atoms + held.locked_atoms
    return tuple(
        AssetTotal(
            asset,
            users_atoms=held_by[Holder.USER][asset],
            venue_atoms=held_by[Holder.VENUE][asset],
            custody_atoms=held_by[Holder.CUSTODY][asset],
            clearing_atoms=held_by[Holder.CLEARING][asset],
        )
        for asset in sorted(state.assets)
    )
