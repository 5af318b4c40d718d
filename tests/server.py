"""A really running exchange for tests: a process of its own on free ports, with funded accounts.

`stop`, `kill` and `restart` are what a person and a power cut do to it.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

READY_WITHIN_S = 60.0
#: So long after a start that isn't the first an exchange takes no change that was signed by hand just then.
TAKES_CHANGES_AFTER_S = 1.0
STOPPED_WITHIN_S = 20.0


class Account(NamedTuple):
    """What a client needs to trade: base64 of the public key and of the seed."""

    name: str
    api_key: str
    api_secret: str


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """An exchange over the data folder `data`; `settings` are more EXCHANGE_... variables."""

    def __init__(self, data: Path, settings: Mapping[str, str] | None = None, bots: bool = False) -> None:
        self.data = data
        self.bots = bots
        self.http_port, self.ws_port, self.ops_port = free_port(), free_port(), free_port()
        self.http_url = f"http://127.0.0.1:{self.http_port}"
        self.ops_url = f"http://127.0.0.1:{self.ops_port}"
        self.ws_url = f"ws://127.0.0.1:{self.ws_port}"
        self.log = data.with_name(data.name + ".log")
        self.settings = dict(settings or {})
        #: The program, before its command and options.
        self.program = [sys.executable, "-m", "exchange.cli"]
        self.process: subprocess.Popen[bytes] | None = None
        self._answered_at_s = 0.0

    def environment(self) -> dict[str, str]:
        """Of its process: nothing of the exchange's own but what is set here."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("EXCHANGE_")}
        return clean | {
            "EXCHANGE_DATA": str(self.data),
            "EXCHANGE_HTTP_PORT": str(self.http_port),
            "EXCHANGE_WS_PORT": str(self.ws_port),
            "EXCHANGE_OPS_PORT": str(self.ops_port),
            "EXCHANGE_LOG_FORMAT": "json",
            **self.settings,
        }

    def start(self) -> None:
        """Start it and wait until it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.program, "demo", "--bots" if self.bots else "--no-bots"],
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + READY_WITHIN_S
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"the exchange did not start:\n{self.log_tail()}")
            time.sleep(0.05)
        self._answered_at_s = time.monotonic()

    def settling_s(self) -> float:
        """How long to wait after a restart before signing changes, for clients that don't by themselves."""
        return max(0.0, self._answered_at_s + TAKES_CHANGES_AFTER_S - time.monotonic())

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.http_url}/api/v1/ping", timeout=1) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def stop(self, with_signal: int = signal.SIGTERM) -> int:
        """End it in order; its exit code."""
        assert self.process is not None
        self.process.send_signal(with_signal)
        try:
            return self.process.wait(STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"the exchange did not stop:\n{self.log_tail()}") from None

    def kill(self) -> None:
        """SIGKILL to the core process alone: its children must notice."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        """Stop it in order if it runs, and start it again."""
        if self.process is not None and self.process.poll() is None:
            assert self.stop() == 0, self.log_tail()
        self.start()

    @property
    def accounts(self) -> dict[str, Account]:
        """The funded accounts by name: alice, bob, carol, dave, and the bots' own."""
        rows = json.loads((self.data / "demo-accounts.json").read_text())
        return {row["name"]: Account(row["name"], row["apiKey"], row["apiSecret"]) for row in rows}

    @property
    def admin_key(self) -> Path:
        return self.data / "keys" / "admin.json"

    def log_tail(self) -> str:
        return self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""
