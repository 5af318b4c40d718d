"""A really running exchange for the bench, with as many funded accounts as there are connections."""

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from exchange.cli.admin_client import AdminClient
from exchange.cli.keys import KeyFile, read_key
from exchange.values.accounts.commands import AddKey, OpenAccount
from exchange.values.accounts.events import AccountOpened
from exchange.values.enums import Scope
from exchange.values.ids import AdminId
from exchange.values.money.commands import CreditDeposit
from exchange_client.signing import Keypair, signing_text
from tests.bench.frames import client_frame
from tests.bench.load import FIRST_CLIENT_ID
from tests.server import Server
from tests.simulation import family

SYMBOL: Final = "SOL_USDC"
#: The reference price of the demo's listing.
MID_CENTS: Final = 15_000
#: Whole USDC and SOL of each account.
FUNDS: Final = {"USDC": 10_000_000, "SOL": 100_000}
#: Admission counts every request; it only never says no here.
SETTINGS: Final = {
    "EXCHANGE_LIMITS__REQUESTS_PER_MINUTE": "60000000",
    "EXCHANGE_LIMITS__PUBLIC_REQUESTS_PER_MINUTE": "60000000",
    "EXCHANGE_LIMITS__IN_FLIGHT_PER_ACCOUNT": "4096",
    # The path of an order is measured in short bursts; what is sustained is what history keeps up with.
    "EXCHANGE_BOUNDS__SLOW_AT_RECORDS": "10000000",
    "EXCHANGE_BOUNDS__FULL_AT_RECORDS": "20000000",
    "EXCHANGE_WS_LIMITS__CONNECTIONS_PER_ADDRESS": "10000",
    "EXCHANGE_WS_LIMITS__HANDSHAKES_PER_ADDRESS": "10000",
    "EXCHANGE_LOG_LEVEL": "warning",
}
WINDOW_MS: Final = 60_000


@contextmanager
def running(folder: Path, accounts: int) -> Iterator[tuple[Server, list[Keypair]]]:
    """A server on `folder`, and the keys of its accounts; killed on leaving, as its history is of no use to anybody."""
    server = Server(folder / "data", SETTINGS)
    server.start()
    try:
        yield server, open_accounts(server, accounts)
    finally:
        family.kill(server, "all")
        if not family.gone(server):
            raise RuntimeError("the exchange outlived its end")


def open_accounts(server: Server, count: int) -> list[Keypair]:
    client = AdminClient(server.http_url, read_key(server.admin_key))
    venue = client.venue()
    decimals = {asset.symbol: asset.decimals for asset in venue.assets}
    nobody = AdminId(0)  # the server fills in who asks
    keys = []
    deposits = itertools.count(venue.deposits.get("", 0) + 1)
    for number in range(count):
        key = KeyFile.generate(f"bench {number}")
        events = client.execute(OpenAccount(nobody, label=key.name)).events
        (account,) = (event.account for event in events if isinstance(event, AccountOpened))
        client.execute(AddKey(nobody, account, key.api_key, (Scope.READ, Scope.TRADE), key.name))
        for asset, units in FUNDS.items():
            atoms = units * 10 ** decimals[asset]
            client.execute(CreditDeposit(nobody, account, asset, atoms, f"bench {account} {asset}", next(deposits)))
        keys.append(Keypair(key.api_secret))
    return keys


def price(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"


def limit(side: str, cents: int, quantity: str, client_id: int | None = None) -> dict[str, Any]:
    order: dict[str, Any] = {
        "symbol": SYMBOL,
        "side": side,
        "orderType": "Limit",
        "price": price(cents),
        "quantity": quantity,
        "timeInForce": "GTC",
    }
    return order if client_id is None else order | {"clientId": client_id}


def cycle(number: int, triples: int) -> list[tuple[str, dict[str, Any]]]:
    """What connection `number` says again and again: an order that rests, its cancel, and one at the middle.

    Even connections buy and odd ones sell, so every second order at the middle trades.
    """
    side, away = ("Bid", -1) if number % 2 == 0 else ("Ask", 1)
    calls: list[tuple[str, dict[str, Any]]] = []
    for client_id in range(FIRST_CLIENT_ID, FIRST_CLIENT_ID + triples):
        resting = limit(side, MID_CENTS + away * (3 + client_id % 10), "0.05", client_id)
        calls.append(("order.place", resting))
        calls.append(("order.cancel", {"symbol": SYMBOL, "clientId": client_id}))
        calls.append(("order.place", limit(side, MID_CENTS, "0.01")))
    return calls


def frames(calls: list[tuple[str, dict[str, Any]]]) -> list[bytes]:
    return [
        client_frame(json.dumps({"id": at, "method": method, "params": params}, separators=(",", ":")).encode())
        for at, (method, params) in enumerate(calls)
    ]


def opening(keypair: Keypair) -> list[bytes]:
    """Log in, and end what an earlier run has left on the book."""
    timestamp_ms = keypair.timestamp_ms()
    params = {
        "apiKey": keypair.public_key,
        "timestamp": timestamp_ms,
        "window": WINDOW_MS,
        "signature": keypair.sign(signing_text("sessionLogin", [{}], timestamp_ms, WINDOW_MS)),
    }
    return frames([("session.login", params), ("order.cancelAll", {"symbol": SYMBOL})])


def subscribe(*streams: str) -> bytes:
    return json.dumps({"method": "SUBSCRIBE", "params": list(streams)}).encode()
