"""A start, what it continues, and how it ends: with the real processes."""

import contextlib
import os
import re
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from exchange.cli.exits import Exit
from exchange.cli.found import example_settings, found
from exchange.cli.settings import Settings, load
from exchange.gateway.admission import GatewayLimits
from exchange.gateway.rest.operators_port import LIMITS as OPS_LIMITS
from exchange.journal.layout import journal_path
from exchange.journal.store import JournalReader
from exchange.runtime.clock import SystemClock
from exchange_client import ExchangeClient, Keypair, limit
from tests.server import Account, Server, free_port

ServerMaker = Callable[..., Server]


def free_ports() -> dict[str, Any]:
    return {name: free_port() for name in ("http_port", "ws_port", "ops_port")}


@pytest.fixture
def founded(tmp_path: Path) -> Settings:
    """A venue of the example's listings in an empty data folder, on ports of its own."""
    settings = load(example_settings(), data=tmp_path / "data", **free_ports())
    assert settings.genesis is not None
    found(settings, settings.genesis)
    return settings


def serve(settings: Settings) -> subprocess.CompletedProcess[str]:
    """`exchange serve`, which is expected to end by itself."""
    arguments = ["serve", "--data", str(settings.data)]
    arguments += [
        "--http-port",
        str(settings.http_port),
        "--ws-port",
        str(settings.ws_port),
        "--ops-port",
        str(settings.ops_port),
    ]
    return subprocess.run(
        [sys.executable, "-m", "exchange.cli", *arguments], capture_output=True, text=True, timeout=30
    )


def client(server: Server, account: Account) -> ExchangeClient:
    return ExchangeClient(server.http_url, Keypair(account.api_secret))


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def gone(pids: list[int], within_s: float = 10) -> bool:
    return eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), within_s)


async def test_a_stop_and_a_start_go_on_where_it_was(fresh_server: ServerMaker) -> None:
    server = fresh_server()
    alice = server.accounts["alice"]
    async with client(server, alice) as exchange:
        order = await exchange.place(limit("SOL_USDC", "Bid", Decimal(140), Decimal(1)))
    server.restart()
    assert server.accounts["alice"] == alice
    async with client(server, alice) as exchange:
        assert [each.id for each in await exchange.open_orders("SOL_USDC")] == [order.id]
        assert {market.order_book_state for market in await exchange.markets()} == {"Open"}
        await exchange.cancel("SOL_USDC", order_id=order.id)
    assert server.stop(signal.SIGINT) == Exit.OK


async def test_a_killed_exchange_takes_its_children_along_and_comes_back(fresh_server: ServerMaker) -> None:
    server = fresh_server()
    alice = server.accounts["alice"]
    async with client(server, alice) as exchange:
        order = await exchange.place(limit("SOL_USDC", "Bid", Decimal(140), Decimal(1)))
    assert server.process is not None
    children = children_of(server.process.pid)
    assert len(children) == 2
    server.kill()
    assert gone(children)
    server.start()
    async with client(server, alice) as exchange:
        assert [each.id for each in await exchange.open_orders("SOL_USDC")] == [order.id]


def test_a_signal_for_the_whole_group_stops_it_in_order(fresh_server: ServerMaker) -> None:
    """As Ctrl-C on a terminal does; a second one changes nothing."""
    server = fresh_server()
    assert server.process is not None
    os.killpg(server.process.pid, signal.SIGINT)
    os.killpg(server.process.pid, signal.SIGINT)
    assert server.process.wait(20) == Exit.OK
    assert "StopProcess" in last_record(server.data)


def last_record(data: Path) -> str:
    shown = subprocess.run(
        [sys.executable, "-m", "exchange.cli", "journal", "show", "--data", str(data), "--last", "1"],
        capture_output=True,
        text=True,
        check=True,
    )
    return shown.stdout


def test_a_start_says_so_on_its_port_until_it_is_open(fresh_server: ServerMaker) -> None:
    server = fresh_server()
    assert server.stop() == Exit.OK
    starting = threading.Thread(target=server.start)
    starting.start()
    seen: list[httpx.Response] = []
    while not seen or seen[-1].status_code != 200:
        with contextlib.suppress(httpx.TransportError):  # before it has its port
            seen.append(httpx.get(f"{server.http_url}/api/v1/time"))
        time.sleep(0.005)
    starting.join()
    assert {answer.status_code for answer in seen} == {503, 200}
    assert seen[0].json()["code"] == "MAINTENANCE"
    assert "starting" in seen[0].json()["message"]
    assert seen[0].headers["Retry-After"] == "1"


