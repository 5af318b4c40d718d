"""What each subject gives of every command: how random flows make one, one that is accepted, and one that is refused.

They stand in `tests/core/<subject>/probes.py`; a command without a probe is named by a test, and so is a probe that
doesn't come out as it says.
"""

from collections.abc import Callable
from typing import NamedTuple

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
