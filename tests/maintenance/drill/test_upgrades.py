"""Honest upgrades reopen: what a build has more to say leaves every byte as it was, as long as nobody has used it."""

import ast
from typing import Final

import pytest

from exchange.core.digest import digest
from exchange.journal.verify import verify
from exchange.maintenance.drill.faults import Fault
from exchange.maintenance.drill.harm import Case, HarmFailed
from exchange.maintenance.drill.messages import Job
from exchange.maintenance.drill.morning import FULL_US, MIN_ACCOUNTS
from exchange.maintenance.drill.run import Drill, Verdict
from exchange.maintenance.drill.stage import DrillClock, started
from tests.recipe.steps import EDITS, add_files, edit

#: What is written down is defined in these files, below `exchange/`.
WRITTEN: Final = (
    "values/record.py",
    "values/*/commands.py",
    "values/*/events.py",
    "values/*/specs.py",
    "values/*/settings.py",
    "values/*/plan.py",
    "values/*/certificate.py",
    "values/*/admins.py",
    "core/*/image.py",
    "journal/*.py",
    "maintenance/evidence/*.py",
)
_STRUCTS: Final = {"Command", "Event", "Image", "Part", "msgspec.Struct"}
#: Written, but put together by hand out of what is no object of the state.
_BY_HAND: Final = {"EndedImage"}
FIELD: Final = "grown"
HOUR_US: Final = 3_600_000_000


def _grow_struct(struct: ast.ClassDef) -> None:
    struct.body += ast.parse(f"{FIELD}: int = 0").body


def _grow_held(held: ast.ClassDef) -> None:
    """A further attribute, and parameter, that is 0 until somebody uses it."""
    for node in held.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="__slots__")], value=ast.Tuple(elts=slots)):
                slots.append(ast.Constant(FIELD))
            case ast.FunctionDef(name="__init__"):
                node.args.args.append(ast.arg(FIELD, ast.Name("int")))
                node.args.defaults.append(ast.Constant(0))
                node.body += ast.parse(f"self.{FIELD} = {FIELD}").body


def grow_all(case: Case) -> None:
    """The next build has a new field, with a default, in everything that is written, and in the state behind it."""
    source = case.source / "exchange"
    written = {path for pattern in WRITTEN for path in source.glob(pattern)}
    core = set((source / "core").rglob("*.py"))
    trees = {path: ast.parse(path.read_text()) for path in written | core}
    kinds = [(path, node) for path, tree in trees.items() for node in tree.body if isinstance(node, ast.ClassDef)]
    grown = [
        node
        for path, node in kinds
        if path in written and node.name not in _BY_HAND and any(ast.unparse(base) in _STRUCTS for base in node.bases)
    ]
    # An order is what an `OrderImage` is of; what is of the venue as a whole is all of its state.
    held = {"State", *(node.name.removesuffix("Image") for node in grown if node.name.endswith("Image"))}
    behind = [node for path, node in kinds if path in core and node.name in held]
    if len(grown) < 150 or len(behind) < 9:
        raise HarmFailed(f"only {len(grown)} and {len(behind)} kinds have grown: they are defined elsewhere")
    for node in grown:
        _grow_struct(node)
    for node in behind:
        _grow_held(node)
    for path, tree in trees.items():
        path.write_text(ast.unparse(ast.fix_missing_locations(tree)))


def new_subject(case: Case) -> None:
    """The next build has commands, events and a state field of a subject that this one doesn't know."""
    add_files(case.source)
    edit(case.source, [each for each in EDITS if each.path.startswith("exchange/")])


EVERYTHING: Final = Fault("a new field in everything that is written", "upgrade", grow_all, "")
SUBJECT: Final = Fault("a new subject", "upgrade", new_subject, "")
UPGRADES: Final = (EVERYTHING, SUBJECT)


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Drill:
    return Drill(tmp_path_factory.mktemp("upgrades") / "here", keep=True)


@pytest.fixture(scope="module")
def verdicts(drill: Drill) -> dict[str, Verdict]:
    found = drill.run(MIN_ACCOUNTS + 10, 100, UPGRADES, lambda what, done, total: None)
    return {verdict.fault: verdict for verdict in found}


@pytest.mark.parametrize("upgrade", UPGRADES, ids=lambda upgrade: upgrade.name)
def test_an_honest_upgrade_reopens(verdicts: dict[str, Verdict], upgrade: Fault) -> None:
    verdict = verdicts[upgrade.name]
    assert verdict.problem == ""
    assert verdict.modes == ("POST_ONLY", "FULL")


@pytest.mark.parametrize("upgrade", UPGRADES, ids=lambda upgrade: upgrade.name)
async def test_the_build_before_goes_on_with_what_it_left_as_long_as_nothing_new_was_used(
    drill: Drill, verdicts: dict[str, Verdict], upgrade: Fault
) -> None:
    left = drill.case_folder(1 + UPGRADES.index(upgrade))
    data, witness = left / "data", left / "witness"
    assert not verdicts[upgrade.name].problem
    for path in data.rglob("*"):
        assert path.is_dir() or FIELD.encode() not in path.read_bytes(), path
    async with started(Job(task="reopen", data=str(data), witness=str(witness)), DrillClock(FULL_US + HOUR_US)) as life:
        after = digest(life.state)
    report = verify(data, witness_dir=witness, from_genesis=True)
    assert report.ok, report.text()
    assert report.digest == after
