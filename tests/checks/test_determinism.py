"""What `values`, `rules` and `core` may not do, so that the same commands give the same events anywhere.

No clock, chance, environment, concurrency, network, files or logs: these packages import only what
is listed here. No floats, no true division, no built-in `hash` or `id`, no iteration over a set.
"""

import ast
from collections.abc import Iterator

import pytest

from tests.checks.test_layers import DETERMINISTIC, imports, module_name, sources

PURE_MODULES = {
    "bisect",
    "collections",
    "collections.abc",
    "enum",
    "functools",
    "hashlib",
    "heapq",
    "itertools",
    "msgspec",
    "operator",
    "re",
    "sortedcontainers",
    "types",
    "typing",
}
BANNED_CALLS = {"__import__", "eval", "exec", "float", "globals", "hash", "id", "input", "locals", "open", "print"}
SET_MAKERS = {"set", "frozenset"}
#: What goes through every element of its argument in the argument's own order.
WALKERS = {"dict", "enumerate", "filter", "iter", "list", "map", "next", "reversed", "tuple", "zip", "join"}

PATHS = sources(*(f"exchange/{package}" for package in DETERMINISTIC))
TREES = {module_name(path): ast.parse(path.read_text()) for path in PATHS}


def called(node: ast.AST) -> str:
    """The last name of what is called: `join` of `",".join(x)`, `set` of `set(x)`."""
    match node:
        case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)):
            return name
    return ""


def set_names(trees: Iterator[ast.AST]) -> set[str]:
    """Names annotated as a set anywhere in the deterministic packages."""
    names = set()
    for tree in trees:
        for node in ast.walk(tree):
            match node:
                case (
                    ast.AnnAssign(
                        target=ast.Name(id=name) | ast.Attribute(attr=name),
                        annotation=ast.Subscript(value=ast.Name(id=kind)),
                    )
                    | ast.arg(arg=name, annotation=ast.Subscript(value=ast.Name(id=kind)))
                ) if kind.lower() in SET_MAKERS:
                    names.add(name)
    return names


def is_set(node: ast.AST, names: set[str]) -> bool:
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in names
        case ast.BinOp(left=left, right=right, op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor()):
            return is_set(left, names) or is_set(right, names)
    return called(node) in SET_MAKERS


def faults(tree: ast.AST, names: set[str]) -> list[str]:
    found = [f"{line}: imports {name}" for line, name in imports(tree) if not pure(name)]
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=float()):
                found.append(f"{node.lineno}: a float")
            case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
                found.append(f"{node.lineno}: true division")
            case ast.Call(func=ast.Name(id=name)) if name in BANNED_CALLS:
                found.append(f"{node.lineno}: calls {name}")
            case ast.For(iter=walked) | ast.comprehension(iter=walked) | ast.Starred(value=walked):
                if is_set(walked, names):
                    found.append(f"{walked.lineno}: walks a set")
        if called(node) in WALKERS and isinstance(node, ast.Call) and any(is_set(arg, names) for arg in node.args):
            found.append(f"{node.lineno}: walks a set")
    return found


def pure(name: str) -> bool:
    return name in PURE_MODULES or name.rpartition(".")[0] in PURE_MODULES or name.split(".")[0] == "exchange"


@pytest.mark.parametrize("module", TREES)
def test_a_deterministic_module_keeps_the_contract(module: str) -> None:
    assert faults(TREES[module], set_names(iter(TREES.values()))) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "from random import choice",
        "import os.path",
        "from datetime import datetime",
        "import asyncio",
        "import logging",
        "x = 0.5",
        "x = a / b",
        "x /= b",
        "x = hash(key)",
        "x = id(order)",
        "open('f')",
        "for x in {1, 2}: pass",
        "y = [x for x in set(rows)]",
        "y = list(frozenset(rows))",
        "y = ','.join({'a', 'b'})",
        "rows: set[int] = set()\nfor x in rows: pass",
        "class S:\n    rules: set[str]\ny = tuple(state.rules)",
    ],
)
def test_the_check_sees(source: str) -> None:
    tree = ast.parse(source)
    assert faults(tree, set_names(iter([tree])))


@pytest.mark.parametrize(
    "source", ["x = a // b", "y = sorted(set(rows))", "x in {1, 2}", "from exchange.rules import x"]
)
def test_the_check_lets_pass(source: str) -> None:
    tree = ast.parse(source)
    assert not faults(tree, set_names(iter([tree])))
