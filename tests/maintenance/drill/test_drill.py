"""The drill catches every fault of its catalogue, and is not easily pleased."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from exchange.cli import app
from exchange.cli.exits import Exit
from exchange.maintenance.drill import harm
from exchange.maintenance.drill.faults import CONTROL, FAULTS, Fault
from exchange.maintenance.drill.morning import MIN_ACCOUNTS
from exchange.maintenance.drill.run import Drill, Verdict
from tests.checks.test_documents import rows

#: Faults of the drill itself: none may count as caught.
HARMLESS = Fault("harmless", "build", lambda case: None, "gate: folds")
OUTDATED = Fault("outdated", "build", harm.patch("core/machine.py", "no such line", ""), "gate: folds")
BROKEN = Fault("broken", "build", harm.patch("core/machine.py", "def fold(", "def folded("), "gate: folds")
UNNAMED = Fault("unnamed", "files", harm.deleted_fills, "gate: history", ("account $bystander: 1 fills",))
BY_ANOTHER = Fault("by another", "files", harm.deleted_fills, "gate: folds")
UNFIT = (HARMLESS, OUTDATED, BROKEN, UNNAMED, BY_ANOTHER)


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Verdict]:
    drill = Drill(tmp_path_factory.mktemp("drill") / "here")
    found = drill.run(MIN_ACCOUNTS + 10, 100, [*FAULTS, *UNFIT], lambda what, done, total: None)
    return {verdict.fault: verdict for verdict in found}


def test_without_a_fault_it_reopens(verdicts: dict[str, Verdict]) -> None:
    verdict = verdicts[CONTROL.name]
    assert verdict.problem == ""
    assert verdict.modes == ("POST_ONLY", "FULL")
    assert verdict.taker_trades == 1


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_caught_before_any_taker_trade(verdicts: dict[str, Verdict], fault: Fault) -> None:
    verdict = verdicts[fault.name]
    assert verdict.problem == ""
    assert fault.guard in verdict.caught_by
    assert verdict.taker_trades == 0
    assert len(verdict.named) == len(fault.names)


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        (HARMLESS, "taker trades before it was caught"),
        (OUTDATED, "the patch does not fit"),
        (BROKEN, "the stage ended with 1: .*cannot import name 'fold'"),
        (UNNAMED, "not named: account .* 1 fills"),
        (BY_ANOTHER, "caught by gate: history, .*, not by gate: folds"),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else "",
)
def test_a_fault_that_passes_fails_the_drill(verdicts: dict[str, Verdict], fault: Fault, problem: str) -> None:
    assert re.search(problem, verdicts[fault.name].problem, re.DOTALL)


def test_the_command_says_what_became_of_it(tmp_path: Path) -> None:
    arguments = ["drill", "july3", "--accounts", str(MIN_ACCOUNTS), "--trades", "20", "--only", "witness is gone"]
    ended = CliRunner().invoke(app, [*arguments, "--json", "--keep", str(tmp_path / "kept")])
    assert ended.exit_code == Exit.OK, ended.output
    control, gone = json.loads(ended.stdout)
    assert control["fault"] == CONTROL.name
    assert gone["caught_by"][0] == "start: WitnessMissing"
    assert (tmp_path / "kept" / "case-1" / "data" / "journal.sqlite").exists()
    assert CliRunner().invoke(app, [*arguments, "--keep", str(tmp_path / "kept")]).exit_code == Exit.USAGE


def test_a_fault_nobody_knows_is_no_drill() -> None:
    assert CliRunner().invoke(app, ["drill", "july3", "--only", "no such fault"]).exit_code == Exit.USAGE


def test_the_catalogue_is_the_one_in_the_readme() -> None:
    assert rows("fault") == [
        [fault.name, fault.guard, "<br>".join(f"`{name}`" for name in fault.names)] for fault in FAULTS
    ]
