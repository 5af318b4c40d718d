"""The gates: what each step up asks for, in order, and which may be waived.

One table; the documents' copy is checked against it. A waiver takes two admins with the role
APPROVER who are not the same person; it is public and stands in the certificate.
"""

from typing import Final

import msgspec

from exchange.values.enums import Mode
from exchange.values.windows.certificate import Gate


class GateRule(msgspec.Struct, frozen=True):
    """What a gate shows, and whether two approvers may let it pass when it fails."""

    shows: str
    waivable: bool


GATES: Final[dict[Gate, GateRule]] = {
    Gate.CHAIN: GateRule("the record chain is whole and not behind the witness", False),
    Gate.FOLDS: GateRule("independent folds of the records give the same digest as the running state", False),
    Gate.REHEARSAL: GateRule("the running build decides every recorded command as it was decided", True),
    Gate.INVARIANTS: GateRule("every invariant of the books holds", False),
    Gate.STATEMENTS: GateRule("closing statements plus recorded changes are the opening statements", False),
    Gate.HISTORY: GateRule("the history users are shown is what the records say", True),
    Gate.CUSTODY: GateRule("what the venue holds matches what it owes", True),
    Gate.ORACLE: GateRule("reference prices are fresh", True),
    Gate.FLOORS: GateRule("disk and memory are above their floors", True),
}

#: Evidence for leaving a mode upwards. From POST_ONLY on, the core looks for itself: the book is not
#: crossed, a reference price is there, the grace period is over.
NEEDED: Final[dict[Mode, tuple[Gate, ...]]] = {
    Mode.OFFLINE: tuple(GATES),
    Mode.CANCEL_ONLY: (Gate.INVARIANTS,),
}
#: Whatever reopens: an actor and an approver, or two approvers where the venue acts by itself.
TWO_PEOPLE: Final = 2
#: How many admins, none of them the same person, approve leaving a mode upwards.
APPROVALS: Final[dict[Mode, int]] = {Mode.OFFLINE: TWO_PEOPLE, Mode.CANCEL_ONLY: 1}
