"""Lines of an account's history, made of the records its index names; they show nothing of anybody else."""

import sqlite3
from collections.abc import Sequence

import msgspec

from exchange.core import State
from exchange.core.ledger import cause, postings
from exchange.core.orders.view import placed_view
from exchange.core.state import Market
from exchange.runtime.follower.read_models.lists import NO_CLIENT_ID, Entry
from exchange.runtime.follower.read_models.records import Records
from exchange.runtime.follower.read_models.rows import ENDED, FILLED, leg_kind
from exchange.runtime.follower.read_models.schema import ReadModelsHarmed
from exchange.values.actors import Origin
from exchange.values.enums import OrderStatus, Side
from exchange.values.events import AnyEvent
from exchange.values.ids import AccountId, id_at
from exchange.values.listings.specs import MarketFilters, MarketSpec
from exchange.values.money.events import Leg
from exchange.values.money.views import LedgerLine
from exchange.values.orders.events import OrderDone, Traded
from exchange.values.orders.views import FillView, OrderView
from exchange.values.record import Record, placed_order

_TOUCHED = """
SELECT seq, "index", filled_lots, filled_quote_atoms, what FROM touches
WHERE order_id = ? ORDER BY seq DESC LIMIT 1"""


class Touch(msgspec.Struct, frozen=True):
    """The last thing that happened to an order after the record it came in by."""

    seq: int
    index: int
    filled_lots: int
    filled_quote_atoms: int
    what: int


class _Markets(dict[str, Market]):
    """Markets as far as legs need them, read as they are asked for."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__()
        self._connection = connection

    def __missing__(self, symbol: str) -> Market:
        row = self._connection.execute("SELECT spec FROM markets WHERE symbol = ?", (symbol,)).fetchone()
        if row is None:
            raise ReadModelsHarmed(f"they know nothing of the market {symbol}")
        self[symbol] = made = Market(msgspec.json.decode(row[0], type=MarketSpec), MarketFilters(1), 0)
        return made


def listings(connection: sqlite3.Connection) -> State:
    """A state that knows the markets, and nothing else: what legs of an event are made with."""
    state = State()
    state.markets = _Markets(connection)
    return state


class Views:
    """Makes the lines of one account."""

    def __init__(self, connection: sqlite3.Connection, records: Records, account: AccountId) -> None:
        self._connection = connection
        self._records = records
        self._account = account
        self._listings = listings(connection)

    def orders(self, entries: Sequence[Entry]) -> tuple[OrderView, ...]:
        """Orders as they stand after all records that are held."""
        touched = [self._touch(entry) for entry in entries]
        ends = [touch.seq for touch in touched if touch is not None and touch.what != FILLED]
        records = self._records.read([*(entry.seq for entry in entries), *ends])
        return tuple(self._order(entry, touch, records) for entry, touch in zip(entries, touched, strict=True))

    def fills(self, entries: Sequence[Entry]) -> tuple[FillView, ...]:
        records = self._records.read(entry.seq for entry in entries)
        return tuple(self._fill(entry, records[entry.seq]) for entry in entries)

    def ledger(self, entries: Sequence[Entry]) -> tuple[LedgerLine, ...]:
        records = self._records.read(entry.seq for entry in entries)
        legs = {seq: self._legs(record) for seq, record in records.items()}
        return tuple(self._line(entry, records[entry.seq], legs[entry.seq]) for entry in entries)

    def _touch(self, entry: Entry) -> Touch | None:
        if entry.at:  # a record brings in one order at most
            raise self._untrue(entry, "an order")
        row = self._connection.execute(_TOUCHED, (id_at(entry.seq),)).fetchone()
        return None if row is None else Touch(*row)

    def _order(self, entry: Entry, touch: Touch | None, records: dict[int, Record]) -> OrderView:
        record = records[entry.seq]
        placed = placed_order(record.command, record.events)
        if placed is None or placed.account != self._account:
            raise self._untrue(entry, "an order")
        view = placed_view(record.seq, record.time_us, placed, record.events)
        if touch is None:
            ended = record if view.status not in (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED) else None
        else:
            ended = records.get(touch.seq) if touch.what != FILLED else None
            view = msgspec.structs.replace(
                view,
                filled_lots=touch.filled_lots,
                filled_quote_atoms=touch.filled_quote_atoms,
                status=OrderStatus.PARTIALLY_FILLED if touch.what == FILLED else OrderStatus.FILLED,
            )
            if touch.what == ENDED:
                view = self._ended(view, touch, records[touch.seq])
        if ended is None:
            return view
        origin = Origin(ended.command)
        return msgspec.structs.replace(
            view, ended_seq=ended.seq, ended_command=origin.command, ended_by=origin.towards(self._account)
        )

    def _ended(self, view: OrderView, touch: Touch, record: Record) -> OrderView:
        done = record.events[touch.index] if touch.index < len(record.events) else None
        if type(done) is not OrderDone or done.order_id != view.order_id:
            raise ReadModelsHarmed(f"record {record.seq} does not end order {view.order_id}, as they say")
        return msgspec.structs.replace(
            view, status=done.status, expiry_reason=done.expiry_reason, cancel_reason=done.cancel_reason
        )

    def _fill(self, entry: Entry, record: Record) -> FillView:
        event = record.events[entry.at] if entry.at < len(record.events) else None
        if type(event) is not Traded or self._account not in (event.taker_account, event.maker_account):
            raise self._untrue(entry, "a fill")
        maker = event.maker_account == self._account
        bought = (event.taker_side is Side.BID) is not maker
        spec = self._listings.markets[event.market].spec
        return FillView(
            seq=record.seq,
            time_us=record.time_us,
            account=self._account,
            market=event.market,
            trade_id=event.trade_id,
            order_id=event.maker_order_id if maker else event.taker_order_id,
            client_id=None if entry.value == NO_CLIENT_ID else entry.value,
            side=Side.BID if bought else Side.ASK,
            price_ticks=event.price_ticks,
            lots=event.lots,
            quote_atoms=event.quote_atoms,
            fee_atoms=event.maker_fee_atoms if maker else event.taker_fee_atoms,
            fee_asset=spec.base if bought else spec.quote,
            is_maker=maker,
        )

    def _legs(self, record: Record) -> list[tuple[AnyEvent, str, Leg]]:
        return [(event, kind, leg) for event in record.events for kind, leg in postings(self._listings, event)]

    def _line(self, entry: Entry, record: Record, legs: list[tuple[AnyEvent, str, Leg]]) -> LedgerLine:
        if entry.at >= len(legs):
            raise self._untrue(entry, "a leg")
        event, kind, leg = legs[entry.at]
        if leg.account != self._account or leg_kind(kind, leg.bucket) != entry.kind:
            raise self._untrue(entry, "a leg")
        order_id, trade_id, market, reference = cause(event, self._account)
        origin = Origin(record.command)
        return LedgerLine(
            seq=record.seq,
            index=entry.at,
            time_us=record.time_us,
            account=self._account,
            asset=leg.asset,
            bucket=leg.bucket,
            atoms=leg.atoms,
            balance_atoms=entry.value,
            kind=kind,
            command=origin.command,
            actor=origin.towards(self._account),
            order_id=order_id,
            trade_id=trade_id,
            market=market,
            reference=reference,
        )

    def _untrue(self, entry: Entry, what: str) -> ReadModelsHarmed:
        return ReadModelsHarmed(
            f"they show account {self._account} {what} number {entry.at} of record {entry.seq}, and there is none"
        )
