"""The container and the systemd unit run what there is, as somebody who isn't root."""

import json
import re
from typing import Any, Final

import pytest
import typer

from exchange.cli import app
from tests.checks.test_layers import ROOT

CONTAINER: Final = (ROOT / "deploy" / "Containerfile").read_text()
UNIT: Final = (ROOT / "deploy" / "exchange.service").read_text()
#: Its steps, each on a line of its own.
STEPS: Final = [
    line.split(" ", 1) for line in CONTAINER.replace("\\\n", "").splitlines() if line and not line.startswith("#")
]


def step(name: str) -> str:
    """The last of its kind, which is the one that counts."""
    return [arguments for kind, arguments in STEPS if kind == name][-1]


def test_the_container_serves_and_founds_nothing() -> None:
    assert json.loads(step("ENTRYPOINT")) == ["exchange"]
    assert json.loads(step("CMD")) == ["serve"]


def test_neither_runs_as_root() -> None:
    assert step("USER") == "exchange"
    assert f"useradd --uid 10001 --create-home {step('USER')}" in CONTAINER
    assert re.findall(r"^User=(.*)$", UNIT, re.MULTILINE) == ["exchange"]


def test_what_is_copied_is_there() -> None:
    copied = [name for kind, arguments in STEPS if kind == "COPY" for name in arguments.split()[:-1]]
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_both_install_what_is_locked_and_nothing_else() -> None:
    for text in (CONTAINER, UNIT):
        (others, ours) = re.findall(r"pip install (?:-q |--no-cache-dir )?(.*)$", text, re.MULTILINE)
        assert others == "--require-hashes --no-deps --no-build-isolation -r locks/run.txt"
        assert ours == "--no-index --no-deps --no-build-isolation ."


@pytest.mark.parametrize("text", [CONTAINER, UNIT], ids=["container", "unit"])
def test_their_commands_exist(text: str) -> None:
    program: Any = typer.main.get_command(app)
    shown = "\n".join(re.findall(r"^(?:#   .*|ExecStart=.*)$", text, re.MULTILINE))
    named = set(re.findall(r"(?<![\w.-])exchange (?=([a-z]+))", shown)) - {"exchange"}
    assert named >= {"init"}
    assert named - program.commands.keys() == set()
