"""The page on the WebSocket says what the code does."""

import json
import re

import msgspec
import pytest

from exchange.gateway.session import frames, stream_names
from exchange.gateway.session.limits import WsLimits
from tests.checks.test_layers import ROOT

PAGE = (ROOT / "docs" / "websocket.md").read_text()


def examples(sender: str) -> list[str]:
    blocks = re.findall(rf"```json {sender}\n(.*?)```", PAGE, re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def rows(heading: str) -> list[list[str]]:
    lines = PAGE[PAGE.index(f"\n| {heading} |") + 1 :].split("\n\n")[0].splitlines()
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.mark.parametrize("example", examples("client"))
def test_every_frame_shown_is_one_that_is_read(example: str) -> None:
    frames.decode(example)


def test_every_method_is_shown() -> None:
    shown = {json.loads(example)["method"] for example in examples("client")}
    assert shown == frames.METHODS | {"SUBSCRIBE", "UNSUBSCRIBE"}


def test_every_limit_is_shown() -> None:
    assert {name: default for name, default, _ in rows("limit")} == {
        field.name: str(field.default) for field in msgspec.structs.fields(WsLimits)
    }


def test_every_error_is_shown() -> None:
    errors = [one for one in vars(stream_names).values() if isinstance(one, stream_names.StreamError)]
    assert [tuple(row) for row in rows("error")] == [(str(error.code), error.message) for error in errors]
