"""Every text of every admin command can be seen whole by whoever has to judge it, or the command is refused."""

from collections.abc import Callable, Iterator
from typing import Any, get_args

import msgspec
import pytest

from exchange.core import State, decide
from exchange.core.refuse import text
from exchange.core.snapshot import load
from exchange.values.commands import AdminCommand, AnyCommand
from exchange.values.ids import AdminId
from exchange.values.listings.specs import MAX_NAME, AssetSpec, FeeTier, SpecError
from exchange.values.process.commands import AcceptLoss
from exchange.values.process.events import Refused
from exchange.values.text import MAX_TEXT, texts
from tests.powers import POWERS, ready
from tests.venue import ADMIN, Venue, genesis

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


def admin_commands() -> list[tuple[State, AnyCommand]]:
    made = []
    for kind in get_args(AdminCommand):
        power = next(power for power in POWERS if power.command is kind)
        state = load(ready(power).image)
        made += [(state, command) for command in power.asked(state, ADMIN) if type(command) is kind]
    return made


def test_every_text_of_every_admin_command_is_read_before_it_is_decided() -> None:
    seen = set()
    for state, command in admin_commands():
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
    kinds = {kind.__name__ for kind in get_args(AdminCommand)}
    assert {kind for kind, _ in seen} == kinds
    assert {("AddAdmin", "name"), ("CreditDeposit", "reference"), ("ListAsset", "display_name")} <= seen


@pytest.mark.parametrize("unwanted", ["\r\n", "\u202e", "\u2028", "\x9b", "\u200b", "\ufeff", "\x00"])
def test_whatever_cannot_be_seen_is_refused(unwanted: str) -> None:
    state, command = next(each for each in admin_commands() if any(name == "reason" for name, _ in texts(each[1])))
    for _, bad in spoilt(command, lambda old: old + unwanted):
        assert isinstance(decide(state, state.time_us + 1, bad)[0], Refused)


def test_so_are_the_founding_and_a_loss_accepted() -> None:
    for command in (genesis(), AcceptLoss(ADMIN, AdminId(12), 10, "ab", "gone")):
        for _, bad in spoilt(command, lambda old: old + HOSTILE):
            assert text(bad) is not None
            assert isinstance(decide(Venue().state, 1, bad)[0], Refused)


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
