"""What the page on the WebSocket shows."""

import json
import re
from typing import Any, Final

from tests.checks.test_layers import ROOT

PAGE: Final = (ROOT / "docs" / "websocket.md").read_text()


def frames(sender: str) -> list[str]:
    """The frames shown as sent by `client` or `server`."""
    blocks = re.findall(rf"```json {sender}\n(.*?)```", PAGE, re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def frame(method: str) -> dict[str, Any]:
    """The one that is shown of a method."""
    shown = [each for each in map(json.loads, frames("client")) if each["method"] == method]
    assert shown, f"docs/websocket.md shows no {method}"
    found: dict[str, Any] = shown[0]
    return found


def rows(heading: str) -> list[list[str]]:
    """The cells of the table whose header row begins with `heading`, header and rule left out."""
    lines = PAGE[PAGE.index(f"\n| {heading} |") + 1 :].split("\n\n")[0].splitlines()
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines[2:]]
