"""Money that comes in."""

from typing import ClassVar

from exchange.values.base import Command
from exchange.values.ids import AccountId, AdminId


class CreditDeposit(Command, frozen=True):
    """Credit what arrived from outside, once: `number` is the next one of its source, `reference` what it is known by.

    A source numbers its deposits from 1 on without a gap; "" is what administrators credit by hand. A number that was
    taken is refused, and so is one that is not the next, and a reference that the source has used lately.
    """

    NAME: ClassVar[str] = "deposits"

    admin: AdminId
    account: AccountId
    asset: str
    atoms: int
    reference: str
    number: int
    source: str = ""


AdminCommand = CreditDeposit
