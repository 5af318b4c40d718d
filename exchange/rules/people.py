"""What takes two people, so that no one person alone can make somebody else, take what is another's, or do what stays.

One of the two holds the command's role, the other is an APPROVER, and they are not the same person. Everything else is
one person's to do, with its role. The operators' page shows what comes of it; a test tries every command for it.
"""

from typing import Final

from exchange.values.accounts.commands import AddKey
from exchange.values.commands import TwoPeopleCommand
from exchange.values.enums import Role
from exchange.values.listings.commands import ListAsset, ListMarket, SetFeeTiers, SetFilters
from exchange.values.modes.commands import SetAutoResume
from exchange.values.people.commands import AddAdmin, ChangeAdmin, RevokeAdmin
from exchange.values.process.commands import ActivateRule
from exchange.values.windows.commands import RotateVenueKey

#: The role of the one, beside the other's APPROVER. The core says when such a command is harmless, and one's to do.
TAKES_TWO: Final[dict[type[TwoPeopleCommand], Role]] = {
    AddAdmin: Role.APPROVER,
    ChangeAdmin: Role.APPROVER,
    RevokeAdmin: Role.APPROVER,
    RotateVenueKey: Role.APPROVER,
    AddKey: Role.SUPPORT,
    ActivateRule: Role.OPERATOR,
    SetFeeTiers: Role.OPERATOR,
    SetFilters: Role.OPERATOR,
    SetAutoResume: Role.OPERATOR,
    ListAsset: Role.OPERATOR,
    ListMarket: Role.OPERATOR,
}
