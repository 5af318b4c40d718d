"""A process that hangs, or doesn't start: it is said, orders wait or are refused, and afterwards nothing is missing."""

import asyncio
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import Any

import httpx
import pytest

from exchange.cli.admin_client import AdminClient
from exchange.cli.exits import Exit
from exchange.cli.keys import read_key
from exchange.runtime.follower.read_models import FILE_NAME
from exchange_client import ExchangeClient, Keypair, limit
from exchange_client.errors import ExchangeError
from tests.server import Server
from tests.simulation import family

ServerMaker = Callable[..., Server]
SYMBOL = "SOL_USDC"
PATIENCE_S = 30.0


def bounds(**bounds: float) -> dict[str, str]:
    return {"EXCHANGE_BOUNDS": json.dumps(bounds)}


@contextmanager
def held(server: Server, module: str) -> Iterator[int]:
    """While inside, that process of the exchange stands still."""
    pid = family.members(server)[module]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield pid
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def client_of(server: Server, name: str = "alice") -> ExchangeClient:
    return ExchangeClient(server.http_url, Keypair(server.accounts[name].api_secret))


def status_of(server: Server) -> dict[str, Any]:
    shown: dict[str, Any] = httpx.get(f"{server.http_url}/api/v1/status").json()
    return shown


