"""Signed admin requests: any admin command out, its record's events back."""

import shlex
import sys
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import httpx
import msgspec
import typer

from exchange.cli.exits import Exit, console, result, stop
from exchange.cli.keys import KeyFile
from exchange.core.machine import TAKES_TWO
from exchange.gateway.auth import DEFAULT_WINDOW_MS, SignedFields, body_fields, signing_text
from exchange.gateway.rest.admin_api import GATES, PATHS, STATUS, AdminPath, Overview, Recorded
from exchange.values.commands import AdminCommand
from exchange.values.enums import Role
from exchange.values.listings.specs import AssetSpec
from exchange.values.listings.views import MarketView
from exchange.values.people.events import CommandProposed
from exchange.values.refusals import Refusal
from exchange.values.text import visible
from exchange.values.times import utc_text
from exchange.values.windows.plan import WindowId

Reason = Annotated[str, typer.Option(help="Why; kept in the record, and shown to the public where it shuts something.")]

TIMEOUT_S = 10.0
#: A request that is refused for no longer than this is signed and sent once more.
RETRY_AFTER_S = 2


class AdminClient:
    """Speaks to /admin/v1 of one exchange with one admin's key. Failures end the program with their exit code."""

    def __init__(self, url: str, key: KeyFile) -> None:
        self._http = httpx.Client(base_url=url, timeout=TIMEOUT_S)
        self._key = key

    def venue(self) -> Overview:
        return msgspec.json.decode(self._request("GET", STATUS), type=Overview)

    def execute(self, command: AdminCommand) -> Recorded:
        """Have `command` carried out; the server fills in who asked, from the key."""
        fields: dict[str, Any] = msgspec.to_builtins(command)
        del fields["type"], fields["admin"]
        return msgspec.json.decode(self._request("POST", PATHS[type(command)], fields), type=Recorded)

    def run_gates(self, window: WindowId, reason: str) -> None:
        self._request("POST", GATES, {"window": window, "reason": reason})

    def _request(self, method: str, to: AdminPath, fields: dict[str, Any] | None = None) -> bytes:
        body = b"" if fields is None else msgspec.json.encode(fields)
        answer = self._send(method, to, body)
        wait = answer.headers.get("Retry-After", "")
        if not answer.is_success and wait.isdecimal() and int(wait) <= RETRY_AFTER_S:
            # Nothing was done: the exchange has just started, say, and wants it signed again.
            time.sleep(int(wait))
            answer = self._send(method, to, body)
        if answer.is_success:
            return answer.content
        try:
            refusal = msgspec.json.decode(answer.content, type=Refusal)
        except msgspec.MsgspecError:
            stop(Exit.REFUSED, f"HTTP {answer.status_code}: {answer.text[:500]}")
        stop(Exit.REFUSED, f"{refusal.code}: {refusal.message}")

    def _send(self, method: str, to: AdminPath, body: bytes) -> httpx.Response:
        timestamp, window = str(time.time_ns() // 1_000_000), str(DEFAULT_WINDOW_MS)
        signed = body_fields(body)
        assert not isinstance(signed, Refusal)
        headers = {
            "Content-Type": "application/json",
            "X-API-Key": self._key.api_key,
            "X-Timestamp": timestamp,
            "X-Window": window,
            "X-Signature": self._key.sign(signing_text(SignedFields(to.instruction, (signed,)), timestamp, window)),
        }
        try:
            return self._http.request(method, to.path, content=body, headers=headers)
        except httpx.TransportError as error:
            stop(Exit.UNREACHABLE, f"no exchange answers at {self._http.base_url} ({error})", "exchange serve")


class Session:
    """What the options of `exchange admin` say, for its commands; help needs neither key nor exchange."""

    def __init__(self, connect: Callable[[], AdminClient], as_json: bool, data: Path) -> None:
        self._connect = connect
        self.as_json = as_json
        self.data = data

    @cached_property
    def client(self) -> AdminClient:
        return self._connect()


def send(context: typer.Context, command: AdminCommand) -> Recorded:
    """Have a command carried out and say what became of it."""
    session: Session = context.obj
    recorded = session.client.execute(command)
    if session.as_json:
        result(msgspec.json.encode(recorded))
        return recorded
    proposed = [event for event in recorded.events if isinstance(event, CommandProposed)]
    if proposed:
        _say_proposed(proposed[0])
    else:
        console.print(f"[green]done[/], recorded at seq {recorded.seq}")
    for event in recorded.events:
        console.print(f"  {visible(msgspec.json.encode(event).decode())}", soft_wrap=True, markup=False)
    return recorded


def _say_proposed(proposed: CommandProposed) -> None:
    role = TAKES_TWO[type(proposed.command)]
    who = "a second approver" if role is Role.APPROVER else f"an approver (or, if you are one, the role {role})"
    console.print(f"[yellow]proposed[/] as {proposed.proposal}, not done: {who}", soft_wrap=True)
    console.print(f"runs the same command until {utc_text(proposed.expires_us)}:", markup=False, soft_wrap=True)
    console.print(f"  {visible(_same_command(sys.argv[1:]))}", soft_wrap=True, markup=False)


def _same_command(words: list[str]) -> str:
    """What was typed, with somebody else's key and reason."""
    kept, skip = [], False
    for word in words:
        name, with_value, _ = word.partition("=")
        if not skip and name not in ("--key", "--reason"):
            kept.append(word)
        skip = not skip and name in ("--key", "--reason") and not with_value
    group, *rest = kept
    return f"exchange {group} --key THEIR-KEY.json {shlex.join(rest)} --reason THEIR-REASON"


def venue_of(context: typer.Context) -> Overview:
    session: Session = context.obj
    return session.client.venue()


def asset_of(venue: Overview, symbol: str) -> AssetSpec:
    for asset in venue.assets:
        if asset.symbol == symbol:
            return asset
    stop(Exit.USAGE, f"asset {symbol} is not listed; there are {', '.join(asset.symbol for asset in venue.assets)}")


def market_of(venue: Overview, symbol: str) -> MarketView:
    for market in venue.markets:
        if market.spec.symbol == symbol:
            return market
    listed = ", ".join(market.spec.symbol for market in venue.markets)
    stop(Exit.USAGE, f"market {symbol} is not listed; there are {listed}")
