"""Balances and ledger lines, as they are shown."""

from exchange.values.base import View
from exchange.values.ids import AccountId, OrderId


class BalanceView(View, frozen=True):
    asset: str
    available_atoms: int
    locked_atoms: int


class LedgerLine(View, frozen=True):
    """One leg of one posting on one account, and what its bucket held afterwards.

    `command` and `actor` say what it came of, as far as the account may know: other traders stay unnamed.
    """

    seq: int
    index: int
    time_us: int
    account: AccountId
    asset: str
    bucket: str
    atoms: int
    balance_atoms: int
    kind: str
    command: str
    actor: str
    order_id: OrderId | None = None
    trade_id: int | None = None
    market: str | None = None
    reference: str = ""


class BalanceUpdate(View, frozen=True):
    account: AccountId
    asset: str
    available_atoms: int
    locked_atoms: int
    time_us: int
