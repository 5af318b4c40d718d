"""The documents' tables say what the code does."""

import re
from pathlib import Path

import pytest
import typer

from exchange.cli import app
from exchange.cli.exits import MEANING
from exchange.cli.settings import Settings
from exchange.rules.modes import LADDER, PERMITTED, TRANSITIONS, is_step_up
from exchange.values.enums import Action
from tests.checks.test_layers import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("clients/**/*.md")])
README = (ROOT / "README.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The cells of the table whose header row begins with `heading`, header and rule left out."""
    lines = README[README.index(f"\n| {heading} |") + 1 :].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_mode_table_is_the_one_in_force() -> None:
    expected = [[action.value, *("yes" if action in PERMITTED[mode] else "no" for mode in LADDER)] for action in Action]
    assert rows("action") == expected


def test_the_steps_up_are_the_ones_there_are() -> None:
    told = re.search(r"Steps up: (.*?)\.", README, re.DOTALL)
    assert told is not None
    steps = set()
    for part in re.split(r",\s+", told[1]):
        before, _, after = part.partition(" to ")
        steps |= {(before.strip(), each) for each in after.split(" or ")}
    assert steps == {(str(before), str(after)) for before, after in TRANSITIONS if is_step_up(before, after)}


def test_the_settings_table_has_every_setting() -> None:
    expected = [
        [f"`EXCHANGE_{name.upper()}`", f"`{field.default}`" if field.default else "", field.description]
        for name, field in Settings.model_fields.items()
        if name != "genesis"
    ]
    assert rows("variable") == expected


def test_the_exit_codes_are_the_ones_in_use() -> None:
    assert rows("code") == [[str(int(code)), meaning] for code, meaning in MEANING.items()]


def test_the_command_table_has_every_command() -> None:
    command = typer.main.get_command(app)
    assert isinstance(command, typer.core.TyperGroup)
    told = set(re.findall(r"`exchange ([a-z-]+)", README))
    assert set(command.commands) - told == set()


def test_the_torture_suite_is_listed() -> None:
    told = set(re.findall(r"^\| `(tests/[^`]+)`", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE))
    marked = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("test_*.py")
        if re.search(r"mark\.torture\b", path.read_text()) and path.parent.name != "checks"
    }
    assert told == marked


def test_under_systemd_the_kernel_may_be_asked_about_the_clock() -> None:
    """The C library's adjtimex is one call or the other; without an answer a late start would wait for a person."""
    unit = (ROOT / "deploy" / "exchange.service").read_text()
    permitted = re.findall(r"^SystemCallFilter=([a-z].*)$", unit, re.MULTILINE)
    assert {"adjtimex", "clock_adjtime"} <= set(" ".join(permitted).split())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_files_a_document_names_are_there(document: Path) -> None:
    """In full or from their package on: `core/orders/evolve.py`, or `evolve.py` where the lines above say which."""
    there = [
        f"/{path.relative_to(ROOT)}"
        for top in ("exchange", "clients", "tests", "docs", "deploy")
        for path in (ROOT / top).rglob("*")
    ]
    named = set(re.findall(r"(?<![\w/.-])((?:[\w-]+/)*[\w-]+\.(?:py|md|txt|service|svg))\b", document.read_text()))
    named -= {"CHANGELOG.md"}
    roots = {path.name for path in ROOT.glob("*.md")}
    assert {name for name in named - roots if not any(path.endswith(f"/{name}") for path in there)} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", document.read_text()):
        path = (document.parent / target).resolve() if target else document
        assert path.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}, anchor


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_constants_a_document_names_are_in_the_code(document: Path) -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "exchange").rglob("*.py"))
    named = set(re.findall(r"`(?:\w+\.)*((?:MAX|MIN|KEPT|SEAL|TAIL|SEGMENT|CHECK)_[A-Z_]+)`", document.read_text()))
    assert {name for name in named if not re.search(rf"\b{name}\b", code)} == set()


def test_what_the_code_says_of_itself_is_said_and_there() -> None:
    """No docstring still has to be written, and a module that one names from its package on is there."""
    package = ROOT / "exchange"
    layers = {path.name for path in package.iterdir() if path.is_dir()}
    missing = []
    for path in package.rglob("*.py"):
        source = path.read_text()
        missing += [f"{path.name}: {note}" for note in re.findall(r"\b(?:TODO|FIXME)\b", source)]
        for name in re.findall(r"`(\w+(?:\.\w+)+)(?:\(\))?`", source):
            *module, last = name.split(".")
            inside = package.joinpath(*module)
            if module[0] not in layers or (inside / last).exists() or (inside / f"{last}.py").exists():
                continue
            text = inside.with_suffix(".py").read_text() if inside.with_suffix(".py").exists() else ""
            if not re.search(rf"^(?:(?:async )?def |class |){last}\b", text, re.MULTILINE):
                missing.append(f"{path.name}: {name}")
    assert not missing
