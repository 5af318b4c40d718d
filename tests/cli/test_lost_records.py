"""The runbook's "Lost records" with the real processes: what was lost is accepted, and the exchange goes on."""

import json
import sqlite3
import subprocess
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from exchange.cli.exits import Exit
from exchange.journal.layout import journal_path
from exchange.journal.store import JournalReader
from exchange_client import ExchangeClient, Keypair, limit
from tests.server import Server

OPEN_WITHIN_S = 30.0


def exchange(server: Server, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [*server.program, *map(str, arguments)]
    return subprocess.run(command, env=server.environment(), capture_output=True, text=True, timeout=60)


def lose(data: Path, rows: int) -> int:
    """Take the journal's last rows away, as a disk that was put back from an older copy does; the last seq left."""
    with sqlite3.connect(journal_path(data)) as journal:
        journal.execute(
            "DELETE FROM batches WHERE first_seq IN (SELECT first_seq FROM batches ORDER BY first_seq DESC LIMIT ?)",
            (rows,),
        )
    journal.close()
    with JournalReader(data) as reader:
        return reader.last()[0]


def until_open(server: Server) -> None:
    """The demo's two admins approve what the gates find."""
    deadline = time.monotonic() + OPEN_WITHIN_S
    while (shown := httpx.get(f"{server.http_url}/api/v1/maintenance").json())["condition"] != "open":
        assert time.monotonic() < deadline, shown
        time.sleep(0.05)


async def traded(server: Server) -> None:
    async with ExchangeClient(server.http_url, Keypair(server.accounts["alice"].api_secret)) as alice:
        await alice.place(limit("SOL_USDC", "Bid", Decimal(140), Decimal(1)))
        await alice.cancel_all("SOL_USDC")


@pytest.mark.parametrize(("rows", "killed"), [(3, True), pytest.param(1, False, marks=pytest.mark.torture)])
async def test_after_an_accepted_loss_it_starts_trades_restarts_and_verifies(
    fresh_server: Callable[..., Server], rows: int, killed: bool
) -> None:
    server = fresh_server()
    await traded(server)
    assert server.stop() == Exit.OK
    with JournalReader(server.data) as reader:
        had_seq, _ = reader.last()
    left_seq = lose(server.data, rows)
    assert had_seq - left_seq == 1 or rows > 1, "one record, or several"
    assert exchange(server, "serve").returncode == Exit.BEHIND_WITNESS
    keys = [word for name in ("admin", "admin-2") for word in ("--key", server.data / "keys" / f"{name}.json")]
    accepted = exchange(server, "recover", "--accept-loss", *keys, "--reason", "gone", "--json")
    assert accepted.returncode == Exit.OK, accepted.stderr
    lost = json.loads(accepted.stdout)
    assert (lost["from_seq"], lost["to_seq"]) == (left_seq + 1, had_seq)

    shown = exchange(server, "journal", "show", "--last", "1")
    assert shown.returncode == Exit.OK, shown.stderr
    assert f"#{had_seq + 1} " in shown.stdout
    server.start()
    if killed:
        server.kill()
        server.start()
    until_open(server)
    await traded(server)
    server.restart()
    await traded(server)
    verified = exchange(server, "verify", "--from-genesis")
    assert verified.returncode == Exit.OK, verified.stdout
    assert "each signed with the keys in force of those who gave it" in verified.stdout
    with JournalReader(server.data) as reader:
        # From its first record on; and two have signed for the loss.
        assert [len(record.signed) for seq in (1, had_seq + 1) for record in reader.records(seq, seq)] == [1, 2]
    for command in (("recover",), ("explain", "asset", "USDC"), ("incident", "report", "--out", server.data.parent)):
        ended = exchange(server, *command)
        assert ended.returncode == Exit.OK, ended.stderr
    assert server.stop() == Exit.OK
