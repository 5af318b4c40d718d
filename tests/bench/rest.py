"""Signed orders over REST, beside a bare ASGI route that verifies one signature. Signed before the clock starts."""

import base64
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import uvloop
from nacl.signing import SigningKey

from exchange_client.signing import Keypair, signing_text
from tests.bench import child, exchange, rest_load
from tests.bench.load import Measured
from tests.bench.report import Row, middle

CONNECTIONS: Final = 64
ROUNDS: Final = 3
REQUESTS_EACH: Final = 150
AIM: Final = 0.5
PATH: Final = "/api/v1/order"


def orders(number: int) -> list[dict[str, str | int]]:
    """Orders of connection `number`: three behind the middle, which rest, for each one at it, which trades."""
    side, away = ("Bid", -1) if number % 2 == 0 else ("Ask", 1)
    return [
        exchange.limit(side, exchange.MID_CENTS + away * (3 + at % 10 if at % 4 else 0), "0.01")
        for at in range(REQUESTS_EACH)
    ]


def to_the_exchange(keypairs: Sequence[Keypair]) -> list[list[bytes]]:
    made: list[list[bytes]] = []
    for number, keypair in enumerate(keypairs):
        own: list[bytes] = []
        for order in orders(number):
            timestamp_ms = keypair.timestamp_ms()
            text = signing_text("orderExecute", [order], timestamp_ms, exchange.WINDOW_MS)
            headers = _headers(keypair.public_key, keypair.sign(text), timestamp_ms)
            own.append(rest_load.request(PATH, json.dumps(order).encode(), headers))
        made.append(own)
    return made


def to_the_yardstick() -> list[list[bytes]]:
    """The same bodies; the signature is over the body."""
    key = SigningKey.generate()
    public_key = base64.b64encode(bytes(key.verify_key)).decode()
    made: list[list[bytes]] = []
    for number in range(CONNECTIONS):
        bodies = [json.dumps(order).encode() for order in orders(number)]
        signatures = [base64.b64encode(key.sign(body).signature).decode() for body in bodies]
        made.append(
            [
                rest_load.request(PATH, body, _headers(public_key, signature, 1_700_000_000_000))
                for body, signature in zip(bodies, signatures, strict=True)
            ]
        )
    return made


def _headers(public_key: str, signature: str, timestamp_ms: int) -> dict[str, str]:
    return {
        "X-API-Key": public_key,
        "X-Signature": signature,
        "X-Timestamp": str(timestamp_ms),
        "X-Window": str(exchange.WINDOW_MS),
    }


async def measure(port: int, keypairs: Sequence[Keypair]) -> list[Row]:
    ours: list[Measured] = []
    bare: list[Measured] = []
    yardstick = to_the_yardstick()
    for _ in range(ROUNDS):
        ours.append(await rest_load.run(port, to_the_exchange(keypairs)))
        with child.running("tests.bench.bare_asgi", f"{ours[-1].reply_bytes:.0f}") as bare_port:
            bare.append(await rest_load.run(bare_port, yardstick))
    rate = middle([m.per_second for m in ours])
    note = (
        f"{middle([m.p50_us for m in ours]) / 1000:,.1f} ms at the median, "
        f"{middle([m.p99_us for m in ours]) / 1000:,.1f} at p99"
    )
    name = f"signed order, {CONNECTIONS} connections"
    return [Row("REST", name, "/s", rate, "bare ASGI, one signature", middle([m.per_second for m in bare]), AIM, note)]


def rows() -> list[Row]:
    with (
        tempfile.TemporaryDirectory(prefix="exchange-bench-") as folder,
        exchange.running(Path(folder), CONNECTIONS) as (server, keypairs),
    ):
        return uvloop.run(measure(server.http_port, keypairs))


if __name__ == "__main__":
    for row in rows():
        print(row)
