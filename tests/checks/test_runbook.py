"""The operators' and the users' pages say what the code does: tables, commands, files, links."""

import re
import shlex
import typing
from typing import Any

import pytest
import typer

import verify_proof
from exchange.cli import app
from exchange.maintenance.evidence.proofs import Part, Proof
from exchange.rules.gates import APPROVALS, GATES, NEEDED
from exchange.rules.modes import LADDER, TRANSITIONS, is_step_up
from exchange.values.enums import Role
from exchange.values.windows.certificate import Gate
from tests.checks.test_layers import ROOT

RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
README = (ROOT / "README.md").read_text()
PROOF = (ROOT / "docs" / "proof.md").read_text()


def rows(text: str, heading: str) -> list[list[str]]:
    """The cells of the table whose header row begins with `heading`, header and rule left out."""
    lines = text[text.index(f"\n| {heading} |") + 1 :].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_gates_and_what_may_be_waived() -> None:
    assert rows(RUNBOOK, "gate | shows") == [
        [gate.value, rule.shows, "yes" if rule.waivable else "no"] for gate, rule in GATES.items()
    ]


def test_what_each_step_up_asks_for() -> None:
    expected = []
    for (before, after), step in TRANSITIONS.items():
        if is_step_up(before, after):
            needed = NEEDED.get(before, ())
            gates = "all" if needed == tuple(GATES) else ", ".join(needed) or "none"
            expected.append([before.value, after.value, step.role.value, gates, str(APPROVALS.get(before, 0))])
    assert rows(RUNBOOK, "from | to") == expected


def test_down_goes_from_any_mode_to_any_lower_one_for_one_operator() -> None:
    """What the runbook says in a sentence."""
    down = {step for step in TRANSITIONS if not is_step_up(*step)}
    assert down == {(above, below) for rank, below in enumerate(LADDER) for above in LADDER[rank + 1 :]}
    assert {TRANSITIONS[step].role for step in down} == {Role.OPERATOR}


def test_there_is_advice_for_every_gate_that_fails() -> None:
    assert [row[0] for row in rows(RUNBOOK, "gate | usual cause")] == list(Gate)


#: What whoever pastes a line has to put in.
PLACEHOLDERS = {"ACCOUNT": "1700000"}


def pasted(page: str) -> list[str]:
    """The commands in a page's blocks for a shell, as a shell reads them."""
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", page, re.DOTALL | re.MULTILINE)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip().startswith("exchange ")]


def words_of(line: str) -> list[str]:
    """Without what the shell does: comments, a file the output goes to, commands within."""
    words = shlex.split(re.sub(r'"\$\(.*?\)"', "VALUE", line).split(" > ")[0], comments=True)
    return [PLACEHOLDERS.get(word, word) for word in words]


@pytest.mark.parametrize("line", [*pasted(RUNBOOK), *pasted(README), *pasted(PROOF)])
def test_every_command_can_be_pasted(line: str) -> None:
    """It is one there is, with options it has, values they take, and all that it needs."""
    words = words_of(line)[1:]
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        while words[0].startswith("--"):
            assert words[0] in known(command)
            words = words[2:]
        command, words = command.commands[words[0]], words[1:]
    command.make_context(command.name, words).close()


def known(command: Any) -> set[str]:
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}


def test_the_parts_of_a_proof_are_those_it_has() -> None:
    named = {name for row in rows(PROOF, "part") for name in re.findall(r"`(\w+)`", row[0])}
    fields = {*typing.get_type_hints(Part), *typing.get_type_hints(Proof)}
    assert named == fields - {"format", "account", "window", "closing", "opening"}


def test_the_hashes_are_those_the_verifier_takes() -> None:
    for formula in re.findall(r"^ +((?:leaf|node)\(.*)$", PROOF, re.MULTILINE):
        assert formula in (verify_proof.__doc__ or "")
    assert "leaf(salt, statement) = BLAKE2b-256(0x00 || salt || statement)" in PROOF


@pytest.mark.parametrize("page", [RUNBOOK, PROOF], ids=["runbook", "proof"])
def test_links_lead_to_files(page: str) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page):
        assert (ROOT / "docs" / target).exists(), target
