"""A file of the whole ledger whose reader is gone, over a real socket."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import uvicorn

from exchange.gateway.addresses import TrustedProxies
from exchange.gateway.admission import GatewayLimits
from exchange.gateway.history import api
from exchange.gateway.transport.http_server import HttpServer
from tests.gateway.http_venue import HttpVenue

pytestmark = pytest.mark.asyncio(loop_scope="module")

LEDGER = "/wapi/v1/history/ledger"
CSV = {"format": "csv"}
#: More of a file than sockets hold.
LARGE = b" " * (16 << 20)
WITHIN_S = 10.0


@pytest_asyncio.fixture(loop_scope="module")
async def port(traded: HttpVenue) -> AsyncIterator[int]:
    config = uvicorn.Config(
        traded.app,
        port=0,
        http=HttpServer(GatewayLimits(), TrustedProxies(())).protocol,  # type: ignore[arg-type]  # makes a protocol
        lifespan="off",
        log_config=None,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    serving = uvicorn.Server(config)
    task = asyncio.create_task(serving.serve())
    async with asyncio.timeout(WITHIN_S):
        while not serving.started:  # noqa: ASYNC110 (it tells nobody)
            await asyncio.sleep(0.01)
    yield serving.servers[0].sockets[0].getsockname()[1]
    serving.should_exit = True
    await task


@pytest.mark.parametrize("abort", [False, True], ids=["closed", "reset"])
async def test_a_client_that_goes_in_the_middle_of_its_file_leaves_its_place(
    traded: HttpVenue, port: int, monkeypatch: pytest.MonkeyPatch, abort: bool
) -> None:
    with monkeypatch.context() as large:
        large.setattr(api, "MAX_PAGE", 2)
        large.setattr(api, "_csv_rows", lambda rows: LARGE)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = "".join(
            f"{name}: {value}\r\n"
            for name, value in traded.headers(traded.ann, "GET", LEDGER, query="format=csv").items()
        )
        writer.write(f"GET {LEDGER}?format=csv HTTP/1.1\r\nhost: x\r\n{head}\r\n".encode())
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        await reader.readexactly(len(LARGE) + 1)  # the first rows have been asked for, and are under way
        assert (await traded.ask(traded.ann, "GET", LEDGER, query=CSV)).status == 429
        if abort:
            writer.transport.abort()
        else:
            writer.close()
        async with asyncio.timeout(WITHIN_S):
            while traded.life._history._exporting:  # noqa: ASYNC110 (many things free it)
                await asyncio.sleep(0.01)
    again = await traded.ask(traded.ann, "GET", LEDGER, query=CSV)
    assert (again.status, again.media_type) == (200, "text/csv")
