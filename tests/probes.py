"""What each subject gives of every command: how random flows make one, one that is accepted, and one that is refused.

They stand in `tests/core/<subject>/probes.py`; a command without a probe is named by a test, and so is a probe that
doesn't come out as it says.
"""

from collections.abc import Callable
from typing import NamedTuple

from msgspec.structs import replace

from exchange.core import State, decide
from exchange.core.accounts.image import ACCOUNT, AccountImage
from exchange.core.ledger import touched
from exchange.values.commands import AnyCommand
from exchange.values.ids import AccountId, AdminId
from exchange.values.refusals import Code
from tests.venue import ADMIN, Venue


class Numbers(NamedTuple):
    """What chance has chosen: one of four accounts, one of two, an offset around zero, and a number from 1 to 12."""

    who: int
    which: int
    offset: int
    number: int


class Scene(NamedTuple):
    """An open venue of two people with four funded accounts, the last two of one user."""

    venue: Venue
    accounts: list[AccountId]
    second: AdminId

    def account(self, numbers: Numbers) -> AccountId:
        return self.accounts[numbers.who]

    def admin(self, numbers: Numbers) -> AdminId:
        return (ADMIN, self.second)[numbers.which]


class Probe(NamedTuple):
    """`flow` makes a command that may be refused, in a venue in whatever state.

    `accepted` and `refused` make theirs in a fresh scene, which they may change first; what takes two admins counts as
    carried out once it is proposed. `code` is that of the refusal; None of both: it is never refused.
    """

    kind: type
    flow: Callable[[Scene, Numbers], AnyCommand]
    accepted: Callable[[Scene], AnyCommand]
    refused: Callable[[Scene], AnyCommand] | None = None
    code: Code | None = None


def accounts_changed(venue: Venue, wanted: AnyCommand) -> tuple[set[AccountId], set[AccountId]]:
    """Have a command carried out: the accounts that are others than before, and those that its events name."""
    before = account_images(venue.state)
    events = decide(venue.state, venue.time_us + 1_000, wanted)
    named = {account for event in events for account in touched(venue.state, event)}
    assert venue.do(wanted) == events
    return {account for account, image in account_images(venue.state).items() if before.get(account) != image}, named


def account_images(state: State) -> dict[AccountId, AccountImage]:
    """What a snapshot says of each account, but for its ended client ids: another's can push them out."""
    return {account: replace(ACCOUNT.write(held), ended_client_ids=()) for account, held in state.accounts.items()}
