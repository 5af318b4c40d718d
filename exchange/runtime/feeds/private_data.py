"""Private streams: what happened to the orders and balances of the accounts somebody watches.

An order's updates come in the order of its facts: accepted, then each fill, then its end. Balances are absolute,
so of several changes in one commit batch the last is shown.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from exchange.core.ledger import postings
from exchange.core.orders.book import Order
from exchange.core.orders.sides import TradeSide, maker_side, paid_asset, taker_side
from exchange.core.orders.view import order_view, placed_view
from exchange.core.state import Balance, State
from exchange.runtime.feeds.market_data import Stage, Watcher
from exchange.runtime.port import Channel, Topic
from exchange.values.enums import AssetKind, OrderStatus
from exchange.values.events import AnyEvent
from exchange.values.ids import AccountId, OrderId
from exchange.values.money.views import BalanceUpdate
from exchange.values.orders.events import IncomingOrder, OrderDone, OrderRested, Traded
from exchange.values.orders.views import FillView, OrderUpdate, OrderUpdateKind, OrderView
from exchange.values.record import Record, carried_out, placed_order


class PrivateData:
    """Call `before` and `after` a record is folded, `flush` after a commit batch; nothing of it while not `watched`."""

    def __init__(self, state: State, stage: Stage) -> None:
        self._state = state
        self._stage = stage
        self._orders: dict[AccountId, Watcher] = {}
        self._balances: dict[AccountId, Watcher] = {}
        # A dict for its order.
        self._touched: dict[tuple[AccountId, str], None] = {}
        self.watched = False

    def watch(self, topic: Topic, watcher: Watcher) -> None:
        (self._orders if topic.channel is Channel.ORDER_UPDATE else self._balances)[topic.account] = watcher
        self.watched = True

    def unwatch(self, topic: Topic) -> None:
        (self._orders if topic.channel is Channel.ORDER_UPDATE else self._balances).pop(topic.account, None)
        self.watched = bool(self._orders or self._balances)

    def before(self, events: Sequence[AnyEvent]) -> dict[OrderId, Order]:
        """The watched resting orders that `events` are about to fill or end: then the ended ones leave the state."""
        open_orders, watched = self._state.orders, self._orders
        resting: dict[OrderId, Order] = {}
        for event in events:
            if type(event) is Traded and event.maker_account in watched:
                resting[event.maker_order_id] = open_orders[event.maker_order_id]
            elif type(event) is OrderDone and event.resting and event.account in watched:
                resting[event.order_id] = open_orders[event.order_id]
        return resting

    def after(self, record: Record, resting: dict[OrderId, Order]) -> None:
        """Stage the order updates of a folded record.

        A maker is in at most one of its events, so its order stands as that event left it.
        """
        events = record.events
        if not carried_out(events):
            return
        taker: _Incoming | None = None
        placed = placed_order(record.command, events)
        if placed is not None and placed.account in self._orders:
            taker = _Incoming(record, placed)
            self._order_update(record, OrderUpdateKind.ACCEPTED, taker.view)
        for index, event in enumerate(events):
            if type(event) is Traded:
                self._traded(record, index, event, taker, resting)
            elif type(event) is OrderRested:
                self._touch_reserve(event)
            elif type(event) is OrderDone:
                self._done(record, event, taker, resting)
            else:
                for _, leg in postings(self._state, event):
                    self._touch(leg.account, leg.asset)

    def flush(self, time_us: int) -> None:
        for account, asset in self._touched:
            held = self._state.accounts[account].balances.get(asset) or Balance()
            update = BalanceUpdate(account, asset, held.available_atoms, held.locked_atoms, time_us)
            self._stage(self._balances[account], update)
        self._touched.clear()

    def _traded(
        self, record: Record, index: int, event: Traded, taker: "_Incoming | None", resting: dict[OrderId, Order]
    ) -> None:
        spec = self._state.markets[event.market].spec
        if taker is not None:
            taker.fill(index, event)
            fill = self._fill(record, event, taker.view, taker_side(spec, event))
            self._order_update(record, OrderUpdateKind.FILL, taker.view, fill)
        if event.maker_account in self._orders:
            view = order_view(resting[event.maker_order_id])
            fill = self._fill(record, event, view, maker_side(spec, event))
            self._order_update(record, OrderUpdateKind.FILL, view, fill)
        for account in (event.taker_account, event.maker_account):
            self._touch(account, spec.quote, spec.base)

    def _done(self, record: Record, event: OrderDone, taker: "_Incoming | None", resting: dict[OrderId, Order]) -> None:
        if event.resting:
            self._touch_reserve(event)
        if event.account not in self._orders or event.status is OrderStatus.FILLED:
            return  # the last fill has said so
        if event.resting:
            view = order_view(resting[event.order_id], event)
        elif taker is None:
            return  # no order came in that could have ended: nothing of it is shown
        else:
            view = replace(taker.view, status=event.status, expiry_reason=event.expiry_reason)
        cancelled = event.status is OrderStatus.CANCELLED
        self._order_update(record, OrderUpdateKind.CANCELLED if cancelled else OrderUpdateKind.EXPIRED, view)

    def _touch_reserve(self, event: OrderRested | OrderDone) -> None:
        self._touch(event.account, paid_asset(self._state.markets[event.market].spec, event.side))

    def _touch(self, account: AccountId, *assets: str) -> None:
        """The account's balances of these have changed."""
        if account in self._balances:
            for asset in assets:
                if self._state.assets[asset].kind is AssetKind.COIN:
                    self._touched[account, asset] = None

    def _fill(self, record: Record, event: Traded, view: OrderView, side: TradeSide) -> FillView:
        return FillView(
            seq=record.seq,
            time_us=record.time_us,
            account=view.account,
            market=event.market,
            trade_id=event.trade_id,
            order_id=view.order_id,
            client_id=view.client_id,
            side=view.side,
            price_ticks=event.price_ticks,
            lots=event.lots,
            quote_atoms=event.quote_atoms,
            fee_atoms=side.fee_atoms,
            fee_asset=side.fee_asset,
            is_maker=side.is_maker,
        )

    def _order_update(
        self, record: Record, kind: OrderUpdateKind, view: OrderView, fill: FillView | None = None
    ) -> None:
        self._stage(self._orders[view.account], OrderUpdate(kind, view, record.time_us, fill))


class _Incoming:
    """The order a record places, as its fills follow one another."""

    __slots__ = ("_filled_at", "view")

    def __init__(self, record: Record, order: IncomingOrder) -> None:
        self.view = placed_view(record.seq, record.time_us, order, ())
        events = record.events
        filled = any(
            type(event) is OrderDone and event.status is OrderStatus.FILLED and not event.resting for event in events
        )
        # An order sized in quote atoms is full when its end says so, and its last trade is the one that shows it.
        self._filled_at = (
            max((index for index, event in enumerate(events) if type(event) is Traded), default=-1) if filled else -1
        )

    def fill(self, index: int, event: Traded) -> None:
        self.view = replace(
            self.view,
            filled_lots=self.view.filled_lots + event.lots,
            filled_quote_atoms=self.view.filled_quote_atoms + event.quote_atoms,
            status=OrderStatus.FILLED if index == self._filled_at else OrderStatus.PARTIALLY_FILLED,
        )
