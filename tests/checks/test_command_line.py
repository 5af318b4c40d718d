"""What an admin may ask for can be asked from the command line."""

import ast
from typing import get_args

from exchange.values.commands import AdminCommand
from tests.checks.test_layers import ROOT


def test_every_command_of_an_admin_has_its_line() -> None:
    trees = [ast.parse(path.read_text()) for path in (ROOT / "exchange" / "cli").glob("admin*.py")]
    made = {
        node.func.id
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert {kind.__name__ for kind in get_args(AdminCommand)} - made == set()
