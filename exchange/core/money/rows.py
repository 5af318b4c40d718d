"""The rows of money."""

from typing import Final

from exchange.core.money import decide, evolve, legs
from exchange.core.rows import Admin, CommandRow, EventRow, Words
from exchange.core.state import State
from exchange.values.enums import Role
from exchange.values.ids import AccountId
from exchange.values.money.commands import CreditDeposit
from exchange.values.money.events import Posted

COMMANDS: Final = (CommandRow(CreditDeposit, decide.credit_deposit, Admin(Role.TREASURER, reason="")),)


def _posted_on(state: State, event: Posted) -> tuple[AccountId, ...]:
    return tuple(dict.fromkeys(leg.account for leg in event.legs))


EVENTS: Final = (EventRow(Posted, evolve.posted, Words.ROUTINE, legs.posted, _posted_on),)
