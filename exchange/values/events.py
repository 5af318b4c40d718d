"""Events are past-tense facts. They can't fail, and they carry every amount they move. Each subject lists its own.

The core's `evolve` modules apply them and know no rule, so an event says everything that changes. New kinds and fields
appear only after the rule version that makes them is activated.
"""

from exchange.values.accounts import events as accounts
from exchange.values.listings import events as listings
from exchange.values.modes import events as modes
from exchange.values.money import events as money
from exchange.values.orders import events as orders
from exchange.values.people import events as people
from exchange.values.process import events as process
from exchange.values.windows import events as windows

AnyEvent = (
    orders.Events
    | accounts.Events
    | people.Events
    | money.Events
    | listings.Events
    | modes.Events
    | windows.Events
    | process.Events
)
