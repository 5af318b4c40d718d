"""Explaining beside a running exchange: the records' story, the history over REST and the proof agree."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from exchange.cli.exits import Exit
from exchange_client import ExchangeClient, ExchangeError, Keypair, limit
from tests.checks.test_layers import ROOT
from tests.server import Server
from verify_proof import verify

#: Two certificates, made by processes that make way for others.
CERTIFIED_WITHIN_S = 60.0


def exchange(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "exchange.cli", *arguments], capture_output=True, text=True, timeout=60
    )


def told(server: Server, *what: str) -> Any:
    ended = exchange("explain", *what, "--json", "--data", str(server.data))
    assert ended.returncode == Exit.OK, ended.stderr
    return json.loads(ended.stdout)


@pytest.fixture
def running(fresh_server: Callable[..., Server]) -> Server:
    return fresh_server()


async def test_stories_history_reports_and_proofs_of_a_running_exchange(running: Server, tmp_path: Path) -> None:
    alice, bob = (running.accounts[name] for name in ("alice", "bob"))
    async with (
        ExchangeClient(running.http_url, Keypair(alice.api_secret)) as buyer,
        ExchangeClient(running.http_url, Keypair(bob.api_secret)) as seller,
    ):
        price, quantity = Decimal("149.5"), Decimal("2")
        bought = await buyer.place(limit("SOL_USDC", "Bid", price, quantity))
        await seller.place(limit("SOL_USDC", "Ask", price, Decimal(1)))
        await buyer.cancel("SOL_USDC", order_id=bought.id)
        postings = [posting async for posting in buyer.every_posting()]
        [row] = await buyer.order_history(order_id=bought.id)

        story = told(running, "order", bought.id)
        assert [entry["command"] for entry in story["entries"]] == ["PlaceOrder", "PlaceOrder", "CancelOrder"]
        assert (row.ended_seq, row.ended_command) == (story["entries"][-1]["seq"], "CancelOrder")
        assert row.ended_by == story["entries"][-1]["actor"]
        account = story["entries"][0]["changes"][0]["account"]
        recorded = told(running, "account", str(account))
        changes = [(entry["seq"], change) for entry in recorded["entries"] for change in entry["changes"]]
        assert [(posting.seq, posting.bucket, posting.kind) for posting in postings] == [
            (seq, change["bucket"], change["kind"]) for seq, change in changes
        ]
        assert {posting.actor for posting in postings if posting.kind == "trade"} == {"another account"}

        too_early = await asyncio.to_thread(fetched, running, tmp_path)
        said = "There is no proof to be had: No certificate of that window is on record\n"
        assert (too_early.returncode, too_early.stderr) == (1, said)
        document = await certified(running, buyer)
        lines = verify(document, document["venue_keys"][-1]["public_key"])
        assert lines[-1] == "Nothing of your account differs between closing and opening."
        statement = json.loads(document["closing"]["statement"])
        assert statement["history"]["postings"]["count"] == len(postings)
    as_the_page_says(running, tmp_path, document["venue_keys"][-1]["public_key"])

    assert exchange("explain", "order", "999999999990", "--data", str(running.data)).returncode == Exit.USAGE
    reported = exchange("incident", "report", "--from", "2", "--data", str(running.data), "--out", str(tmp_path))
    assert reported.returncode == Exit.OK, reported.stderr
    markdown, as_json = (Path(line) for line in reported.stdout.split())
    report = json.loads(as_json.read_text())
    assert [issued["certificate"]["kind"] for issued in report["certificates"]] == ["closing", "opening"]
    assert report["modes"][-1]["mode"] == "OFFLINE"
    assert "BeginWindow by venue" in markdown.read_text()


def as_the_page_says(server: Server, folder: Path, venue_key: str) -> None:
    """What users are told to run to fetch and check their proof works as it stands there."""
    assert fetched(server, folder).returncode == 0
    verifier = str(ROOT / "clients" / "python" / "verify_proof.py")
    for key, code, said in ((venue_key, 0, "PROVED"), ("another", 1, "NOT PROVED")):
        command = [sys.executable, verifier, "proof.json", "--venue-key", key]
        checked = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
        assert checked.returncode == code, checked.stderr
        assert (checked.stdout + checked.stderr).splitlines()[-1].startswith(said)


def fetched(server: Server, folder: Path) -> subprocess.CompletedProcess[str]:
    """The page's program, run."""
    page = (ROOT / "docs" / "proof.md").read_text()
    program = page.split("```python\n")[1].split("```")[0]
    program = program.replace("http://127.0.0.1:8000", server.http_url)
    program = program.replace("data/demo-accounts.json", str(server.data / "demo-accounts.json"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


async def certified(server: Server, client: ExchangeClient) -> Any:
    """The client's proof over a window that has begun, once it is certified for closing and for opening."""
    planned = exchange(
        "admin", "--data", str(server.data), "--url", server.http_url,
        "window", "plan", "--offline-at", "+1s", "--post-only-at", "+1h", "--reason", "a test",
    )  # fmt: skip
    assert planned.returncode == Exit.OK, planned.stderr
    until = time.monotonic() + CERTIFIED_WITHIN_S
    while time.monotonic() < until:
        with suppress(ExchangeError):  # no certificate yet
            proof = json.loads(await client.proof())
            if proof["opening"] is not None:
                return proof
        await asyncio.sleep(0.2)
    raise AssertionError(server.log_tail())
