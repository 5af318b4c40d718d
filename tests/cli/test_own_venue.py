"""What the README shows of running it oneself, pasted line by line."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.checks.test_layers import ROOT
from tests.server import free_port

SECTION = (ROOT / "README.md").read_text().partition("## Running it yourself\n")[2]
FOUND, OPEN, OPEN_AGAIN = (
    [line for line in block.splitlines() if line] for block in re.findall(r"```sh\n(.*?)```", SECTION, re.DOTALL)[:3]
)


class Person:
    """Somebody in a folder of their own with a shell, and another terminal in which the exchange runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        names = ("HTTP_PORT", "WS_PORT", "OPS_PORT")
        clean = {name: value for name, value in os.environ.items() if not name.startswith("EXCHANGE_")}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = clean | {"PATH": path} | {f"EXCHANGE_{name}": str(free_port()) for name in names}
        self.url = f"http://127.0.0.1:{self.environment['EXCHANGE_HTTP_PORT']}"
        self.exchange: subprocess.Popen[bytes] | None = None
        self.account = ""

    def paste(self, line: str) -> str:
        if line.startswith("exchange serve"):
            command = ["exchange", "serve"]
            self.exchange = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
            )
            self.until(lambda: "OFFLINE" in self.status())
            return ""
        line = line.replace("ACCOUNT", self.account)
        done = subprocess.run(
            ["bash", "-c", line], cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=30
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        if (opened := re.search(r'"AccountOpened","account":(\d+)', done.stderr)) is not None:
            self.account = opened[1]
        return done.stdout + done.stderr

    def status(self) -> str:
        try:
            return httpx.get(f"{self.url}/api/v1/status").text
        except httpx.HTTPError:
            return ""

    def until(self, told: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not told():
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def end(self) -> None:
        if self.exchange is not None:
            self.exchange.terminate()
            self.exchange.wait(20)


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    one = Person(tmp_path)
    yield one
    one.end()


def test_a_venue_is_founded_opened_and_funded(person: Person) -> None:
    for line in (*FOUND, *OPEN):
        person.paste(line)
    assert "incident-1-" in person.paste("exchange incident report --from -1h")
    assert httpx.get(f"{person.url}/api/v1/status").json()["status"] == "Ok"


def test_one_that_was_funded_before_it_opened_is_opened_on_evidence(person: Person) -> None:
    for line in (*FOUND, *(line for line in OPEN if " mode " not in line), *OPEN_AGAIN):
        shown = person.paste(line)
        while " window list" in line and "approvals" not in shown:
            shown = person.paste(line)
    assert httpx.get(f"{person.url}/api/v1/status").json()["status"] == "Ok"
