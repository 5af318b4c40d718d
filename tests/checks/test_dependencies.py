"""What is imported is declared, what is declared is used, and the locks hold all of it."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.checks.test_layers import DISTRIBUTIONS, ROOT, imports, sources

PROJECTS: Final[dict[str, dict[str, Any]]] = {
    project["project"]["name"]: project
    for project in (tomllib.loads((folder / "pyproject.toml").read_text()) for folder in DISTRIBUTIONS)
}
GROUPS: Final[dict[str, list[str]]] = PROJECTS["exchange"]["dependency-groups"]
SOURCES: Final = {
    "exchange": sources("exchange"),
    "exchange-client": sources("clients/python"),
    "exchange-bots": sources("clients/bots"),
}
#: Modules of our own, and where they are from.
OURS: Final = {
    "exchange": "exchange",
    "exchange_bots": "exchange-bots",
    "exchange_client": "exchange-client",
    "verify_proof": "exchange-client",
    "docs": "",
    "tests": "",
}
#: Declared and nowhere imported, and who needs it.
UNIMPORTED: Final = {
    "editables": "hatchling, to install what is here as it is here",
    "hatch-mypyc": "make compiled",
    "hatchling": "every pyproject.toml",
    "httptools": "uvicorn's HTTP protocol, which ours is made of",
    "libfaketime": "found by name, and loaded into a process",
    "mypy": "make test",
    "pytest-timeout": "pytest",
    "pytest-xdist": "pytest",
    "ruff": "make test",
    "sortedcontainers-stubs": "mypy",
    "setuptools": "what is built where it is installed",
}
#: Imported by tests that are skipped without it, in an environment of its own or installed by hand.
APART: Final = {"bpx", "freqtrade", "pandas"}


def declared(*lines: str) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in lines}


def imported(paths: Iterable[Path]) -> set[str]:
    """The distributions that others' modules are from, by the names they are declared under."""
    found = set()
    for path in paths:
        found |= {name.split(".")[0] for _, name in imports(ast.parse(path.read_text()))}
    return {name for module in found - sys.stdlib_module_names - APART for name in distributions_of(module)}


_INSTALLED: Final = packages_distributions()


def distributions_of(module: str) -> list[str]:
    """One for all but namespaces; what is not installed here is taken to be named as its module is."""
    if module in OURS:
        return [OURS[module]] if OURS[module] else []
    return sorted({canonicalize_name(name) for name in _INSTALLED.get(module, [module])})


@pytest.mark.parametrize("name", PROJECTS)
def test_each_package_declares_what_it_imports_and_nothing_else(name: str) -> None:
    needs = declared(*PROJECTS[name]["project"]["dependencies"])
    uses = imported(SOURCES[name]) - {name}
    assert uses - needs == set(), "imported and not declared"
    assert needs - uses - UNIMPORTED.keys() == set(), "declared and not used"


def test_tests_declare_what_they_import_and_nothing_else() -> None:
    ours = {line for project in PROJECTS.values() for line in project["project"]["dependencies"]}
    needs = declared(*ours, *(line for group in GROUPS.values() for line in group))
    uses = imported(sources("tests", "docs")) - PROJECTS.keys()
    assert uses - needs == set(), "imported and not declared"
    assert declared(*(line for group in GROUPS.values() for line in group)) - uses - UNIMPORTED.keys() == set()


def test_what_stands_in_the_table_is_declared_and_not_imported() -> None:
    everything = declared(
        *(line for project in PROJECTS.values() for line in project["project"]["dependencies"]),
        *(line for group in GROUPS.values() for line in group),
    )
    assert UNIMPORTED.keys() - everything == set()
    assert UNIMPORTED.keys() & imported(sources("exchange", "clients", "tests", "docs")) == set()


def test_our_packages_go_together() -> None:
    projects = [project["project"] for project in PROJECTS.values()]
    (version,) = {project["version"] for project in projects}
    assert len({project["requires-python"] for project in projects}) == 1
    assert f"exchange-client=={version}" in PROJECTS["exchange-bots"]["project"]["dependencies"]


# --- locks -------------------------------------------------------------------------------------------

LOCKS: Final = {path.stem: path.read_text() for path in sorted((ROOT / "locks").glob("*.txt"))}
_PIN: Final = re.compile(r"([a-z0-9-]+)==([^ ;]+)(?: ; ([^\\]+))? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)")


def pins(lock: str) -> dict[str, str]:
    return {match[1]: match[2] for match in _PIN.finditer(lock)}


def test_locks_hold_versions_and_hashes_and_nothing_else() -> None:
    for name, lock in LOCKS.items():
        rest = re.sub(r"(?m)^ *#.*\n", "", lock)
        assert _PIN.sub("", rest).strip() == "", name
        assert pins(lock).keys() & PROJECTS.keys() == set()


def test_locks_agree() -> None:
    for name, lock in LOCKS.items():
        for package, version in pins(lock).items():
            assert {pins(other).get(package, version) for other in LOCKS.values()} == {version}, (name, package)


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_has_all_that_is_declared(name: str) -> None:
    """`make lock` writes them anew."""
    lines = GROUPS["build"] + [line for project in PROJECTS.values() for line in project["project"]["dependencies"]]
    locked = pins(LOCKS[name])
    for requirement in map(Requirement, lines if name == "run" else GROUPS[name]):
        package = canonicalize_name(requirement.name)
        if package not in PROJECTS:
            assert package in locked, f"{package} is not in locks/{name}.txt"
            assert requirement.specifier.contains(locked[package]), f"{package} {locked[package]}"


def test_each_group_has_a_lock() -> None:
    assert LOCKS.keys() == (GROUPS.keys() - {"build"}) | {"run"}
