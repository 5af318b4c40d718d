"""The table says what its figures were measured on."""

import sysconfig
from io import StringIO

import pytest
from rich.console import Console

from tests.bench.report import show


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"CONFIG_ARGS": "'--prefix=/usr' '--enable-optimizations'", "Py_DEBUG": 0}, ""),
        ({"CONFIG_ARGS": "'--prefix=/usr'", "Py_DEBUG": 0}, "This Python was built without --enable-optimizations"),
        ({"CONFIG_ARGS": "'--enable-optimizations'", "Py_DEBUG": 1}, "This Python was built for debugging"),
        ({"CONFIG_ARGS": None, "Py_DEBUG": None}, ""),
    ],
)
def test_a_slow_interpreter_is_named(variables: dict[str, object], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysconfig, "get_config_var", variables.get)
    shown = StringIO()
    show([], 1.0, Console(file=shown, width=200))
    assert said in shown.getvalue()
    assert ("This Python was" in shown.getvalue()) is bool(said)
