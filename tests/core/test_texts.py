"""Every text that people write can be seen whole by whoever has to judge it, or its command is refused."""

from collections.abc import Callable, Iterator
from typing import Any, get_args

import msgspec
import pytest

from exchange.core import State, decide
from exchange.core.authority import written
from exchange.core.machine import COMMANDS
from exchange.values.commands import AdminCommand, AnyCommand
from exchange.values.listings.specs import MAX_NAME, AssetSpec, FeeTier, SpecError
from exchange.values.process.events import Refused
from exchange.values.text import MAX_TEXT, texts
from tests.core.windows.by_hand import second_approver
from tests.probes import Scene
from tests.properties.flow import PROBES, open_venue

HOSTILE = "\x1b[2K"


def spoilt(value: Any, spoil: Callable[[str], str]) -> Iterator[tuple[str, Any]]:
    """(field, the value with that one text spoilt), for every text in it."""
    if isinstance(value, str) and type(value) is str:
        yield "", spoil(value)
    elif isinstance(value, msgspec.Struct):
        for field in value.__struct_fields__:
            for inner, made in spoilt(getattr(value, field), spoil):
                yield inner or field, msgspec.structs.replace(value, **{field: made})
    elif isinstance(value, tuple):
        for at, each in enumerate(value):
            for inner, made in spoilt(each, spoil):
                yield inner, (*value[:at], made, *value[at + 1 :])


def written_commands() -> Iterator[tuple[State, AnyCommand]]:
    """One of every command that people write text into, and the venue that would carry it out."""
    for kind, row in COMMANDS.items():
        if written(row):
            venue, accounts = open_venue()
            command = PROBES[kind].accepted(Scene(venue, accounts, second_approver(venue)))
            yield venue.state, command


def test_every_text_that_people_write_is_read_before_it_is_decided() -> None:
    seen = set()
    for state, command in written_commands():
        fields = [name for name, _ in spoilt(command, str)]
        assert fields, command
        for spoil, said in ((lambda old: old + HOSTILE, "U+001B"), (lambda old: old + "x" * 501, str(MAX_TEXT))):
            for name, bad in spoilt(command, spoil):
                [event] = decide(state, state.time_us + 1, bad)
                assert isinstance(event, Refused)
                assert event.message.startswith(f"`{name}`: ")
                assert said in event.message
                assert HOSTILE not in event.message
                seen.add((type(command).__name__, name))
    assert {kind.__name__ for kind in get_args(AdminCommand)} <= {kind for kind, _ in seen}
    assert {("AddAdmin", "name"), ("CreditDeposit", "reference"), ("ListAsset", "display_name")} <= seen
    assert {("Genesis", "venue"), ("AcceptLoss", "reason"), ("SetCancelOnDisconnect", "session")} <= seen


@pytest.mark.parametrize("unwanted", ["\r\n", "\u202e", "\u2028", "\x9b", "\u200b", "\ufeff", "\x00"])
def test_whatever_cannot_be_seen_is_refused(unwanted: str) -> None:
    state, command = next(each for each in written_commands() if any(name == "reason" for name, _ in texts(each[1])))
    for _, bad in spoilt(command, lambda old: old + unwanted):
        assert isinstance(decide(state, state.time_us + 1, bad)[0], Refused)


@pytest.mark.parametrize("symbol", ["SOL", "USDC", "1INCH", "kPEPE", "AAPL.US", "X" * 16])
def test_a_symbol_is_one_the_wire_can_carry(symbol: str) -> None:
    AssetSpec(symbol, 6).check()


@pytest.mark.parametrize(
    "symbol", ["", " ", "a b", "lower", "A_B", "../X", "\x1b", "é", "X" * 200, "SOL ", "SOL\n", "X" * 17, "kk", "٣"]
)
def test_what_is_no_symbol_is_never_listed(symbol: str) -> None:
    with pytest.raises(SpecError, match="is no symbol of an asset: 1 to 16 of A-Z and 0-9"):
        AssetSpec(symbol, 6).check()


def test_names_are_bounded() -> None:
    with pytest.raises(SpecError, match="its name is at most 64"):
        AssetSpec("SOL", 6, "x" * (MAX_NAME + 1)).check()
    with pytest.raises(SpecError, match="has a name"):
        FeeTier("x" * (MAX_NAME + 1), 0, 0).check()
