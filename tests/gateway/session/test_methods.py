"""A method is one row: what a session does with it follows."""

import importlib
from collections.abc import Iterator

import pytest

from exchange.gateway.admission import GatewayLimits
from exchange.gateway.orders import methods as orders
from exchange.gateway.orders.requests import Armed
from exchange.gateway.session import methods
from exchange.gateway.session.frames import RequestId
from exchange.gateway.session.trading import Method, Trading
from exchange.values.enums import Scope
from tests.gateway.live_venue import LiveVenue
from tests.gateway.session_client import Client


def echo(trading: Trading, request_id: RequestId, params: Armed) -> None:
    trading.answer(request_id, params)


def echo_each(trading: Trading, request_id: RequestId, params: list[Armed]) -> None:
    trading.answer(request_id, params)


@pytest.fixture(autouse=True)
def rows(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Methods that a subject has entered, and nothing else is told of."""
    new = (
        Method("test.echo", echo),
        Method("test.echo.cancels", echo, cancels=True),
        Method("test.echo.reads", echo, reads=True),
        Method("test.echo.each", echo_each, batch=True),
    )
    with monkeypatch.context() as patched:
        patched.setattr(orders, "METHODS", (*orders.METHODS, *new))
        importlib.reload(methods)
        yield
    importlib.reload(methods)


async def test_it_is_read_and_answered_for_who_is_logged_in() -> None:
    venue = LiveVenue()
    client = Client(venue)
    assert (await client.call("test.echo", {"armed": True}))["status"] == 401
    await client.login(venue.trader())
    assert (await client.call("test.echo", {"armed": True}))["result"] == {"armed": True}
    refused = await client.call("test.echo.each", {"armed": True})
    assert (refused["status"], refused["error"]["code"]) == (400, "INVALID_CLIENT_REQUEST")


async def test_one_that_cancels_draws_on_the_reserve() -> None:
    venue = LiveVenue()
    client = Client(venue, requests=GatewayLimits(requests_per_minute=1))
    await client.login(venue.trader())
    assert [(await client.call("test.echo", {"armed": True}))["status"] for _ in range(2)] == [200, 429]
    assert (await client.call("test.echo.cancels", {"armed": True}))["status"] == 200


async def test_one_that_reads_takes_a_key_that_may() -> None:
    venue = LiveVenue()
    for scopes, status in (((Scope.TRADE,), 403), ((Scope.READ,), 200)):
        client = Client(venue)
        await client.login(venue.trader(*scopes))
        assert (await client.call("test.echo.reads", {"armed": True}))["status"] == status


async def test_each_item_of_a_batch_counts() -> None:
    venue = LiveVenue()
    client = Client(venue, requests=GatewayLimits(requests_per_minute=3))
    await client.login(venue.trader())
    items = [{"armed": True}] * 2
    assert [(await client.call("test.echo.each", items))["status"] for _ in range(2)] == [200, 429]
