"""The history users are shown, hashed as `history` hashes the records: rows of the read models, by account."""

import sqlite3
from pathlib import Path
from typing import Final

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
from exchange.values.ids import AccountId

_ORDERS: Final = """SELECT account, order_id, market, side, order_type, price_ticks, lots FROM orders
    WHERE order_id <= ? ORDER BY account, order_id"""
_FILLS: Final = """SELECT account, seq, market, trade_id, order_id, price_ticks, lots, fee_atoms FROM fills
    WHERE seq <= ? ORDER BY account, seq, "index" """
_LEDGER: Final = """SELECT account, seq, asset, bucket, atoms FROM ledger
    WHERE seq <= ? ORDER BY account, seq, "index" """

_RECORD: Final = """SELECT account, asset, bucket, atoms FROM ledger WHERE seq = ? ORDER BY "index" """


def reached(data_dir: Path) -> int:
    """The seq the read models have reached. Raises sqlite3.Error: there are none, or they are damaged."""
    with _open(data_dir) as connection:
        return int(connection.execute("SELECT seq FROM progress").fetchone()[0])


def shown(data_dir: Path, seq: int, last_order_id: int) -> Histories:
    """What the rows up to a record say; they must have reached it. Raises sqlite3.Error."""
    histories = Histories()
    with _open(data_dir) as connection:
        connection.execute("BEGIN")
        for account, *order in connection.execute(_ORDERS, (last_order_id,)):
            histories.add(AccountId(account), ORDERS, order_line(*order))
        for account, *fill in connection.execute(_FILLS, (seq,)):
            histories.add(AccountId(account), FILLS, fill_line(*fill))
        for account, *line in connection.execute(_LEDGER, (seq,)):
            histories.add(AccountId(account), POSTINGS, posting_line(*line))
    return histories


def shown_at(data_dir: Path, seq: int) -> list[str]:
    """What users are shown of one record, in words; none if the read models can't be read or have not come so far."""
    try:
        with _open(data_dir) as connection:
            rows = connection.execute(_RECORD, (seq,)).fetchall()
    except sqlite3.Error:
        return []
    return [
        f"account {account} is shown {atoms:+} atoms of {asset} {bucket} by record {seq}"
        for account, asset, bucket, atoms in rows
    ]


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
