"""What others install: a wheel each of the exchange, the client and the bots."""

import json
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Final

import pytest

from tests.checks.test_dependencies import PROJECTS
from tests.checks.test_layers import DISTRIBUTIONS
from tests.server import Server

MODULES: Final = {"exchange": "exchange", "exchange-client": "exchange_client", "exchange-bots": "exchange_bots"}
BOTS_WITHIN_S: Final = 30


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("wheels")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    for project in DISTRIBUTIONS:
        subprocess.run(build, cwd=project, check=True, capture_output=True)
    return sorted(folder.iterdir())


def test_a_wheel_holds_one_package_and_says_what_it_needs(wheels: list[Path]) -> None:
    assert len(wheels) == len(PROJECTS)
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
            lines = archive.read(metadata).decode().splitlines()
            (name,) = (line.partition(": ")[2] for line in lines if line.startswith("Name: "))
            assert {entry.split("/")[0] for entry in archive.namelist()} == {MODULES[name], metadata.split("/")[0]}
            assert len([line for line in lines if line.startswith("Requires-Dist: ")]) == len(
                PROJECTS[name]["project"]["dependencies"]
            )


def test_the_demo_and_its_bots_run_from_wheels(wheels: list[Path], tmp_path: Path) -> None:
    site = tmp_path / "site"
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
        "--no-compile",
        "--target",
        str(site),
    ]
    subprocess.run([*install, *map(str, wheels)], check=True)
    # Not from the folder of the tests, where the sources are.
    server = Server(tmp_path / "data", {"PYTHONPATH": str(site), "PYTHONSAFEPATH": "1"}, bots=True)
    code = f"import json; {'; '.join(f'import {name}' for name in MODULES.values())}; "
    code += f"print(json.dumps([{', '.join(f'{name}.__file__' for name in MODULES.values())}]))"
    found = subprocess.run([sys.executable, "-c", code], env=server.environment(), check=True, stdout=subprocess.PIPE)
    assert {Path(path).parent.parent for path in json.loads(found.stdout)} == {site}
    server.start()
    deadline = time.monotonic() + BOTS_WITHIN_S
    while "bots running" not in server.log_tail():
        assert time.monotonic() < deadline, server.log_tail()
        time.sleep(0.1)
    assert server.stop() == 0
