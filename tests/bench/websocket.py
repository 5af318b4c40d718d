"""WebSocket order to durable acknowledgement, beside an echo on the same server library.

Two more yardsticks say where the cost lies: a session with no exchange behind it, and one with
nothing but our core and its records.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import uvloop

from exchange_client.signing import Keypair
from tests.bench import child, exchange, load
from tests.bench.load import Measured, Script
from tests.bench.report import Row, middle
from tests.bench.sinks import Sinks
from tests.server import Server

CONNECTIONS: Final = 64
ROUNDS: Final = 3
SECONDS: Final = 2.0
TRIPLES: Final = 32
SUBSCRIBERS: Final = 4
AIMS: Final = {1: 0.45, 32: 0.30}
STREAMS: Final = [f"{kind}.{exchange.SYMBOL}" for kind in ("depth", "bookTicker", "trade")]


def trading(server: Server, keypairs: Sequence[Keypair]) -> list[Script]:
    """One connection per account, logged in."""
    return [
        Script(server.ws_url, exchange.frames(exchange.cycle(number, TRIPLES)), exchange.opening(keypair))
        for number, keypair in enumerate(keypairs)
    ]


def plain(url: str) -> list[Script]:
    """The same messages to a yardstick, which knows no accounts."""
    return [Script(url, exchange.frames(exchange.cycle(number, TRIPLES))) for number in range(CONNECTIONS)]


def bare_core(port: int) -> list[Script]:
    """The same messages to our core behind the barest of sessions. It counts no client id as 0."""
    return [
        Script(f"ws://127.0.0.1:{port}/core?number={number}", exchange.frames(exchange.cycle(number, TRIPLES)))
        for number in range(CONNECTIONS)
    ]


async def exchange_run(server: Server, keypairs: Sequence[Keypair], window: int) -> Measured:
    sinks = Sinks(server.ws_url, SUBSCRIBERS, [exchange.subscribe(*STREAMS)], b'"stream":')
    async with sinks:
        measured = await load.run(trading(server, keypairs), window, SECONDS)
    if measured.refusals:
        raise RuntimeError(f"{len(measured.refusals)} of the answers that were looked at: {measured.refusals[0]!r}")
    if not sinks.messages:
        raise RuntimeError("the subscribers have heard nothing")
    return measured


async def measure(
    server: Server, keypairs: Sequence[Keypair], echo_port: int, core_port: int, window: int
) -> list[Row]:
    ours: list[Measured] = []
    echo: list[Measured] = []
    session: list[Measured] = []
    core: list[Measured] = []
    base = f"ws://127.0.0.1:{echo_port}"
    for _ in range(ROUNDS):
        ours.append(await exchange_run(server, keypairs, window))
        echo.append(await load.run(plain(f"{base}/echo?reply={ours[-1].reply_bytes:.0f}"), window, SECONDS))
        session.append(await load.run(plain(f"{base}/acknowledge"), window, SECONDS))
        core.append(await load.run(bare_core(core_port), window, SECONDS))
    name = f"{CONNECTIONS} connections, {window} in flight each"
    wait = f", {middle([m.p50_us for m in ours]):,.0f} µs at the median, {middle([m.p99_us for m in ours]):,.0f} at p99"
    shares = f"{middle([m.cpu_share for m in ours]):.0%} of a core on ours, {middle([m.cpu_share for m in echo]):.0%}"
    note = (
        f"answers of {ours[0].reply_bytes:.0f} bytes{wait if window == 1 else ''}; "
        f"the load generator used {shares} on the echo"
    )
    rate = middle([m.per_second for m in ours])
    return [
        Row("WebSocket", name, "/s", rate, "bare echo", middle([m.per_second for m in echo]), AIMS[window], note),
        Row("WebSocket", name, "/s", rate, "decode and acknowledge", middle([m.per_second for m in session])),
        Row("WebSocket", name, "/s", rate, "core and records alone", middle([m.per_second for m in core])),
    ]


def rows() -> list[Row]:
    found: list[Row] = []
    with (
        tempfile.TemporaryDirectory(prefix="exchange-bench-") as folder,
        exchange.running(Path(folder), CONNECTIONS) as (server, keypairs),
        child.running("tests.bench.echo") as echo_port,
        child.running("tests.bench.bare_core") as core_port,
    ):
        for window in AIMS:
            found += uvloop.run(measure(server, keypairs, echo_port, core_port, window))
    return found


if __name__ == "__main__":
    for row in rows():
        print(row)
