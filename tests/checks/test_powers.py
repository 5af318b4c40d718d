"""What one person, two below approver and everybody else can do alone: the operators' page says what the core does."""

from itertools import combinations_with_replacement

import pytest

from exchange.core.machine import COMMANDS
from exchange.core.rows import Admin, CommandRow, TwoAdmins
from exchange.values.enums import Role
from exchange.values.ids import AdminId
from exchange.values.modes.commands import SetMode
from exchange.values.windows.commands import ApproveOpening, WaiveGate
from tests.checks.test_runbook import RUNBOOK, rows
from tests.powers import POWERS, Power, Roles, people_with, ready, takes, tried

#: Of these, what one step takes depends on which it is.
BY_STEP = (SetMode, ApproveOpening, WaiveGate)
BELOW = tuple(role for role in Role if role is not Role.APPROVER)


def covered(less: Roles, roles: Roles) -> bool:
    return all(roles.count(role) >= less.count(role) for role in less)


def row(power: Power) -> list[str]:
    alone = [less[0] for less in takes(power) if len(less) == 1]
    two_below = [
        pair for pair in combinations_with_replacement(BELOW, 2) if any(covered(less, pair) for less in takes(power))
    ]
    return [
        power.row,
        " or ".join(" + ".join(less) for less in takes(power)),
        ", ".join(alone) or "nobody",
        "yes" if two_below else "no",
    ]


def test_the_table_of_what_each_can_do_alone_is_what_the_core_does() -> None:
    assert rows(RUNBOOK, "command | takes") == [row(power) for power in POWERS]


def test_every_admin_command_is_in_it() -> None:
    assert {power.command for power in POWERS} == {kind for kind, row in COMMANDS.items() if by_admin(row)}


def by_admin(row: CommandRow) -> bool:
    return isinstance(row.who, Admin | TwoAdmins)


@pytest.mark.parametrize("row", [row for row in COMMANDS.values() if by_admin(row)], ids=lambda row: row.kind.__name__)
def test_the_rows_say_what_it_says(row: CommandRow) -> None:
    """One with the role where one is enough, beside an approver where it takes two; a step up takes more."""
    found = {less for power in POWERS if power.command is row.kind for less in takes(power)}
    match row.who:
        case Admin(None):
            pass
        case Admin(role):
            assert found == {(role,)} or (row.kind in BY_STEP and all(role in less for less in found))
        case TwoAdmins(role, harmless):
            pair = tuple(sorted((role, Role.APPROVER), key=list(Role).index))
            assert found - {pair} <= ({(role,)} if harmless is not None else set())
            assert pair in found


def crowds(power: Power) -> list[tuple[str, list[AdminId]]]:
    """Single people, one with every role, and pairs below approver, who don't bring it about in the plain way."""
    staff = ready(power).staff
    made = [
        ("+".join(roles), people_with(staff, roles))
        for roles in (*((role,) for role in Role), *combinations_with_replacement(BELOW, 2))
        if not any(covered(less, roles) for less in takes(power))
    ]
    if all(len(less) > 1 for less in takes(power)):
        made.append(("one with every role", [staff.everything]))
    return made


@pytest.mark.parametrize("power", POWERS, ids=lambda power: power.row)
def test_nor_do_they_get_there_by_sending_everything_else_too(power: Power) -> None:
    others = [each.asked for each in POWERS if each is not power]
    for name, people in crowds(power):
        for asked in ([power.asked, *others], [*reversed(others), power.asked]):
            assert not tried(ready(power), people, asked), name