def test_an_exchange_that_runs_keeps_a_second_one_out(fresh_server: ServerMaker) -> None:
    server = fresh_server()
    second = serve(load(data=server.data, **free_ports()))
    assert second.returncode == Exit.DATA_LOCKED, second.stderr
    assert server.answers()


def test_a_header_does_not_lend_a_client_another_address(fresh_server: ServerMaker) -> None:
    server = fresh_server(settings={"EXCHANGE_LIMITS": '{"history_requests_per_minute": 3}'})
    statuses = [
        httpx.get(
            f"{server.http_url}/api/v1/trades/history",
            params={"symbol": "SOL_USDC"},
            headers={"X-Forwarded-For": f"10.0.0.{last}"},
        ).status_code
        for last in range(5)
    ]
    assert statuses == [200, 200, 200, 429, 429]


def test_a_trusted_proxys_header_does(fresh_server: ServerMaker) -> None:
    limits = {"EXCHANGE_LIMITS": '{"history_requests_per_minute": 3}', "EXCHANGE_TRUSTED_PROXIES": "127.0.0.1"}
    server = fresh_server(settings=limits)
    for client in ("198.51.100.1", "198.51.100.2"):
        statuses = [
            httpx.get(
                f"{server.http_url}/api/v1/trades/history",
                params={"symbol": "SOL_USDC"},
                headers={"X-Forwarded-For": f"10.0.0.{told}, {client}"},
            ).status_code
            for told in range(4)
        ]
        assert statuses == [200, 200, 200, 429]


def test_metrics_are_on_a_port_of_their_own(fresh_server: ServerMaker) -> None:
    server = fresh_server()
    httpx.get(f"{server.http_url}/nothing")
    shown = httpx.get(f"{server.ops_url}/metrics").text
    assert 'exchange_http_refusals_total{code="RESOURCE_NOT_FOUND"} 1.0' in shown
    assert "exchange_orders_total" in shown
    assert httpx.get(f"{server.http_url}/metrics").status_code == 404
    with httpx.Client(base_url=server.ops_url) as scraper:
        statuses = (scraper.get("/metrics").status_code for _ in range(2 * OPS_LIMITS.public_requests_per_minute))
        assert next(status for status in statuses if status != 200) == 429


def test_without_its_writer_the_exchange_ends_and_says_why(fresh_server: ServerMaker) -> None:
    server = fresh_server()
    assert server.process is not None
    (writer,) = [child for child in children_of(server.process.pid) if "journal.writer" in command_of(child)]
    os.kill(writer, signal.SIGKILL)
    assert server.process.wait(20) == Exit.JOURNAL_FAILED
    assert "journal" in server.log_tail()
    server.start()


