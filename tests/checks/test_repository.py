"""The repository itself: nothing of one machine, nothing dead, nothing too long to read."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from tests.checks.test_layers import ROOT, imports, module_name, sources

MAX_LINES = 400
#: What a person or a program starts by name, so nothing imports it.
ENTRY_POINTS = re.compile(r"exchange\.cli|.*\.__main__")
#: What releases have left behind: played by the drill, with nobody's data.
FROZEN = ROOT / "tests" / "frozen"
#: Absolute paths of somebody's machine, and addresses of package indexes.
FOREIGN = re.compile(
    rb"(?<![\w.])/(?:work|root|home/\w+|Users/\w+)/|/tmp/[a-z]\w+|--(?:extra-)?index-url|--find-links|pypi\.org/simple"
)


def tracked() -> list[Path]:
    """What git would keep: tracked files, and new ones it doesn't ignore."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True
    )
    if listing.returncode:
        pytest.skip("not a git checkout")
    return [path for name in listing.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()]


def test_no_file_names_a_machine_or_a_package_index() -> None:
    this = Path(__file__)
    assert [path.name for path in tracked() if path != this and FOREIGN.search(path.read_bytes())] == []


def test_secrets_and_data_stay_out() -> None:
    kept = {str(path.relative_to(ROOT)) for path in tracked()}
    assert not [name for name in kept if "/keys/" in name]
    mine = {name for name in kept if not (ROOT / name).is_relative_to(FROZEN)}
    assert [name for name in mine if re.search(r"\.sqlite|\.segment|demo-accounts|(^|/)keys/|\.pem$", name)] == []


@pytest.mark.parametrize("path", sources("exchange", "clients"), ids=module_name)
def test_a_file_can_be_read_in_one_go(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES


def test_every_module_is_used() -> None:
    modules = {module_name(path): path for path in sources("exchange", "clients")}
    used = set()
    for path in sources("exchange", "clients"):
        tree = ast.parse(path.read_text())
        used |= {name for _, name in imports(tree)}
        # A process is started by the name of its module.
        used |= {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and node.value in modules}
    packages = {module_name(path) for path in modules.values() if path.name == "__init__.py"}
    dead = {name for name in modules if name not in used | packages and not ENTRY_POINTS.fullmatch(name)}
    # The SDK is for others to import, its package names what it offers; a proof is checked by running a file.
    assert {name for name in dead if not name.startswith("exchange_client")} == {
        "verify_proof",
    }
