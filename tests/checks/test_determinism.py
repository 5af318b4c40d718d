"""What `values`, `rules` and `core` may not do, so that the same commands give the same events anywhere.

No clock, chance, environment, concurrency, network, files or logs: these packages import only what
is listed here. No floats, no true division, no built-in `hash` or `id`, no iteration over a set.
"""

import ast
from collections.abc import Iterable

import pytest

from tests.checks.test_layers import DETERMINISTIC, imports, module_name, sources

PURE_MODULES = {
    "binascii",
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
    "urllib.parse",
}
BANNED_CALLS = {"__import__", "eval", "exec", "float", "globals", "hash", "id", "input", "locals", "open", "print"}
#: A table of fields writes its code out of their names, once, at its import.
ALLOWED_CALLS = {"exchange.core.images": ["exec"]}
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


def annotated_sets(nodes: Iterable[ast.AST]) -> set[str]:
    """Names and attributes among `nodes` that are annotated as a set."""
    names = set()
    for node in nodes:
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


def set_attributes(trees: Iterable[ast.AST]) -> set[str]:
    """Attributes that are a set in some class."""
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    bodies = [node for each in classes for node in each.body]
    on_self = [
        node for each in classes for node in ast.walk(each) if isinstance(getattr(node, "target", 0), ast.Attribute)
    ]
    return annotated_sets([*bodies, *on_self])


def is_set(node: ast.AST, names: set[str], attributes: set[str]) -> bool:
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Name(id=name):
            return name in names
        case ast.Attribute(attr=name):
            return name in attributes
        case ast.BinOp(left=left, right=right, op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor()):
            return is_set(left, names, attributes) or is_set(right, names, attributes)
    return called(node) in SET_MAKERS


def walked_sets(scope: ast.AST, attributes: set[str]) -> list[str]:
    """Where the code of one function, or of a module, goes through a set."""
    names = annotated_sets(ast.walk(scope))
    found = []
    for node in ast.walk(scope):
        walked: list[ast.expr] = []
        match node:
            case ast.For(iter=each) | ast.comprehension(iter=each) | ast.Starred(value=each):
                walked = [each]
            case ast.Call(args=arguments) if called(node) in WALKERS:
                walked = arguments
        found += [f"{each.lineno}: walks a set" for each in walked if is_set(each, names, attributes)]
    return found


def faults(tree: ast.Module, attributes: set[str]) -> list[str]:
    found = [f"{line}: imports {name}" for line, name in imports(tree) if not pure(name)]
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=float()):
                found.append(f"{node.lineno}: a float")
            case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
                found.append(f"{node.lineno}: true division")
            case ast.Call(func=ast.Name(id=name)) if name in BANNED_CALLS:
                found.append(f"{node.lineno}: calls {name}")
            case ast.FunctionDef():
                found += walked_sets(node, attributes)
    top = ast.Module([node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef)], [])
    return found + walked_sets(top, attributes)


def pure(name: str) -> bool:
    return name in PURE_MODULES or name.rpartition(".")[0] in PURE_MODULES or name.split(".")[0] == "exchange"


@pytest.mark.parametrize("module", TREES)
def test_a_deterministic_module_keeps_the_contract(module: str) -> None:
    allowed = [f"calls {name}" for name in ALLOWED_CALLS.get(module, ())]
    found = faults(TREES[module], set_attributes(TREES.values()))
    assert [fault.partition(": ")[2] for fault in found] == allowed, found


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
        "def f(rows: frozenset[int]):\n    return [x for x in rows]",
        "class S:\n    def __init__(self):\n        self.r: set[int] = set()\ny = min(*state.r)",
        "class S:\n    rules: set[str]\ny = tuple(state.rules)",
    ],
)
def test_the_check_sees(source: str) -> None:
    tree = ast.parse(source)
    assert faults(tree, set_attributes([tree]))


@pytest.mark.parametrize(
    "source", ["x = a // b", "y = sorted(set(rows))", "x in {1, 2}", "from exchange.rules import x"]
)
def test_the_check_lets_pass(source: str) -> None:
    tree = ast.parse(source)
    assert not faults(tree, set_attributes([tree]))
