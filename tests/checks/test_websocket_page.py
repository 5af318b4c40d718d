"""The page on the WebSocket says what the code does."""

import json
import re

import msgspec
import pytest

from exchange.gateway.session import methods, stream_names
from exchange.gateway.session.limits import WsLimits
from tests.websocket_page import PAGE, frames, rows


@pytest.mark.parametrize("example", frames("client"))
def test_every_frame_shown_is_one_that_is_read(example: str) -> None:
    methods.decode(example)


def test_every_method_is_shown() -> None:
    shown = {json.loads(example)["method"] for example in frames("client")}
    assert shown == methods.NAMES | {"SUBSCRIBE", "UNSUBSCRIBE"}
    assert all("." in name for name in methods.NAMES), "by the dot a frame that can't be read is told from a stream's"


def test_what_has_a_reserve_is_named() -> None:
    told = re.search(r"as many requests are in flight as may be, (.*?) have a reserve of their own", PAGE, re.DOTALL)
    assert told is not None
    assert set(re.findall(r"`(.*?)`", told[1])) == {method.name for method in methods.METHODS if method.cancels}


def test_every_limit_is_shown() -> None:
    assert {name: default for name, default, _ in rows("limit")} == {
        field.name: str(field.default) for field in msgspec.structs.fields(WsLimits)
    }


def test_every_error_is_shown() -> None:
    errors = [one for one in vars(stream_names).values() if isinstance(one, stream_names.StreamError)]
    assert [tuple(row) for row in rows("error")] == [(str(error.code), error.message) for error in errors]
