"""What the log says of an error, and what it never does."""

import json
import re
import sys
from pathlib import Path

import httpx
import pytest

from exchange_client.signing import Keypair, signing_text
from tests.server import Server

#: How long an event loop may stand still here, and how long it does at each of these bugs.
LOOP_BLOCKED_S = 0.3
STANDS_S = 0.9
#: The exchange, with a bug in an operation behind the signature check: it stops the event loop, and its message quotes
#: what it must not.
WITH_A_BUG = f"""
import sys, time
from exchange.gateway.money import wire

def broken(balances, decimals):
    frame = sys._getframe()
    while "credentials" not in frame.f_locals:
        frame = frame.f_back
    told = frame.f_locals["credentials"]
    time.sleep({STANDS_S})
    raise RuntimeError(f"a bug: {{told.api_key}} {{told.signature}} {{told}}")

wire.balances_to_wire = broken
from exchange.cli import app
app()
"""


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_line_of_the_log_holds_what_a_request_was_signed_with(tmp_path: Path, form: str) -> None:
    settings = {"EXCHANGE_LOG_FORMAT": form, "EXCHANGE_LOG_LEVEL": "debug"}
    server = Server(tmp_path / "data", settings | {"EXCHANGE_BOUNDS__LOOP_BLOCKED_S": str(LOOP_BLOCKED_S)})
    server.program = [sys.executable, "-c", WITH_A_BUG]
    server.start()
    try:
        alice = server.accounts["alice"]
        headers = signed(Keypair(alice.api_secret))
        answer = httpx.get(f"{server.http_url}/api/v1/capital", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (500, "SERVER_ERROR")
        assert httpx.get(f"{server.http_url}/api/v1/capital", headers=headers).status_code == 500
        forged = headers | {"X-Signature": headers["X-Signature"][::-1]}
        assert httpx.get(f"{server.http_url}/api/v1/capital", headers=forged).status_code == 401
    finally:
        assert server.stop() == 0
    log = server.log.read_text()
    assert answer.json()["message"].split()[-1] in log, "the error is found by its id"
    assert "RuntimeError" in log
    assert "in broken" in log or '"name": "broken"' in log, "and where it was"
    assert log.count("event_loop_blocked") >= 2, "it was said each time, in this form too"
    assert "event_loop_turns_again" in log
    assert re.search(r"<string>:\d+ broken", log), "and where"
    held = (*headers.values(), alice.api_secret)
    for secret in (part for value in held for part in (value, value[:20], value[-20:]) if part != "5000"):
        assert secret not in log
    if form == "json":
        for line in log.splitlines():
            if line.startswith("{"):
                json.loads(line)


def signed(keypair: Keypair) -> dict[str, str]:
    timestamp_ms = keypair.timestamp_ms()
    return {
        "X-API-Key": keypair.public_key,
        "X-Timestamp": str(timestamp_ms),
        "X-Window": "5000",
        "X-Signature": keypair.sign(signing_text("balanceQuery", [{}], timestamp_ms)),
    }
