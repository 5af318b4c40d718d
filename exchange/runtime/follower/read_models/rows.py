"""What records add to the read models: order, fill, ledger, trade and candle rows. No I/O here.

`Rows` gathers a batch of records, so that an order placed, filled and ended within the batch costs
one row and a candle one row however many trades it holds.
"""

from typing import Any

from exchange.core import State
from exchange.core.ledger import cause, postings
from exchange.runtime.feeds.candles import Bucket
from exchange.runtime.feeds.intervals import INTERVALS, bucket
from exchange.values.actors import Origin
from exchange.values.enums import Bucket as Place
from exchange.values.enums import CancelReason, ExpiryReason, OrderStatus, Side
from exchange.values.events import AnyEvent
from exchange.values.ids import AccountId, OrderId, id_at
from exchange.values.orders.events import IncomingOrder, OrderDone, Traded
from exchange.values.record import Record, carried_out, placed_order

Row = tuple[Any, ...]


class OrderChange:
    """What a batch does to one order. `placed` is its first row if the batch placed it."""

    __slots__ = (
        "account",
        "cancel_reason",
        "ended_by",
        "ended_command",
        "ended_seq",
        "ended_us",
        "expiry_reason",
        "filled_lots",
        "filled_quote_atoms",
        "placed",
        "status",
    )

    def __init__(self, account: AccountId, placed: Row | None = None) -> None:
        self.account = account
        self.placed = placed
        self.filled_lots = 0
        self.filled_quote_atoms = 0
        self.status = OrderStatus.NEW
        self.expiry_reason: ExpiryReason | None = None
        self.cancel_reason: CancelReason | None = None
        self.ended_us: int | None = None
        self.ended_seq: int | None = None
        self.ended_command: str | None = None
        self.ended_by: str | None = None

    def end(self, record: Record, origin: Origin) -> None:
        self.ended_us = record.time_us
        self.ended_seq = record.seq
        self.ended_command = origin.command
        self.ended_by = origin.towards(self.account)


