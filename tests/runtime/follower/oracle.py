"""An account's history made straight from events, slowly and obviously: what every page is held against."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from exchange.core import State, fold
from exchange.core.ledger import postings
from exchange.core.orders.book import Order
from exchange.core.orders.view import order_view, placed_view
from exchange.runtime.follower.read_models.pages import MAX_MS_ROWS, MAX_ROWS
from exchange.runtime.port import Page, Paged
from exchange.values.enums import Side
from exchange.values.events import AnyEvent
from exchange.values.ids import AccountId, OrderId, id_at, seq_of
from exchange.values.money.events import Leg, Posted
from exchange.values.money.views import LedgerLine
from exchange.values.orders.commands import CancelAll, CancelOrder, PlaceOrder
from exchange.values.orders.events import OrderDone, Traded
from exchange.values.orders.views import FillView, OrderView
from exchange.values.process.events import Refused
from exchange.values.record import Record


class Oracle:
    """Everything each account has seen, in the order of the timeline."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.times = {record.seq: record.time_us for record in records}
        self.orders: defaultdict[AccountId, list[OrderView]] = defaultdict(list)
        for order in sorted(_orders(records).values(), key=lambda view: view.order_id):
            self.orders[order.account].append(order)
        self.fills: defaultdict[AccountId, list[FillView]] = defaultdict(list)
        self.ledger: defaultdict[AccountId, list[LedgerLine]] = defaultdict(list)
        client_ids = {id_at(r.seq): r.command.client_id for r in records if isinstance(r.command, PlaceOrder)}
        state = State()
        held: defaultdict[tuple[AccountId, str, str], int] = defaultdict(int)
        for record in records:
            index = 0
            for event in record.events:
                if isinstance(event, Traded):
                    for maker in (False, True):
                        fill = _fill(record, event, maker, client_ids)
                        self.fills[fill.account].append(fill)
                for kind, leg in postings(state, event):
                    held[leg.account, leg.asset, leg.bucket] += leg.atoms
                    balance_atoms = held[leg.account, leg.asset, leg.bucket]
                    self.ledger[leg.account].append(_line(record, event, index, kind, leg, balance_atoms))
                    index += 1
            fold(state, record)

    def client_id(self, account: AccountId, market: str, client_id: int, ended_after_us: int) -> OrderView | None:
        """The newest order under a client id, unless it ended before."""
        found = [o for o in self.orders[account] if (o.market, o.client_id) == (market, client_id)]
        if not found or (found[-1].ended_seq is not None and self.times[found[-1].ended_seq] < ended_after_us):
            return None
        return found[-1]


def paged(rows: Sequence[Any], page: Page, time_us: Callable[[Any], int], reached: int) -> Paged[Any]:
    """The page of rows that a filter let through; they are in the order of the timeline, up to record `reached`."""
    in_time = [
        row
        for row in rows
        if (page.from_us is None or time_us(row) >= page.from_us)
        and (page.to_us is None or time_us(row) < page.to_us)
        and (page.as_of is None or (seq_of(row.order_id) if isinstance(row, OrderView) else row.seq) <= page.as_of)
    ]
    ordered = in_time if page.ascending else in_time[::-1]
    behind = ordered[page.offset :]
    found = behind[: min(max(page.limit, 0), MAX_ROWS)]
    if page.whole_ms and page.ascending and found and len(found) == page.limit:
        ms = time_us(found[-1]) // 1_000
        found += [row for row in behind[page.limit :] if time_us(row) // 1_000 == ms][:MAX_MS_ROWS]
    return Paged(tuple(found), len(in_time), reached)


def _orders(records: Sequence[Record]) -> dict[OrderId, OrderView]:
    """Each order as the core itself shows it after the last record that touched it, and what ended it."""
    state, views = State(), dict[OrderId, OrderView]()
    for record in records:
        touched: dict[OrderId, tuple[Order | None, OrderDone | None]] = {}
        for event in record.events:
            if isinstance(event, Traded):
                touched[event.maker_order_id] = state.orders[event.maker_order_id], None
            elif isinstance(event, OrderDone) and event.resting:
                touched[event.order_id] = state.orders[event.order_id], event
        fold(state, record)
        for order_id, (order, done) in touched.items():
            assert order is not None
            views[order_id] = order_view(order, done)
        if isinstance(record.command, PlaceOrder) and not isinstance(record.events[0], Refused):
            placed = placed_view(record.seq, record.time_us, record.command, record.events)
            views[placed.order_id] = placed
            touched[placed.order_id] = state.orders.get(placed.order_id), None
        for order_id in touched:
            if order_id not in state.orders:
                views[order_id] = _ended(views[order_id], record)
    return views


def _ended(view: OrderView, record: Record) -> OrderView:
    return msgspec.structs.replace(
        view,
        ended_seq=record.seq,
        ended_command=type(record.command).__name__,
        ended_by=_actor(record, view.account),
    )


def _actor(record: Record, account: AccountId) -> str:
    """Who did it, as an account is told: nobody else's key is named."""
    command = record.command
    if isinstance(command, PlaceOrder | CancelOrder | CancelAll):
        return f"key {command.key_id}" if command.account == account else "another account"
    admin = getattr(command, "admin", None)
    return "venue" if admin is None else f"admin {admin}"


def _fill(record: Record, event: Traded, maker: bool, client_ids: dict[int, int | None]) -> FillView:
    base, quote = event.market.split("_")
    bought = (event.taker_side is Side.BID) is not maker
    order_id = event.maker_order_id if maker else event.taker_order_id
    return FillView(
        seq=record.seq,
        time_us=record.time_us,
        account=event.maker_account if maker else event.taker_account,
        market=event.market,
        trade_id=event.trade_id,
        order_id=order_id,
        client_id=client_ids[order_id],
        side=Side.BID if bought else Side.ASK,
        price_ticks=event.price_ticks,
        lots=event.lots,
        quote_atoms=event.quote_atoms,
        fee_atoms=event.maker_fee_atoms if maker else event.taker_fee_atoms,
        fee_asset=base if bought else quote,
        is_maker=maker,
    )


def _line(record: Record, event: AnyEvent, index: int, kind: str, leg: Leg, balance_atoms: int) -> LedgerLine:
    order_id: OrderId | None = None
    if isinstance(event, Traded):
        order_id = {event.taker_account: event.taker_order_id, event.maker_account: event.maker_order_id}.get(
            leg.account
        )
    elif not isinstance(event, Posted):
        order_id = getattr(event, "order_id", None)
    return LedgerLine(
        seq=record.seq,
        index=index,
        time_us=record.time_us,
        account=leg.account,
        asset=leg.asset,
        bucket=leg.bucket,
        atoms=leg.atoms,
        balance_atoms=balance_atoms,
        kind=kind,
        command=type(record.command).__name__,
        actor=_actor(record, leg.account),
        order_id=order_id,
        trade_id=getattr(event, "trade_id", None),
        market=getattr(event, "market", None),
        reference=getattr(event, "reference", ""),
    )
