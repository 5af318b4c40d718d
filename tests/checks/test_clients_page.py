"""The page for client authors says what the code does. That its blocks run is in tests/clients."""

import re
from pathlib import Path

import ccxt
import pytest

from exchange.gateway.application import OPERATIONS
from exchange.gateway.wire.errors import http_status
from exchange.values.refusals import Code
from tests.checks.test_layers import ROOT

PAGE = (ROOT / "docs" / "clients.md").read_text()
OFFICIAL = (ROOT / "tests" / "gateway" / "rest" / "official_operations.txt").read_text().splitlines()


def rows(heading: str) -> list[list[str]]:
    lines = PAGE[PAGE.index(f"\n| {heading} |") + 1 :].split("\n\n")[0].splitlines()
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_operations_that_are_ours() -> None:
    official = {" ".join(line.split()[:2]) for line in OFFICIAL}
    ours = {
        (f"{operation.method} {operation.path}", operation.instruction or "")
        for operation in OPERATIONS
        if f"{operation.method} {operation.path}" not in official and not operation.path.startswith("/admin/")
    }
    assert {(name, instruction) for name, instruction in rows("operation")} == ours


def given(sources: Path) -> set[str]:
    """The codes some part of the exchange refuses with: those outside the list itself and its statuses."""
    text = "".join(
        path.read_text()
        for path in sources.rglob("*.py")
        if path.name != "refusals.py" and path != ROOT / "exchange" / "gateway" / "wire" / "errors.py"
    )
    return set(re.findall(r"\bCode\.([A-Z_]+)\b", text)) & set(Code)


def test_the_codes_with_their_statuses_and_what_ccxt_makes_of_them() -> None:
    raised = ccxt.backpack().exceptions["exact"]
    named = given(ROOT / "exchange")
    expected = [
        [code, str(http_status(code)), raised.get(code, ccxt.ExchangeError).__name__] for code in Code if code in named
    ]
    assert [row[:3] for row in rows("code")] == expected


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)]+)\)", PAGE))
def test_links_lead_somewhere(target: str) -> None:
    path, _, heading = target.partition("#")
    page = ROOT / "docs" / path if path else ROOT / "docs" / "clients.md"
    assert page.exists()
    if heading:
        headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
        assert heading in {re.sub(r"[^\w\- ]", "", one).lower().replace(" ", "-") for one in headings}
