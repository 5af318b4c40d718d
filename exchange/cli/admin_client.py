"""Signed admin requests: any admin command out, its record's events back."""

import time
from hashlib import sha256
from typing import Annotated, Any

import httpx
import msgspec
import typer

from exchange.cli.exits import Exit, console, stop
from exchange.cli.keys import KeyFile
from exchange.values.commands import AdminCommand
from exchange.values.events import AnyEvent, Refused
from exchange.values.specs import AssetSpec
from exchange.values.views import MarketView, StatusView

Reason = Annotated[str, typer.Option(help="Why; kept in the record, and shown to the public where it shuts something.")]

TIMEOUT_S = 10.0
WINDOW_MS = 5_000


class Venue(msgspec.Struct, frozen=True):
    """The venue as an admin sees it, in the exchange's own units."""

    status: StatusView
    assets: list[AssetSpec]
    markets: list[MarketView]

    def asset(self, symbol: str) -> AssetSpec:
        for asset in self.assets:
            if asset.symbol == symbol:
                return asset
        stop(Exit.USAGE, f"asset {symbol} is not listed; there are {', '.join(asset.symbol for asset in self.assets)}")

    def market(self, symbol: str) -> MarketView:
        for market in self.markets:
            if market.spec.symbol == symbol:
                return market
        stop(
            Exit.USAGE,
            f"market {symbol} is not listed; there are {', '.join(market.spec.symbol for market in self.markets)}",
        )


class Recorded(msgspec.Struct, frozen=True):
    """The record a command became."""

    seq: int
    events: list[AnyEvent]


class AdminClient:
    """Speaks to /admin/v1 of one exchange with one admin's key. Failures end the program with their exit code."""

    def __init__(self, url: str, key: KeyFile) -> None:
        self._http = httpx.Client(base_url=url, timeout=TIMEOUT_S)
        self._key = key

    def venue(self) -> Venue:
        return msgspec.json.decode(self._request("GET", "/admin/v1/status"), type=Venue)

    def execute(self, command: AdminCommand) -> Recorded:
        """Have `command` carried out; the server fills in who asked, from the key."""
        fields: dict[str, Any] = msgspec.to_builtins(command)
        del fields["admin"]
        return msgspec.json.decode(
            self._request("POST", "/admin/v1/commands", msgspec.json.encode(fields)), type=Recorded
        )

    def _request(self, method: str, path: str, body: bytes = b"") -> bytes:
        timestamp_ms = time.time_ns() // 1_000_000
        signed = (
            f"instruction=admin&body={sha256(body).hexdigest()}&method={method}&path={path}"
            f"&timestamp={timestamp_ms}&window={WINDOW_MS}"
        )
        headers = {
            "Content-Type": "application/json",
            "X-API-Key": self._key.api_key,
            "X-Timestamp": str(timestamp_ms),
            "X-Window": str(WINDOW_MS),
            "X-Signature": self._key.sign(signed),
        }
        try:
            answer = self._http.request(method, path, content=body, headers=headers)
        except httpx.TransportError as error:
            stop(Exit.UNREACHABLE, f"no exchange answers at {self._http.base_url} ({error})", "exchange serve")
        if answer.is_success:
            return answer.content
        try:
            refusal = msgspec.json.decode(answer.content, type=Refused)
        except msgspec.MsgspecError:
            stop(Exit.REFUSED, f"HTTP {answer.status_code}: {answer.text[:500]}")
        stop(Exit.REFUSED, f"{refusal.code}: {refusal.message}")


class Session(msgspec.Struct):
    """What the options of `exchange admin` say, for its commands."""

    client: AdminClient
    as_json: bool


def send(context: typer.Context, command: AdminCommand) -> Recorded:
    """Have a command carried out and say what became of it."""
    session: Session = context.obj
    recorded = session.client.execute(command)
    if session.as_json:
        typer.echo(msgspec.json.encode(recorded))
    else:
        console.print(f"[green]done[/], recorded at seq {recorded.seq}")
        for event in recorded.events:
            console.print(f"  {msgspec.json.encode(event).decode()}", soft_wrap=True, markup=False)
    return recorded


def venue_of(context: typer.Context) -> Venue:
    session: Session = context.obj
    return session.client.venue()
