"""Which package may import which, and what the deterministic ones may not touch."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: The source folders of what is installed, each of which has a pyproject.toml.
DISTRIBUTIONS = (ROOT, ROOT / "clients" / "python", ROOT / "clients" / "bots")
#: A package imports itself and packages of a lower rank; siblings, which share one, never each other.
RANK = {
    "values": 0,
    "rules": 1,
    "core": 2,
    "journal": 3,
    "runtime": 4,
    "maintenance": 5,
    "custody": 5,
    "gateway": 6,
    "cli": 7,
}
#: The gateway sees untrusted bytes and the vocabulary; of the runtime, only the port.
GATEWAY_SEES = ("exchange.values", "exchange.runtime.port", "exchange.gateway")
DETERMINISTIC = ("values", "rules", "core")


def sources(*packages: str) -> list[Path]:
    return [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]


def module_name(path: Path) -> str:
    root = max((root for root in DISTRIBUTIONS if path.is_relative_to(root)), key=lambda root: len(root.parts))
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.AST) -> list[tuple[int, str]]:
    """Every module a file names in an import, with its line; `from a import b` gives `a` and `a.b`."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute here"
            found.append((node.lineno, node.module or ""))
            found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
    return found


def layer_faults(module: str, tree: ast.AST) -> list[str]:
    """The imports of `module` that break the order."""
    _, layer, *_ = [*module.split("."), "cli"]
    faults = []
    for line, name in imports(tree):
        if not name.startswith("exchange."):
            continue
        target = name.split(".")[1]
        if layer == "gateway" and target != "gateway":
            allowed = any(name == seen or name.startswith(seen + ".") for seen in GATEWAY_SEES) or name in (
                "exchange.runtime",
                "exchange.values",
            )
        else:
            allowed = target == layer or RANK[target] < RANK[layer]
        if not allowed:
            faults.append(f"{module}:{line} imports {name}")
    return faults


@pytest.mark.parametrize("path", sources("exchange"), ids=module_name)
def test_a_package_imports_only_what_is_to_its_left(path: Path) -> None:
    assert layer_faults(module_name(path), ast.parse(path.read_text())) == []


@pytest.mark.parametrize("path", sources("clients"), ids=module_name)
def test_clients_import_nothing_from_the_exchange(path: Path) -> None:
    assert [name for _, name in imports(ast.parse(path.read_text())) if name.split(".")[0] == "exchange"] == []


@pytest.mark.parametrize("path", sources("exchange/core"), ids=module_name)
def test_what_applies_events_knows_no_rule(path: Path) -> None:
    if "evolve" in module_name(path):
        assert [name for _, name in imports(ast.parse(path.read_text())) if name.startswith("exchange.rules")] == []


def test_the_layer_check_sees_a_wrong_import() -> None:
    assert layer_faults("exchange.rules.x", ast.parse("from exchange.core import State"))
    assert layer_faults("exchange.gateway.x", ast.parse("from exchange.runtime import venue"))
    assert layer_faults("exchange.gateway.x", ast.parse("import exchange.runtime.venue"))
    assert layer_faults("exchange.gateway.x", ast.parse("from exchange.core import State"))
    assert layer_faults("exchange.custody.x", ast.parse("from exchange.maintenance import gates"))
    assert layer_faults("exchange.gateway.x", ast.parse("from exchange.maintenance import gates"))
    assert not layer_faults("exchange.gateway.x", ast.parse("from exchange.runtime.port import Exchange"))
    assert not layer_faults("exchange.core.x", ast.parse("from exchange.rules import modes"))
