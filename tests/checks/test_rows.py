"""Nothing can be forgotten on the way in: a subject, command or event that a row doesn't tell all of is named here."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from exchange.core.machine import SUBJECTS
from exchange.core.rows import (
    Admin,
    BothAdmins,
    CommandRow,
    EventRow,
    Itself,
    LaneOf,
    Trader,
    TwoAdmins,
    Words,
)
from exchange.values.commands import AdminCommand, AnyCommand, SystemCommand, TradingCommand, TwoPeopleCommand
from exchange.values.events import AnyEvent
from exchange.values.process.commands import Genesis

CORE = Path(__file__).parents[2] / "exchange" / "core"
ALL_COMMANDS = [row for subject in SUBJECTS for row in subject.COMMANDS]
ALL_EVENTS = [row for subject in SUBJECTS for row in subject.EVENTS]


def name(row: CommandRow | EventRow) -> str:
    return row.kind.__name__


def by(*who: type) -> list[str]:
    return [name(row) for row in ALL_COMMANDS if isinstance(row.who, who)]


def members(union: Any) -> set[str]:
    return {kind.__name__ for kind in get_args(union) or (union,)}


def astray(listed: Iterable[str], wanted: Iterable[str]) -> list[str]:
    """What stands in one of the two alone, or twice."""
    here, there = Counter(listed), Counter(wanted)
    return sorted((here - there) + (there - here))


def structs(kind: Any) -> list[type[msgspec.Struct]]:
    """Every struct in a type, itself included."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return [kind, *(inner for field in get_type_hints(kind).values() for inner in structs(field))]
    return [inner for each in get_args(kind) for inner in structs(each)]


def has_atoms(kind: type[msgspec.Struct]) -> bool:
    return any(field == "atoms" or field.endswith("_atoms") for each in structs(kind) for field in get_type_hints(each))


def test_every_subject_is_in_the_machine() -> None:
    folders = {path.parent.name for path in CORE.glob("*/*.py")}
    assert not astray(folders, [subject.__name__.split(".")[-2] for subject in SUBJECTS])


def test_every_command_has_its_row_and_every_row_its_place_in_the_union() -> None:
    assert not astray(map(name, ALL_COMMANDS), members(AnyCommand))
    assert not astray(by(Trader), members(TradingCommand))
    assert not astray(by(Admin, TwoAdmins), members(AdminCommand))
    assert not astray(by(TwoAdmins), members(TwoPeopleCommand))
    assert not astray(by(Itself, BothAdmins), members(SystemCommand | Genesis))


def test_what_admins_send_has_a_name_of_its_own_to_sign() -> None:
    assert not [kind.__name__ for kind in get_args(AdminCommand) if not kind.NAME]
    assert not [
        called for called, times in Counter(row.kind.NAME for row in ALL_COMMANDS).items() if called and times > 1
    ]


def test_every_event_has_its_row() -> None:
    assert not astray(map(name, ALL_EVENTS), members(AnyEvent))


@pytest.mark.parametrize("row", ALL_COMMANDS, ids=name)
def test_a_command_holds_what_its_row_asks_of_it(row: CommandRow) -> None:
    match row.who:
        case Trader():
            asked = ["account", "key_id"]
        case Admin(_, reason):
            asked = ["admin", *([reason] if reason else [])]
        case TwoAdmins():
            asked = ["admin", "reason"]
        case BothAdmins():
            asked = ["first_admin", "second_admin", "reason"]
        case Itself():
            asked = []
    asked += {LaneOf.MARKET: ["market"], LaneOf.ACCOUNT: ["account", "session"]}.get(row.lane, [])
    for path in asked:
        kind: Any = row.kind
        for field in path.split("."):
            assert field in get_type_hints(kind), f"{name(row)} has no {path}"
            kind = get_type_hints(kind)[field]


@pytest.mark.parametrize("row", ALL_EVENTS, ids=name)
def test_an_event_with_an_amount_in_it_says_what_it_moves(row: EventRow) -> None:
    assert (row.legs is not None) is has_atoms(row.kind), (
        "legs in the event's row: `terms`, if the amounts move nothing"
    )


@pytest.mark.parametrize("row", ALL_EVENTS, ids=name)
def test_an_event_that_names_an_account_says_whom_it_touches(row: EventRow) -> None:
    named = any(field == "account" or field.endswith("_account") for field in get_type_hints(row.kind))
    assert not named or row.accounts or row.legs, "accounts in the event's row, unless its legs name them"


@pytest.mark.parametrize("row", ALL_EVENTS, ids=name)
def test_an_event_is_told_or_is_routine(row: EventRow) -> None:
    assert isinstance(row.words, Words) or callable(row.words)
    assert row.words is not Words.ROUTINE or not row.shown, "what anybody may read of the venue is told"
