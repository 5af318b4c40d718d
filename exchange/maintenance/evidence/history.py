"""What lies behind each account: how many fills, orders and postings it has had, and a hash over them.

Taken from the records, one by one; the read models hold the same facts as rows, so that a row that
is missing, changed or invented is found (`shown_history`).

Kinds of history are a map by name. A kind that comes later counts what could not happen before, so an account
without it has had none, and what is stated and kept of the others stays as it is.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

import msgspec

from exchange.core import State
from exchange.core.ledger import postings
from exchange.values.ids import AccountId, id_at
from exchange.values.orders.events import Traded
from exchange.values.record import Record, carried_out, placed_order

ORDERS: Final = "orders"
FILLS: Final = "fills"
POSTINGS: Final = "postings"

_MAX: Final = 2**256 - 1
_number = int.from_bytes


class Tally(msgspec.Struct):
    """How many lines there are, and the sum modulo 2^256 of a hash of each with its ordinal: "<from 1> <line>".

    The hash is the first half of BLAKE2b-512. A sum, so that stretches of one history can be gone through apart, and
    added up.
    """

    count: int = 0
    total: int = 0

    @property
    def hashed(self) -> str:
        """The sum in 64 hexadecimal digits."""
        return f"{self.total:064x}"


#: The tallies of one account, by kind.
AccountHistory = dict[str, Tally]


def order_line(order_id: int, market: str, side: str, order_type: str, price_ticks: int, lots: int) -> str:
    """An order as it was placed; what became of it is in fills and statements."""
    return " ".join((str(order_id), market, side, order_type, str(price_ticks), str(lots)))


def fill_line(seq: int, market: str, trade_id: int, order_id: int, price_ticks: int, lots: int, fee_atoms: int) -> str:
    """One side of a trade."""
    return f"{seq} {market} {trade_id} {order_id} {price_ticks} {lots} {fee_atoms}"


def posting_line(seq: int, asset: str, bucket: str, atoms: int) -> str:
    """One leg on one account."""
    return " ".join((str(seq), asset, bucket, str(atoms)))


class Histories:
    """The histories of all accounts, gathered from records in order."""

    def __init__(self) -> None:
        self.of: dict[AccountId, AccountHistory] = {}

    def add(self, account: AccountId, kind: str, line: str) -> None:
        """The next line of an account's history of a kind."""
        try:
            tally = self.of[account][kind]
        except KeyError:
            tally = self.of.setdefault(account, {}).setdefault(kind, Tally())
        count = tally.count = tally.count + 1
        tally.total = tally.total + _number(blake2b(f"{count} {line}".encode()).digest()[:32]) & _MAX

    def begin_leg(self) -> "Histories":
        """What a leg starts with that goes on from here: the same ordinals, and no sums."""
        leg = Histories()
        leg.of = {
            account: {kind: Tally(tally.count) for kind, tally in kinds.items()} for account, kinds in self.of.items()
        }
        return leg

    def join(self, leg: "Histories") -> None:
        """Take in what a leg has seen that began here."""
        for account, kinds in leg.of.items():
            mine = self.of.setdefault(account, {})
            for kind, tally in kinds.items():
                before = mine.get(kind, Tally())
                mine[kind] = Tally(tally.count, before.total + tally.total & _MAX)

    def see(self, state: State, record: Record) -> None:
        """Take in a record that is about to be folded into `state`, which is only read."""
        events = record.events
        if not carried_out(events):
            return
        placed = placed_order(record.command, events)
        if placed is not None:
            line = order_line(
                id_at(record.seq), placed.market, placed.side, placed.order_type, placed.price_ticks, placed.lots
            )
            self.add(placed.account, ORDERS, line)
        for event in events:
            if type(event) is Traded:
                self._trade(record.seq, event)
            for _, leg in postings(state, event):
                line = posting_line(record.seq, leg.asset, leg.bucket, leg.atoms)
                self.add(leg.account, POSTINGS, line)

    def _trade(self, seq: int, event: Traded) -> None:
        for account, order_id, fee_atoms in (
            (event.taker_account, event.taker_order_id, event.taker_fee_atoms),
            (event.maker_account, event.maker_order_id, event.maker_fee_atoms),
        ):
            line = fill_line(seq, event.market, event.trade_id, order_id, event.price_ticks, event.lots, fee_atoms)
            self.add(account, FILLS, line)


def dump(histories: Histories) -> bytes:
    """One line of JSON per account, by id: what a later reading of the records can go on from."""
    encode = msgspec.json.Encoder().encode
    return b"\n".join(
        encode((account, {kind: (tally.count, tally.hashed) for kind, tally in sorted(kinds.items())}))
        for account, kinds in sorted(histories.of.items())
    )


def load(lines: Iterable[bytes]) -> Histories:
    """What `dump` wrote; a kind of a newer build is carried as it is. Raises msgspec.MsgspecError, ValueError."""
    histories = Histories()
    decoder = msgspec.json.Decoder(tuple[AccountId, dict[str, tuple[int, str]]])
    for line in lines:
        account, kinds = decoder.decode(line)
        histories.of[account] = {kind: Tally(count, int(hashed, 16)) for kind, (count, hashed) in kinds.items()}
    return histories
