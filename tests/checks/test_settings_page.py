"""`docs/settings.md` lists what there is, with its defaults."""

import re

import msgspec

from exchange.gateway.admission import GatewayLimits
from exchange.runtime.core.watchdog import Bounds
from tests.checks.test_layers import ROOT

PAGE = (ROOT / "docs/settings.md").read_text()


def shown(first_column: str) -> dict[str, str]:
    """The table under that head: names and defaults."""
    table = re.search(rf"^\| {first_column} \| default \|.*\n\|.*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert table is not None
    return dict(re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", table[1], re.MULTILINE))


def defaults(group: type[msgspec.Struct]) -> dict[str, str]:
    return {field.name: str(field.default) for field in msgspec.structs.fields(group)}


def test_every_limit_and_every_bound_is_shown() -> None:
    assert shown("limit") == defaults(GatewayLimits)
    assert shown("bound") == defaults(Bounds)
