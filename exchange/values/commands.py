"""Commands are verbs: what somebody, or the venue itself, asks for. Each may be refused.

A command names who sent it: `key_id` for a trader's API key, `admin` for an admin; one with neither is the venue's own.
Fields are added, never renamed or reused; a new field has a default, so an old record still reads. Each subject lists
its own.
"""

from exchange.values.accounts import commands as accounts
from exchange.values.listings import commands as listings
from exchange.values.modes import commands as modes
from exchange.values.money import commands as money
from exchange.values.orders import commands as orders
from exchange.values.people import commands as people
from exchange.values.process import commands as process
from exchange.values.process.commands import Genesis
from exchange.values.windows import commands as windows

TradingCommand = orders.TraderCommand | accounts.TraderCommand
AdminCommand = (
    accounts.AdminCommand
    | people.AdminCommand
    | money.AdminCommand
    | listings.AdminCommand
    | modes.AdminCommand
    | windows.AdminCommand
    | process.AdminCommand
)
SystemCommand = orders.SystemCommand | modes.SystemCommand | windows.SystemCommand | process.SystemCommand
TwoPeopleCommand = (
    accounts.TwoPeopleCommand
    | people.TwoPeopleCommand
    | listings.TwoPeopleCommand
    | modes.TwoPeopleCommand
    | windows.TwoPeopleCommand
    | process.TwoPeopleCommand
)
AnyCommand = TradingCommand | SystemCommand | AdminCommand | Genesis
