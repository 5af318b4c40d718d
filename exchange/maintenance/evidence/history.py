"""What lies behind each account: how many fills, orders and postings it has had, and a hash over them.

Taken from the records, one by one; the read models hold the same facts as rows, so that a row that
is missing, changed or invented is found (`rows_digest` says how).
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

_START: Final = bytes(32)


class Chain(msgspec.Struct):
    """A count, and a running BLAKE2b-256 over one line of text per entry."""

    count: int = 0
    hashed: bytes = _START

    def add(self, line: str) -> None:
        self.count += 1
        self.hashed = blake2b(self.hashed + line.encode(), digest_size=32).digest()


class AccountHistory(msgspec.Struct):
    """The three histories a user is shown."""

    orders: Chain = msgspec.field(default_factory=Chain)
    fills: Chain = msgspec.field(default_factory=Chain)
    postings: Chain = msgspec.field(default_factory=Chain)


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

    def account(self, account: AccountId) -> AccountHistory:
        try:
            return self.of[account]
        except KeyError:
            return self.of.setdefault(account, AccountHistory())

    def see(self, state: State, record: Record) -> None:
        """Take in a record that is about to be folded into `state`, which is only read."""
        events = record.events
        if not carried_out(events):
            return
        placed = placed_order(record.command, events)
        if placed is not None:
            self.account(placed.account).orders.add(
                order_line(
                    id_at(record.seq), placed.market, placed.side, placed.order_type, placed.price_ticks, placed.lots
                )
            )
        for event in events:
            if type(event) is Traded:
                self._trade(record.seq, event)
            for _, leg in postings(state, event):
                line = posting_line(record.seq, leg.asset, leg.bucket, leg.atoms)
                self.account(leg.account).postings.add(line)

    def _trade(self, seq: int, event: Traded) -> None:
        for account, order_id, fee_atoms in (
            (event.taker_account, event.taker_order_id, event.taker_fee_atoms),
            (event.maker_account, event.maker_order_id, event.maker_fee_atoms),
        ):
            self.account(account).fills.add(
                fill_line(seq, event.market, event.trade_id, order_id, event.price_ticks, event.lots, fee_atoms)
            )


def dump(histories: Histories) -> bytes:
    """One line of JSON per account, by id: what a later reading of the records can go on from."""
    encode = msgspec.json.Encoder().encode
    return b"\n".join(
        encode((account, [(c.count, c.hashed.hex()) for c in (h.orders, h.fills, h.postings)]))
        for account, h in sorted(histories.of.items())
    )


def load(lines: Iterable[bytes]) -> Histories:
    """What `dump` wrote. Raises msgspec.MsgspecError, ValueError."""
    histories = Histories()
    decoder = msgspec.json.Decoder(tuple[AccountId, tuple[tuple[int, str], tuple[int, str], tuple[int, str]]])
    for line in lines:
        account, chains = decoder.decode(line)
        orders, fills, posted = (Chain(count, bytes.fromhex(hashed)) for count, hashed in chains)
        histories.of[account] = AccountHistory(orders, fills, posted)
    return histories