class Rows:
    """The rows of a batch of records, in the column order of `schema`."""

    def __init__(self) -> None:
        self.orders: dict[OrderId, OrderChange] = {}
        self.fills: list[Row] = []
        self.ledger: list[Row] = []
        self.trades: list[Row] = []
        self._seconds: dict[tuple[str, int], Bucket] = {}

    def add(self, state: State, record: Record) -> None:
        """Take in one record; `state` is that before it, and is only read."""
        events = record.events
        if not carried_out(events):
            return
        origin = Origin(record.command)
        placed = placed_order(record.command, events)
        if placed is not None:
            self._place(record.seq, record.time_us, placed)
        balances: dict[tuple[AccountId, str, Place], int] = {}
        first_line = len(self.ledger)
        for index, event in enumerate(events):
            if type(event) is Traded:
                self._traded(state, record, origin, index, event, placed)
            elif type(event) is OrderDone:
                self._done(record, origin, event)
            self._post(state, record, origin, event, first_line, balances)

    def candles(self) -> dict[tuple[str, str, int], Bucket]:
        """Candles of every interval, by market, interval and start."""
        candles: dict[tuple[str, str, int], Bucket] = {}
        for (market, _), second in self._seconds.items():
            for interval in INTERVALS:
                start_us, end_us = bucket(interval, second.start_us)
                key = (market, interval, start_us)
                if key not in candles:
                    candles[key] = Bucket(start_us, end_us)
                candles[key].merge(second)
        return candles

    def _place(self, seq: int, time_us: int, command: IncomingOrder) -> None:
        order_id = OrderId(id_at(seq))
        placed = (
            command.account,
            order_id,
            command.market,
            command.side,
            command.order_type,
            command.price_ticks,
            command.lots,
            command.quote_atoms,
            command.time_in_force,
            command.post_only,
            command.self_trade_prevention,
            command.client_id,
            command.slippage_ticks,
            command.slippage_ppm,
            time_us,
        )
        self.orders[order_id] = OrderChange(command.account, placed)

    def _change(self, order_id: OrderId, account: AccountId) -> OrderChange:
        change = self.orders.get(order_id)
        if change is None:
            change = self.orders[order_id] = OrderChange(account)
        return change

    def _done(self, record: Record, origin: Origin, event: OrderDone) -> None:
        order = self._change(event.order_id, event.account)
        order.status = event.status
        order.expiry_reason = event.expiry_reason
        order.cancel_reason = event.cancel_reason
        order.end(record, origin)

    def _traded(
        self, state: State, record: Record, origin: Origin, index: int, event: Traded, placed: IncomingOrder | None
    ) -> None:
        time_us = record.time_us
        taker = self._change(event.taker_order_id, event.taker_account)
        maker = self._change(event.maker_order_id, event.maker_account)
        for order in (taker, maker):
            order.filled_lots += event.lots
            order.filled_quote_atoms += event.quote_atoms
            order.status = OrderStatus.PARTIALLY_FILLED
        if not event.maker_left_lots:
            maker.status = OrderStatus.FILLED
            maker.end(record, origin)
        self._fills(state, record, index, event, placed)
        bought = event.taker_side is Side.BID
        self.trades.append(
            (
                event.market,
                event.trade_id,
                event.price_ticks,
                event.lots,
                event.quote_atoms,
                time_us,
                event.taker_order_id if bought else event.maker_order_id,
                event.maker_order_id if bought else event.taker_order_id,
                not bought,
            )
        )
        start_us, end_us = bucket("1s", time_us)
        second = self._seconds.get((event.market, start_us))
        if second is None:
            second = self._seconds[event.market, start_us] = Bucket(start_us, end_us)
        second.trade(event.price_ticks, event.lots, event.quote_atoms)

    def _fills(self, state: State, record: Record, index: int, event: Traded, placed: IncomingOrder | None) -> None:
        spec = state.markets[event.market].spec
        if event.taker_side is Side.BID:
            maker_side, taker_gets, maker_gets = Side.ASK, spec.base, spec.quote
        else:
            maker_side, taker_gets, maker_gets = Side.BID, spec.quote, spec.base
        about = (event.price_ticks, event.lots, event.quote_atoms)
        where = (record.seq, index, record.time_us, event.market, event.trade_id)
        taker_client_id = placed.client_id if placed is not None else None
        maker_client_id = state.orders[event.maker_order_id].client_id
        self.fills.append(
            (event.taker_account, *where, event.taker_order_id, taker_client_id, event.taker_side, *about,
             event.taker_fee_atoms, taker_gets, False)
        )  # fmt: skip
        self.fills.append(
            (event.maker_account, *where, event.maker_order_id, maker_client_id, maker_side, *about,
             event.maker_fee_atoms, maker_gets, True)
        )  # fmt: skip

    def _post(
        self,
        state: State,
        record: Record,
        origin: Origin,
        event: AnyEvent,
        first_line: int,
        balances: dict[tuple[AccountId, str, Place], int],
    ) -> None:
        """A ledger line per leg, with its bucket's balance after it.

        `first_line` is where the record's lines begin, `balances` what its events so far have touched.
        """
        legs = postings(state, event)
        if not legs:
            return
        for kind, leg in legs:
            key = (leg.account, leg.asset, leg.bucket)
            before = balances.get(key)
            if before is None:
                before = _balance(state, *key)
            balances[key] = after = before + leg.atoms
            index = len(self.ledger) - first_line
            self.ledger.append(
                (leg.account, record.seq, index, record.time_us, leg.asset, leg.bucket, leg.atoms, after,
                 kind, origin.command, origin.towards(leg.account),
                 *cause(event, leg.account))
            )  # fmt: skip


def _balance(state: State, account_id: AccountId, asset: str, place: Place) -> int:
    account = state.accounts.get(account_id)
    held = account.balances.get(asset) if account is not None else None
    if held is None:
        return 0
    return held.available_atoms if place is Place.AVAILABLE else held.locked_atoms