def test_bots_make_the_books_move_and_end_with_the_exchange(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", bots=True)
    server.start()
    assert server.process is not None
    (bots,) = [child for child in children_of(server.process.pid) if "exchange_bots" in command_of(child)]
    for symbol in ("SOL_USDC", "BTC_USDC", "ETH_USDC"):
        assert eventually(lambda symbol=symbol: trades_of(server, symbol)), server.log_tail()  # type: ignore[misc]
    assert server.stop(signal.SIGINT) == Exit.OK
    assert gone([bots], within_s=1)
    server.start()
    (bots,) = [child for child in children_of(server.process.pid) if "exchange_bots" in command_of(child)]
    server.kill()
    assert gone([bots])


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


def trades_of(server: Server, symbol: str) -> int:
    return len(httpx.get(f"{server.http_url}/api/v1/trades", params={"symbol": symbol}).json())


def eventually(check: Callable[[], object], within_s: float = 30) -> bool:
    deadline = time.monotonic() + within_s
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


@pytest.fixture(params=["http_port", "ws_port", "ops_port"])
def taken(request: pytest.FixtureRequest, founded: Settings) -> Iterator[Settings]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield founded.model_copy(update={request.param: other.getsockname()[1]})


def test_a_port_in_use_is_named(taken: Settings) -> None:
    ended = serve(taken)
    assert ended.returncode == Exit.PORT_IN_USE
    assert "in use" in ended.stderr
    with JournalReader(taken.data) as journal:
        assert journal.last()[0] == 1  # no start was recorded


#: `exchange serve`, while which somebody takes a port that is bound and not listened on yet: they can be shared.
_SERVE_WITH_A_THIEF = """
import socket, sys
from pathlib import Path
from exchange.cli.serve import run
from exchange.cli.settings import load

async def take(_venue):
    other.bind(("127.0.0.1", settings.{port}))
    other.listen()

ports = dict(zip(("http_port", "ws_port", "ops_port"), map(int, sys.argv[2:])))
settings = load(data=Path(sys.argv[1]), **ports)
with socket.socket() as other:
    other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    run(settings, take)
"""


@pytest.mark.parametrize("port", ["ws_port", "ops_port"])
def test_a_port_that_was_taken_while_it_started_is_named(port: str, founded: Settings) -> None:
    ports = (founded.http_port, founded.ws_port, founded.ops_port)
    program = [sys.executable, "-c", _SERVE_WITH_A_THIEF.format(port=port), str(founded.data), *map(str, ports)]
    ended = subprocess.run(program, capture_output=True, text=True, timeout=30)
    assert f"port {getattr(founded, port)}: Address already in use" in ended.stderr


def test_without_a_journal_it_says_how_to_found_one(tmp_path: Path) -> None:
    ended = serve(Settings(data=tmp_path / "nothing"))
    assert ended.returncode == Exit.NOT_FOUNDED
    assert "exchange init" in ended.stderr


def test_a_changed_record_is_not_started_from(founded: Settings) -> None:
    with sqlite3.connect(journal_path(founded.data)) as journal:
        journal.execute("UPDATE batches SET lines = CAST(replace(lines, 'Demo', 'Dumb') AS BLOB)")
    ended = serve(founded)
    assert ended.returncode == Exit.JOURNAL_DAMAGED, ended.stderr
    assert "seq 1" in ended.stderr


def test_lost_records_are_noticed(fresh_server: ServerMaker) -> None:
    server = fresh_server()
    assert server.stop() == Exit.OK
    with sqlite3.connect(journal_path(server.data)) as journal:
        journal.execute("DELETE FROM batches WHERE first_seq = (SELECT max(first_seq) FROM batches)")
    for snapshot in (server.data / "snapshots").iterdir():
        snapshot.unlink()
    ended = serve(load(data=server.data, http_port=server.http_port, ws_port=server.ws_port, ops_port=server.ops_port))
    assert ended.returncode == Exit.BEHIND_WITNESS, ended.stderr


def test_a_clock_behind_the_journal_is_not_started_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(example_settings(), data=tmp_path / "data", **free_ports())
    assert settings.genesis is not None
    tomorrow_ns = time.time_ns() + 86_400 * 10**9
    with monkeypatch.context() as patched:
        patched.setattr(time, "time_ns", lambda: tomorrow_ns)
        found(settings, settings.genesis)
    ended = serve(settings)
    assert ended.returncode == Exit.CLOCK_BEHIND, ended.stderr


def test_there_are_files_for_every_connection(tmp_path: Path) -> None:
    """Also where a shell allows few, as most do."""
    settings = {"EXCHANGE_WS_LIMITS__CONNECTIONS": "300", "EXCHANGE_WS_LIMITS__HANDSHAKES": "100"}
    server = Server(tmp_path / "data", settings)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        server.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    try:
        assert server.process is not None
        allowed, _ = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        assert allowed > GatewayLimits().connections + 400
    finally:
        assert server.stop() == 0


def test_a_start_that_waits_for_the_clock_says_so_for_how_long_and_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead_us = time.time_ns() // 1_000 + 300_000_000
    monkeypatch.setattr("exchange.cli.found.SystemClock", lambda: SystemClock(ahead_us, standing=True))
    settings = load(example_settings(), data=tmp_path / "data", **free_ports())
    assert settings.genesis is not None
    found(settings, settings.genesis)
    ports = [f"--{name.replace('_', '-')}={getattr(settings, name)}" for name in ("http_port", "ws_port", "ops_port")]
    program = [sys.executable, "-m", "exchange.cli"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([*program, "serve", "--data", str(settings.data), *ports], stderr=log)
        try:

            def said() -> str:
                with contextlib.suppress(httpx.HTTPError):
                    return str(httpx.get(f"{settings.http_url}/api/v1/status").json()["message"])
                return ""

            assert eventually(lambda: "is waited for" in said(), 30)
            assert re.search(r"is waited for, \d{2,3} s more", said())
            words = ["admin", "--data", str(settings.data), "--url", settings.http_url, "status"]
            shown = subprocess.run([*program, *words], capture_output=True, text=True, timeout=30)
            assert shown.returncode == Exit.REFUSED
            assert "is waited for" in shown.stderr
            assert "exchange serve --clock-is-right" in shown.stderr
        finally:
            process.terminate()
            process.wait(20)
