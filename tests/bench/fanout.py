"""One market's book to 1,000 subscribers, beside writing the same bytes to 1,000 sockets and nothing else.

The driver keeps a few orders in flight; each changes the book, and each change goes to everybody.
"""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import uvloop

from exchange_client.signing import Keypair
from tests.bench import child, exchange, load
from tests.bench.load import Script
from tests.bench.report import Row, middle
from tests.bench.sinks import Sinks

SUBSCRIBERS: Final = 1_000
ROUNDS: Final = 3
SECONDS: Final = 2.0
IN_FLIGHT: Final = 8
AIM: Final = 0.8


def resting(keypair: Keypair, url: str) -> Script:
    """Orders that rest and are cancelled: each changes one level."""
    calls = [call for at, call in enumerate(exchange.cycle(0, 32)) if at % 3 < 2]
    return Script(url, exchange.frames(calls), exchange.opening(keypair))


async def delivered(sinks: Sinks, script: Script) -> tuple[float, float]:
    """Messages delivered per second, and their size in bytes."""
    async with sinks:
        begun = time.perf_counter()
        await load.run([script], IN_FLIGHT, SECONDS)
        elapsed_s = time.perf_counter() - begun
        sinks.empty()
    if not sinks.messages:
        raise RuntimeError("the subscribers have heard nothing")
    return sinks.messages / elapsed_s, sinks.bytes / sinks.messages


async def measure(ws_url: str, keypairs: Sequence[Keypair], echo_port: int) -> list[Row]:
    ours: list[float] = []
    raw: list[float] = []
    hello = [exchange.subscribe(f"depth.{exchange.SYMBOL}")]
    base = f"ws://127.0.0.1:{echo_port}"
    for _ in range(ROUNDS):
        sinks = Sinks(ws_url, SUBSCRIBERS, hello, b'"stream":')
        rate, size = await delivered(sinks, resting(keypairs[0], ws_url))
        ours.append(rate)
        tick = Script(f"{base}/tick?size={size:.0f}", resting(keypairs[0], "").frames)
        raw.append((await delivered(Sinks(f"{base}/feed", SUBSCRIBERS, [], b'"stream":'), tick))[0])
    note = f"updates of {size:.0f} bytes, {middle(ours) / SUBSCRIBERS:,.0f} a second to each subscriber"
    name = f"deliveries to {SUBSCRIBERS:,} subscribers"
    return [Row("fan-out", name, "/s", middle(ours), "raw writes", middle(raw), AIM, note)]


def rows() -> list[Row]:
    with (
        tempfile.TemporaryDirectory(prefix="exchange-bench-") as folder,
        exchange.running(Path(folder), 1) as (server, keypairs),
        child.running("tests.bench.echo") as echo_port,
    ):
        return uvloop.run(measure(server.ws_url, keypairs, echo_port))


if __name__ == "__main__":
    for row in rows():
        print(row)
