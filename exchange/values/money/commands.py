"""Money that comes in."""

from typing import ClassVar

from exchange.values.base import Command
from exchange.values.ids import AccountId, AdminId


class CreditDeposit(Command, frozen=True):
    """Credit what arrived from outside, once per `reference`."""

    NAME: ClassVar[str] = "deposits"

    admin: AdminId
    account: AccountId
    asset: str
    atoms: int
    reference: str


AdminCommand = CreditDeposit
