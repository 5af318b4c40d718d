"""No field of the state can be forgotten when it is written down, and one that comes later changes no byte before."""

from collections.abc import Iterator
from enum import Enum
from typing import Any, get_args

import msgspec
import pytest

from exchange.core import State
from exchange.core.accounts import image as accounts
from exchange.core.images import Table
from exchange.core.listings.image import MARKET
from exchange.core.money.image import SOURCE
from exchange.core.money.sources import Source
from exchange.core.orders import image as orders
from exchange.core.orders.book import Order
from exchange.core.snapshot import SUBJECTS
from exchange.core.state import Account, Balance, Key, Market, User, Window
from exchange.core.windows import image as windows
from exchange.values.accounts.settings import DEFAULT_SETTINGS
from exchange.values.base import Part
from exchange.values.commands import AnyCommand
from exchange.values.events import AnyEvent
from exchange.values.windows.certificate import AssetTotal, Certificate, GateResult

TABLES: dict[type, Table[Any]] = {
    User: accounts.USER,
    Account: accounts.ACCOUNT,
    Balance: accounts.BALANCE,
    Key: accounts.KEY,
    Order: orders.ORDER,
    Market: MARKET,
    Window: windows.WINDOW,
    Source: SOURCE,
}


@pytest.mark.parametrize("kind", TABLES, ids=lambda kind: kind.__name__)
def test_every_field_of_an_object_is_in_its_image_or_derived(kind: type) -> None:
    table = TABLES[kind]
    assert set(kind.__slots__) == set(table.image.__struct_fields__) | table.derived  # type: ignore[attr-defined]


def test_every_field_of_the_state_is_in_one_image_or_derived() -> None:
    held = [name for table in SUBJECTS.values() for name in table.image.__struct_fields__]
    assert len(held) == len(set(held))
    assert set(vars(State())) == set(held) | accounts.DERIVED | orders.DERIVED | windows.DERIVED


@pytest.mark.parametrize("name", SUBJECTS)
def test_an_image_field_that_was_never_used_is_what_a_new_state_holds(name: str) -> None:
    table = SUBJECTS[name]
    written = msgspec.json.decode(msgspec.json.encode(table.write(State())))
    required = {field.encode_name for field in msgspec.structs.fields(table.image) if field.required}
    assert written.keys() == required


def structs(*types: Any) -> Iterator[type[msgspec.Struct]]:
    """Every struct that stands somewhere in those."""
    seen: set[Any] = set()
    todo = [*types]
    while todo:
        each = todo.pop()
        if each in seen:
            continue
        seen.add(each)
        if isinstance(each, type) and issubclass(each, msgspec.Struct):
            yield each
            todo += [field.type for field in msgspec.structs.fields(each)]
        todo += get_args(each)


WRITTEN = sorted(
    structs(AnyCommand, AnyEvent, accounts.UserImage, *(table.image for table in SUBJECTS.values())),
    key=lambda kind: kind.__name__,
)


def one_object(default: Any) -> bool:
    """Whether every value that equals this is the very same object."""
    return (
        default is None
        or isinstance(default, bool | Enum)
        or (type(default) is int and -5 <= default <= 256)
        or default in ("", ())
    )


@pytest.mark.parametrize("kind", WRITTEN, ids=lambda kind: kind.__name__)
def test_what_is_written_leaves_its_defaults_out_whoever_made_them(kind: type[msgspec.Struct]) -> None:
    assert kind.__struct_config__.omit_defaults
    assert not kind.__struct_config__.array_like
    if not issubclass(kind, Part):
        for field in msgspec.structs.fields(kind):
            if not field.required and field.default_factory not in (list, dict):
                default = field.default
                assert one_object(default) or default is DEFAULT_SETTINGS, field.name


#: What stands in a signed text, or is said of gates: a newer build's field is told, and nothing is done by it.
CARRIED = {Certificate, AssetTotal, GateResult}


@pytest.mark.parametrize("kind", [kind for kind in WRITTEN if kind not in CARRIED], ids=lambda kind: kind.__name__)
def test_what_this_build_would_forget_is_refused(kind: type[msgspec.Struct]) -> None:
    assert kind.__struct_config__.forbid_unknown_fields


@pytest.mark.parametrize("kind", [kind for kind in WRITTEN if issubclass(kind, Part)], ids=lambda kind: kind.__name__)
def test_a_part_with_equal_values_has_equal_bytes(kind: type[Part]) -> None:
    """A number read from JSON is another object than the default it equals."""
    values = [0] * (len(kind.__struct_fields__) - len(kind.__struct_defaults__))
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(kind.__struct_defaults__))
    numbers = [new if type(new) is int else old for new, old in zip(again, kind.__struct_defaults__, strict=True)]
    assert msgspec.json.encode(kind(*values, *numbers)) == msgspec.json.encode(kind(*values))


@pytest.mark.parametrize("kind", WRITTEN, ids=lambda kind: kind.__name__)
def test_a_field_that_comes_later_changes_no_byte(kind: type[msgspec.Struct]) -> None:
    grown = msgspec.defstruct(kind.__name__, [("later", int, 0)], bases=(kind,), frozen=True)
    assert grown.__struct_config__.omit_defaults
    values = [0] * (len(kind.__struct_fields__) - len(kind.__struct_defaults__))
    before = msgspec.json.decode(msgspec.json.encode(kind(*values)))
    assert list(msgspec.json.decode(msgspec.json.encode(grown(*values)))) == list(before)
