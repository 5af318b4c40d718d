"""The history users are shown, hashed as `history` hashes the records: what the index of the read models leads to."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from exchange.core.ledger import postings
from exchange.journal.store import JournalReader
from exchange.maintenance.evidence.history import (
    FILLS,
    ORDERS,
    POSTINGS,
    AccountHistory,
    Histories,
    Tally,
    fill_line,
    order_line,
    posting_line,
)
from exchange.runtime.follower.read_models import FILE_NAME
from exchange.runtime.follower.read_models.lists import (
    AVAILABLE,
    DEPOSIT,
    FILL,
    LOCKED,
    NO_CLIENT_ID,
    ORDER,
    AccountList,
    Entry,
    Filter,
    accounts,
)
from exchange.runtime.follower.read_models.rows import leg_kind
from exchange.runtime.follower.read_models.views import listings
from exchange.values.enums import Bucket
from exchange.values.ids import AccountId, id_at
from exchange.values.money.events import Leg
from exchange.values.orders.events import IncomingOrder, Traded
from exchange.values.record import GENESIS_CHAIN, Record, placed_order

#: In place of a line: no record says what an entry of the index says.
_ON_NO_RECORD: Final = "on no record"


def reached(data_dir: Path) -> int:
    """The seq the read models have reached. Raises sqlite3.Error: there are none, or they are damaged."""
    with _open(data_dir) as connection:
        return int(connection.execute("SELECT seq FROM progress").fetchone()[0])


def shown(data_dir: Path, seq: int) -> Histories:
    """What users are shown of the records up to one that the read models must have reached.

    The records are gone through once, and each line is made that the index leads to.

    Raises:
        sqlite3.Error, JournalError
    """
    with _open(data_dir) as connection, JournalReader(data_dir) as reader:
        connection.execute("BEGIN")
        made = _Shown(connection)
        for batch in reader.checked_batches(1, seq, GENESIS_CHAIN):
            for record in batch.records:
                made.see(record)
        made.end(seq)
    return made.histories


class _Shown:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self.histories = Histories()
        self._connection = connection
        self._listings = listings(connection)
        self._markets: dict[str, int] = dict(connection.execute("SELECT symbol, number FROM markets"))
        self._assets: dict[str, int] = dict(connection.execute("SELECT symbol, number FROM assets"))
        self._cursors: dict[AccountId, _Cursor] = {}
        self._balances: defaultdict[tuple[AccountId, str, Bucket], int] = defaultdict(int)

    def see(self, record: Record) -> None:
        placed = placed_order(record.command, record.events)
        touched = {} if placed is None else {placed.account: None}
        legs: list[tuple[Leg, Entry]] = []
        for event in record.events:
            for posting, leg in postings(self._listings, event):
                key = (leg.account, leg.asset, leg.bucket)
                self._balances[key] = after = self._balances[key] + leg.atoms
                number = self._assets[leg.asset]
                legs.append((leg, Entry(record.seq, len(legs), leg_kind(posting, leg.bucket), number, after)))
                touched[leg.account] = None
        for account in touched:
            for entry in self._cursor(account).to(record.seq):
                self.histories.add(account, _history_of(entry), self._line(account, entry, record, placed, legs))

    def end(self, seq: int) -> None:
        """Entries that no record has led to."""
        for account in accounts(self._connection):
            for entry in self._cursor(account).to(seq):
                self.histories.add(account, _history_of(entry), _ON_NO_RECORD)

    def _line(
        self,
        account: AccountId,
        entry: Entry,
        record: Record,
        placed: IncomingOrder | None,
        legs: list[tuple[Leg, Entry]],
    ) -> str:
        """What an entry leads to, if it is one that the record makes."""
        seq, line = record.seq, _ON_NO_RECORD
        if entry.kind == ORDER and placed is not None and placed.account == account:
            client_id = NO_CLIENT_ID if placed.client_id is None else placed.client_id
            if entry == (seq, 0, ORDER, self._markets[placed.market], client_id):
                order = (placed.market, placed.side, placed.order_type, placed.price_ticks, placed.lots)
                line = order_line(id_at(seq), *order)
        elif entry.kind == FILL and entry.at < len(record.events):
            event = record.events[entry.at]
            if type(event) is Traded and entry[:4] == (seq, entry.at, FILL, self._markets[event.market]):
                line = _fill(seq, event, account)
        elif entry.at < len(legs):
            leg, made = legs[entry.at]
            if leg.account == account and entry == made:
                line = posting_line(seq, leg.asset, leg.bucket, leg.atoms)
        return line

    def _cursor(self, account: AccountId) -> "_Cursor":
        cursor = self._cursors.get(account)
        if cursor is None:
            cursor = self._cursors[account] = _Cursor(AccountList(self._connection, account).all())
        return cursor


class _Cursor:
    """How far the list of an account has been gone through."""

    def __init__(self, entries: Iterator[Entry]) -> None:
        self._entries = entries
        self._next = next(entries, None)

    def to(self, seq: int) -> Iterator[Entry]:
        while (entry := self._next) is not None and entry.seq <= seq:
            self._next = next(self._entries, None)
            yield entry


def _fill(seq: int, event: Traded, account: AccountId) -> str:
    about = (event.price_ticks, event.lots)
    if account == event.maker_account:
        return fill_line(seq, event.market, event.trade_id, event.maker_order_id, *about, event.maker_fee_atoms)
    if account == event.taker_account:
        return fill_line(seq, event.market, event.trade_id, event.taker_order_id, *about, event.taker_fee_atoms)
    return _ON_NO_RECORD


def _history_of(entry: Entry) -> str:
    return ORDERS if entry.kind == ORDER else FILLS if entry.kind == FILL else POSTINGS


def shown_at(data_dir: Path, seq: int) -> list[str]:
    """What one record did to balances, by the index alone; none if it can't be read or has not come so far."""
    found: list[tuple[int, str]] = []
    try:
        with _open(data_dir) as connection:
            assets = dict(connection.execute("SELECT number, symbol FROM assets"))
            for account in accounts(connection):
                held = AccountList(connection, account)
                for bucket, kinds in ((Bucket.AVAILABLE, (AVAILABLE, DEPOSIT)), (Bucket.LOCKED, (LOCKED,))):
                    for entry in held.of_record(Filter(kinds), seq):
                        asset = assets[entry.of]
                        atoms = entry.value - _balance_before(held, Filter(kinds, entry.of), entry)
                        line = f"account {account} is shown {atoms:+} atoms of {asset} {bucket} by record {seq}"
                        found.append((entry.at, line))
    except sqlite3.Error:
        return []
    return [line for _, line in sorted(found)]


def _balance_before(held: AccountList, of_bucket: Filter, entry: Entry) -> int:
    number = held.rank(of_bucket, entry.seq) + held.of_record(of_bucket, entry.seq).index(entry)
    return held.between(of_bucket, number - 1, number)[0].value if number else 0


def untrue(recorded: Histories, found: Histories) -> list[str]:
    """Accounts whose shown history is not what the records say, in words."""
    nothing: AccountHistory = {}
    none = Tally()
    lines = []
    for account in sorted(recorded.of.keys() | found.of.keys()):
        said, rows = recorded.of.get(account, nothing), found.of.get(account, nothing)
        for kind in sorted(said.keys() | rows.keys()):
            one, other = said.get(kind, none), rows.get(kind, none)
            if one != other:
                lines.append(
                    f"account {account}: {one.count} {kind} on record, {other.count} shown"
                    + ("" if one.count != other.count else ", not the same ones")
                )
    return lines


class _open:
    """A read-only connection for as long as the block lasts."""

    def __init__(self, data_dir: Path) -> None:
        self._connection = sqlite3.connect(f"file:{data_dir / FILE_NAME}?mode=ro", uri=True, isolation_level=None)

    def __enter__(self) -> sqlite3.Connection:
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._connection.close()