async def until_status(server: Server, status: str, message: str | None) -> dict[str, Any]:
    """Wait until the status is this, with (or without any) such a message."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            shown = await asyncio.to_thread(status_of, server)
            text = shown["message"]
            if shown["status"] == status and (text is None if message is None else message in (text or "")):
                return shown
            await asyncio.sleep(0.05)


def admin_status(server: Server) -> str:
    key = read_key(server.admin_key)
    return " ".join(condition.way_out for condition in AdminClient(server.http_url, key).venue().status.conditions)


async def eventually(check: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while not await asyncio.to_thread(check):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.05)
    return True


def signed_order(server: Server, price: str, client_id: int) -> bytes:
    """An order as it goes over the wire, for a connection of the test's own."""
    order: dict[str, str | int] = {
        "clientId": client_id,
        "orderType": "Limit",
        "price": price,
        "quantity": "1",
        "side": "Bid",
    }
    order["symbol"] = SYMBOL
    headers = Keypair(server.accounts["alice"].api_secret).headers("orderExecute", [order])
    body = json.dumps(order)
    head = {"Host": "localhost", "Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"POST /api/v1/order HTTP/1.1\r\n{lines}\r\n{body}".encode()


def answer_to_the_end(connection: socket.socket) -> bytes:
    connection.settimeout(PATIENCE_S)
    received = b""
    with suppress(ConnectionResetError):
        while chunk := connection.recv(65_536):
            received += chunk
    return received


def log_of(server: Server) -> list[dict[str, Any]]:
    lines = server.log.read_text(errors="replace").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


async def test_a_hanging_writer_stops_new_orders_and_loses_none(fresh_server: ServerMaker) -> None:
    server = fresh_server(settings=bounds(writer_late_s=0.3, writer_stop_s=1.0))
    async with client_of(server) as alice, client_of(server, "bob") as bob:
        first = await alice.place(limit(SYMBOL, "Bid", Decimal(140), Decimal(1)))
        with held(server, family.WRITER):
            in_flight = asyncio.create_task(alice.place(limit(SYMBOL, "Bid", Decimal(139), Decimal(1))))
            shown = await until_status(server, "Maintenance", "The journal has not been written for")
            assert "new orders are refused" in shown["message"]
            with pytest.raises(ExchangeError) as refused:
                await bob.place(limit(SYMBOL, "Bid", Decimal(138), Decimal(1)))
            assert (refused.value.status, refused.value.code) == (503, "MAINTENANCE")
            depth = await asyncio.to_thread(httpx.get, f"{server.http_url}/api/v1/depth", params={"symbol": SYMBOL})
            assert (depth.status_code, depth.headers["Retry-After"]) == (503, "1")
            assert await bob.order_history(SYMBOL) == [], "what is durable is shown"
            cancelling = asyncio.create_task(alice.cancel(SYMBOL, order_id=first.id))
            await asyncio.sleep(0.3)
            assert not in_flight.done(), "an order is answered once it is durable, not before"
            assert not cancelling.done()
            metrics = (await asyncio.to_thread(httpx.get, f"{server.ops_url}/metrics")).text
            assert "exchange_intake_stopped 1.0" in metrics
        second = await in_flight
        assert (await cancelling).id == first.id
        await until_status(server, "Ok", None)
        third = await bob.place(limit(SYMBOL, "Bid", Decimal(138), Decimal(1)))
    said = [line for line in log_of(server) if line["event"] == "condition" and line["part"] == "writer"]
    assert [line["stops_orders"] for line in said] == [False, True]
    server.kill()
    server.start()
    async with client_of(server) as alice, client_of(server, "bob") as bob:
        assert [order.id for order in await alice.open_orders(SYMBOL)] == [second.id]
        assert [order.id for order in await bob.open_orders(SYMBOL)] == [third.id]


def test_a_writer_that_hangs_on_ends_the_process_and_nothing_in_flight_is_answered(fresh_server: ServerMaker) -> None:
    server = fresh_server(settings=bounds(writer_late_s=0.2, writer_stop_s=0.5, writer_lost_s=1.5))
    assert server.process is not None
    with socket.create_connection(("127.0.0.1", server.http_port)) as connection, held(server, family.WRITER):
        connection.sendall(signed_order(server, "140", 7))
        assert answer_to_the_end(connection) == b"", "its outcome isn't known, so nothing is said about it"
        assert server.process.wait(PATIENCE_S) == Exit.JOURNAL_FAILED
    assert "has made nothing durable" in server.log.read_text()
    assert "Exception in ASGI" not in server.log.read_text()
    assert family.gone(server)
    server.start()
    assert status_of(server) == {"status": "Ok", "message": None}


def test_a_request_in_flight_when_the_writer_dies_gets_no_answer(fresh_server: ServerMaker) -> None:
    server = fresh_server()
    assert server.process is not None
    with socket.create_connection(("127.0.0.1", server.http_port)) as connection, held(server, family.WRITER) as pid:
        connection.sendall(signed_order(server, "140", 7))
        time.sleep(0.3)
        os.kill(pid, signal.SIGKILL)
        assert answer_to_the_end(connection) == b""
        assert server.process.wait(PATIENCE_S) == Exit.JOURNAL_FAILED


async def test_a_hanging_follower_is_said_and_started_again_while_trading_goes_on(fresh_server: ServerMaker) -> None:
    server = fresh_server(settings=bounds(follower_silent_s=0.5, follower_lost_s=3))
    async with client_of(server) as alice:
        with held(server, family.FOLLOWER) as pid:
            orders = [await alice.place(limit(SYMBOL, "Bid", Decimal(140), Decimal(1))) for _ in range(2)]
            await until_status(server, "Ok", "History stands still")
            orders.append(await alice.place(limit(SYMBOL, "Bid", Decimal(139), Decimal(1))))
            await until_status(server, "Ok", None)
            assert family.members(server)[family.FOLLOWER] != pid
        shown = {order.id for order in await alice.order_history(SYMBOL)}
        assert shown == {order.id for order in orders}
    assert any("the follower is killed" in str(line.get("message")) for line in log_of(server))


async def test_a_follower_that_cannot_start_is_said_at_once_and_everything_else_works(
    fresh_server: ServerMaker,
) -> None:
    server = fresh_server()
    async with client_of(server) as alice:
        before = await alice.place(limit(SYMBOL, "Bid", Decimal(140), Decimal(1)))
    assert server.stop() == Exit.OK
    for file in server.data.glob(f"{FILE_NAME}*"):
        file.unlink()
    blocked = server.data / FILE_NAME
    blocked.mkdir()
    server.start()
    async with client_of(server) as alice:
        shown = await until_status(server, "Ok", "History is not available")
        assert str(server.data) not in shown["message"], "where the files lie is for operators"
        assert [order.id for order in await alice.open_orders(SYMBOL)] == [before.id]
        said = await asyncio.to_thread(admin_status, server)
        assert "Is a directory" in said, "what is wrong is for operators"
        after = await alice.place(limit(SYMBOL, "Bid", Decimal(139), Decimal(1)))
        with pytest.raises(ExchangeError) as refused:
            await alice.order_history(SYMBOL)
        assert (refused.value.status, refused.value.code) == (503, "MAINTENANCE")
        for path in ("ticker", "klines", "trades"):
            url = f"{server.http_url}/api/v1/{path}?symbol={SYMBOL}&interval=1d&startTime=1750000000"
            answer = await asyncio.to_thread(httpx.get, url)
            assert (path, answer.status_code, answer.headers.get("Retry-After")) == (path, 503, "1")
        blocked.rmdir()
        await until_status(server, "Ok", None)
        assert {order.id for order in await alice.order_history(SYMBOL)} == {before.id, after.id}
    url = f"{server.http_url}/api/v1/ticker?symbol={SYMBOL}"
    assert await eventually(lambda: httpx.get(url).status_code == 204), "nothing traded"
