"""Windows over a real exchange process, with the commands an operator types."""

import asyncio
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from exchange.cli.admin_windows import moment_us
from exchange.cli.exits import Exit
from exchange.rules.gates import GATES
from exchange_client import ExchangeClient, Keypair, limit
from tests.server import Server

WITHIN_S = 30.0
ROOT = Path(__file__).parents[3]


def admin(server: Server, *arguments: str, key: str = "admin") -> subprocess.CompletedProcess[str]:
    where = ("--data", str(server.data), "--url", server.http_url, "--key", str(server.data / "keys" / f"{key}.json"))
    command = [sys.executable, "-m", "exchange.cli", "admin", *where, "--json", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def done(server: Server, *arguments: str, key: str = "admin") -> list[dict[str, Any]]:
    ended = admin(server, *arguments, key=key)
    assert ended.returncode == Exit.OK, ended.stderr
    events: list[dict[str, Any]] = json.loads(ended.stdout)["events"]
    return events


def maintenance(server: Server) -> Any:
    return httpx.get(f"{server.http_url}/api/v1/maintenance").json()


def until(server: Server, holds: Callable[[Any], bool]) -> Any:
    deadline = time.monotonic() + WITHIN_S
    while not holds(shown := maintenance(server)):
        assert time.monotonic() < deadline, shown
        time.sleep(0.05)
    return shown


def approve(server: Server) -> None:
    for key in ("admin", "admin-2"):
        done(server, "approve", "--reason", "I have read the report", key=key)


def plan(server: Server, *more: str) -> int:
    times = ("--offline-at", "+1s", "--post-only-at", "+1s", "--full-at", "+1s")
    [planned] = done(server, "window", "plan", *times, "--reason", "an upgrade", *more)
    window: int = planned["window"]
    return window


def of_window(shown: Any, window: int) -> Any:
    return next(each for each in shown["windows"] if each["id"] == window)


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_a_window_from_plan_to_full_with_a_restart_in_between(
    fresh_server: Callable[..., Server], end: str
) -> None:
    server = fresh_server()
    alice = server.accounts["alice"]
    async with ExchangeClient(server.http_url, Keypair(alice.api_secret)) as client:
        stays = await client.place(limit("SOL_USDC", "Bid", Decimal(140), Decimal(1)))
        window = plan(server)
        until(server, lambda shown: of_window(shown, window)["opening"]["awaits"] == "approvals")
    if end == "kill":
        server.kill()
    server.restart()
    shown = until(server, lambda shown: of_window(shown, window)["opening"]["awaits"] == "approvals")
    assert shown["condition"] == "planned"
    await asyncio.sleep(2.0)
    assert maintenance(server)["markets"]["SOL_USDC"]["orderBookState"] == "Closed", "late, and not proved"
    approve(server)
    until(server, lambda shown: of_window(shown, window)["stage"] == "completed")
    async with ExchangeClient(server.http_url, Keypair(alice.api_secret)) as client:
        assert [order.id for order in await client.open_orders()] == [stays.id]
        await client.cancel("SOL_USDC", order_id=stays.id)


async def test_a_market_opens_again_without_its_neighbours_being_shut(fresh_server: Callable[..., Server]) -> None:
    server = fresh_server()
    async with ExchangeClient(server.http_url, Keypair(server.accounts["bob"].api_secret)) as client:
        await client.place(limit("SOL_USDC", "Bid", Decimal(140), Decimal(1)))
    window = plan(server, "--market", "SOL_USDC")
    shown = until(server, lambda shown: of_window(shown, window)["opening"]["awaits"] == "approvals")
    assert shown["condition"] == shown["markets"]["BTC_USDC"]["condition"] == "open"
    assert shown["markets"]["SOL_USDC"]["condition"] == "planned"
    approve(server)
    until(server, lambda shown: of_window(shown, window)["stage"] == "completed")


def test_a_demo_of_another_build_is_proved_and_opens_by_its_two_admins(
    fresh_server: Callable[..., Server], tmp_path: Path
) -> None:
    fresh_server().stop()
    shutil.copytree(ROOT / "exchange", tmp_path / "newer" / "exchange")
    with (tmp_path / "newer" / "exchange" / "cli" / "exits.py").open("a") as source:
        source.write("\n# another build\n")
    # The tests' own folder would come first otherwise.
    newer = {"PYTHONPATH": f"{tmp_path / 'newer'}:{ROOT}", "PYTHONSAFEPATH": "1"}
    server = fresh_server(settings=newer)
    until(server, lambda shown: shown["condition"] == "open")
    [certificate] = httpx.get(f"{server.http_url}/api/v1/maintenance/certificates").json()["certificates"]
    assert json.loads(certificate["certificate"])["window"] == 0
    assert [gate["passed"] for gate in json.loads(certificate["certificate"])["gates"]] == [True] * len(GATES)


def test_windows_are_changed_and_called_off(fresh_server: Callable[..., Server]) -> None:
    server = fresh_server()
    [planned] = done(server, "window", "plan", "--offline-at", "+1h", "--reason", "far away")
    old, window = planned["plan"], planned["window"]
    assert old["post_only_at_us"] - old["offline_at_us"] == 7_200 * 1_000_000
    [changed] = done(server, "window", "change", str(window), "--full-at", "+20m", "--reason", "more time")
    assert changed["plan"]["offline_at_us"] == old["offline_at_us"]
    assert changed["plan"]["full_at_us"] - old["post_only_at_us"] == 1_200 * 1_000_000
    listed = json.loads(admin(server, "window", "list").stdout)
    assert [(each["window"], each["stage"]) for each in listed["windows"]] == [(window, "scheduled")]
    done(server, "window", "cancel", str(window), "--reason", "not needed")
    assert of_window(maintenance(server), window)["stage"] == "cancelled"
    wrong: tuple[tuple[str, ...], ...] = (
        ("window", "plan", "--offline-at", "tomorrow", "--reason", "x"),
        ("window", "change", "12", "--reason", "no such window"),
        ("approve", "--reason", "there is nothing to approve"),
    )
    for arguments in wrong:
        assert admin(server, *arguments).returncode == Exit.USAGE, arguments
    refused: tuple[tuple[str, ...], ...] = (
        ("window", "plan", "--offline-at", "2020-01-01T10:00", "--reason", "in the past"),
        ("window", "cancel", str(window), "--reason", "again"),
        ("waive", "floors", "--reason", "nothing has failed"),
        ("certify", "--window", str(window), "--reason", "it is over"),
    )
    for arguments in refused:
        assert admin(server, *arguments).returncode == Exit.REFUSED, arguments


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("+90s", 1_090), ("+2m", 1_120), ("+1d", 87_400), ("1970-01-01T00:01", 60), ("1970-01-01T01:01+01:00", 60)],
)
def test_times_are_utc_or_from_now_on(text: str, seconds: int) -> None:
    assert moment_us(text, 1_000 * 1_000_000) == seconds * 1_000_000


