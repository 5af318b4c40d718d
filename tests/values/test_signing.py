"""What is signed says its command, in every spelling the gateway takes, and no other."""

from typing import Any
from urllib.parse import quote, unquote

import msgspec
import pytest
from msgspec.structs import replace

from exchange.gateway import auth
from exchange.gateway.rest.admin_api import PATHS, routes
from exchange.values.commands import AdminCommand
from exchange.values.enums import Mode
from exchange.values.ids import AdminId
from exchange.values.modes.commands import SetMode
from exchange.values.signing import instruction, says, text_of
from exchange.values.windows.commands import CancelWindow, PlanWindow
from exchange.values.windows.plan import WindowId, WindowPlan

ADMIN = AdminId(11)


def examples() -> list[AdminCommand]:
    bodies = {operation.path: operation.request_example for operation in routes.operations}
    return [
        msgspec.convert({"type": kind.__name__, "admin": ADMIN, **bodies[path.path]}, type=kind)
        for kind, path in PATHS.items()
    ]


@pytest.mark.parametrize("command", examples(), ids=lambda command: type(command).__name__)
def test_in_every_spelling_the_gateway_takes(command: AdminCommand) -> None:
    fields: dict[str, Any] = msgspec.to_builtins(command)
    del fields["type"], fields["admin"]
    nulls = {field.name: None for field in msgspec.structs.fields(command) if field.default is None}
    for body in (msgspec.json.encode(fields), msgspec.json.format(msgspec.json.encode({**nulls, **fields}))):
        said = auth.body_fields(body)
        assert isinstance(said, list)
        signed = auth.SignedFields(PATHS[type(command)].instruction, (said,))
        for nonce in (None, "x-1"):
            for text in auth.candidates(signed, auth.Credentials("", "", "1700000000000", "5000", nonce)):
                assert says(text.decode(), command), text


@pytest.mark.parametrize("command", examples(), ids=lambda command: type(command).__name__)
def test_as_it_is_signed_where_the_data_folder_is_and_not_for_any_other(command: AdminCommand) -> None:
    text = text_of(command, 1_700_000_000_000)
    for other in examples():
        assert says(text, other) is (other == command)


MODE = SetMode(ADMIN, Mode.FULL, "open", "SOL_USDC")
TEXT = f"instruction={instruction('mode')}&market=SOL_USDC&mode=FULL&reason=open&timestamp=1&window=5000"


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("&market=SOL_USDC", ""),
        TEXT.replace("&reason=open", ""),
        TEXT.replace("open", "open "),
        TEXT.replace("FULL", "full"),
        TEXT.replace("&timestamp", "&more=1&timestamp"),
        TEXT.replace("&mode=FULL", "&mode=FULL&mode=FULL"),
        TEXT.replace("admin:mode", "admin:pause"),
        TEXT.replace("&timestamp=1", ""),
        TEXT.replace("&window=5000", ""),
        TEXT + "&instruction=admin:mode",
        "x" + TEXT,
        "",
    ],
)
def test_a_word_more_or_less_is_another_command(text: str) -> None:
    assert says(TEXT, MODE)
    assert not says(text, MODE)


def test_a_field_may_be_called_as_a_part_of_the_signature_is() -> None:
    command = CancelWindow(ADMIN, WindowId(54_060), "not ready")
    text = "instruction=admin:windows.cancel&reason=not ready&window=54060&timestamp=1&window=5000"
    assert says(text, command)
    assert not says(text, replace(command, window=WindowId(5_000)))


def signed(said: str) -> str:
    return f"instruction={instruction('windows')}&plan={said}&timestamp=1&window=5000"


def test_a_text_says_one_command_though_it_could_be_read_in_two_ways() -> None:
    """What stands in a reason is nothing else, and a null no text: whoever makes up records finds no second meaning."""
    times = '{"offline_at_us":1,"post_only_at_us":2,"full_at_us":3,'
    said = times + '"reason":"x%22,%22markets%22:[%22A%22],%22reason%22:%22y"}'
    for text in (signed(said), signed(quote(said, safe=""))):
        assert says(text, PlanWindow(ADMIN, msgspec.json.decode(said, type=WindowPlan)))
        assert not says(text, PlanWindow(ADMIN, msgspec.json.decode(unquote(said), type=WindowPlan)))
    percent = TEXT.replace("open", "50%25")
    assert says(percent, replace(MODE, reason="50%"))
    assert not says(percent, replace(MODE, reason="50%25"))
    nobody = TEXT.replace("SOL_USDC", "null")
    assert says(nobody, replace(MODE, market=None))
    assert not says(nobody, replace(MODE, market="null"))
