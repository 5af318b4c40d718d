"""A build of the exchange that differs from this one by a field in some of its structs."""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
FIELD: Final = "of_the_next_build"
#: The field with a default, as a build adds it.
UNUSED: Final = f"{FIELD}: int = 0"
#: The same where everything written uses it: what a factory gives is never left out.
USED: Final = f"{FIELD}: int = msgspec.field(default_factory=lambda: 7)"


def patched_build(folder: Path, structs: Mapping[str, Iterable[str]], field: str) -> Path:
    """Copy the package into a folder, with `field` at the end of `structs`: their names by the file they are in."""
    shutil.copytree(ROOT / "exchange", folder / "exchange", ignore=shutil.ignore_patterns("__pycache__"))
    for name, wanted in structs.items():
        path = folder / "exchange" / name
        source = path.read_text()
        lines = source.splitlines()
        found = {node.name: node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)}
        ends = (max(n.end_lineno or 0 for n in found[one].body if isinstance(n, ast.AnnAssign)) for one in wanted)
        for end in sorted(ends, reverse=True):
            lines.insert(end, "    " + field)
        path.write_text("\n".join(lines) + "\n")
    return folder


def run(build: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m ...` of a build; `ROOT` is this one."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=build,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