def test_the_venue_signs_with_its_new_key(fresh_server: Callable[..., Server]) -> None:
    server = fresh_server()
    [proposed] = done(server, "rotate-key", "--reason", "yearly")
    assert proposed["type"] == "CommandProposed"
    assert admin(server, "rotate-key", "--reason", "I again").returncode == Exit.REFUSED
    for _ in range(2):
        agreed = admin(server, "rotate-key", "--reason", "yearly", key="admin-2")
        assert agreed.returncode == Exit.OK, agreed.stderr
    again = admin(server, "rotate-key", "--reason", "yearly")
    assert again.returncode == Exit.OK, again.stderr
    window = plan(server)
    until(server, lambda shown: of_window(shown, window)["opening"]["awaits"] == "approvals")
    listed = httpx.get(f"{server.http_url}/api/v1/maintenance/certificates").json()
    keys = [key["public_key"] for key in listed["venueKeys"]]
    assert len(keys) == 3
    assert keys[1] == proposed["command"]["public_key"]
    assert {json.loads(each["certificate"])["public_key"] for each in listed["certificates"]} == {keys[2]}


def test_help_needs_no_exchange(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "exchange.cli", "admin", "--data", str(tmp_path), "window", "plan", "--help"]
    assert subprocess.run(command, capture_output=True, timeout=30).returncode == Exit.OK
