"""The rows of money."""

from typing import Final

from exchange.core.money import decide, evolve, legs
from exchange.core.rows import Admin, CommandRow, EventRow, Words
from exchange.values.enums import Role
from exchange.values.money.commands import CreditDeposit
from exchange.values.money.events import Posted

COMMANDS: Final = (CommandRow(CreditDeposit, decide.credit_deposit, Admin(Role.TREASURER, reason="")),)


EVENTS: Final = (EventRow(Posted, evolve.posted, Words.ROUTINE, legs.posted),)
