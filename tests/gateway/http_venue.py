"""A really running venue behind the HTTP application, with traders and an admin whose keys we hold.

Requests go through the whole application, by ASGI, without a socket; the venue's clock is moved by hand.
"""

from base64 import b64encode
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
from nacl.signing import SigningKey

from exchange.core.digest import digest
from exchange.gateway.admission import Admission, GatewayLimits
from exchange.gateway.application import OPERATIONS, create_app
from exchange.gateway.auth import (
    Authenticator,
    Field,
    SignedFields,
    batch_fields,
    body_fields,
    query_fields,
    signing_text,
)
from exchange.gateway.rest.operations import Operation
from exchange.runtime.core.life import Life
from exchange.values.accounts.commands import AddKey
from exchange.values.enums import Mode, Role, Scope
from exchange.values.ids import AccountId
from exchange.values.modes.commands import SetMode
from exchange.values.people.admins import AdminSpec
from exchange.values.people.commands import AddAdmin
from exchange.values.people.events import AdminAdded
from exchange.values.refusals import Refusal
from tests import venue as core
from tests.runtime.running import HandClock, done, running, write_journal

WINDOW = "5000"
_TABLE: dict[tuple[str, str], Operation] = {(operation.method, operation.path): operation for operation in OPERATIONS}
SYMBOL = core.SOL_USDC.symbol


class Signer:
    """An Ed25519 key that signs requests."""

    def __init__(self, number: int) -> None:
        self._key = SigningKey(number.to_bytes(32, "big"))
        self.public_key = b64encode(bytes(self._key.verify_key)).decode()

    def sign(self, text: str) -> str:
        return b64encode(self._key.sign(text.encode()).signature).decode()


class Reply:
    """An answer: its status, its JSON (or text), its headers."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.text = response.text
        self.media_type = response.headers.get("content-type", "").partition(";")[0]
        self.json: Any = msgspec.json.decode(response.content) if self.media_type == "application/json" else None

    @property
    def refusal(self) -> tuple[int, str, str]:
        return self.status, self.json["code"], self.json["message"]


class HttpVenue:
    """The application and those who use it.

    `ann` and `bob` trade; `reader` may only read for ann, `blind` only trade; `founder` is an admin of all roles,
    `auditor` one who only looks.
    """

    def __init__(self, life: Life, clock: HandClock, limits: GatewayLimits) -> None:
        self.life = life
        self.clock = clock
        self.admission = Admission(limits)
        self.app = create_app(life.venue, Authenticator(life.venue), self.admission)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://venue")
        signers = [Signer(number) for number in range(1, 7)]
        self.ann, self.bob, self.reader, self.founder, self.auditor, self.blind = signers

    async def deposit_numbers(self) -> dict[str, int]:
        """The last number of each source, as an admin reads them."""
        return await self.life.venue.deposit_numbers()

    @property
    def digest(self) -> str:
        return digest(self.life.state)

    @property
    def seq(self) -> int:
        return self.life.state.seq

    async def get(self, path: str, **query: Any) -> Reply:
        """An unsigned GET."""
        return Reply(await self.http.get(path, params=query))

    async def ask(
        self,
        signer: Signer,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """A signed request; each is stamped a millisecond later than the one before. `body` is sent as it is if it
        is bytes."""
        self.clock.pass_s(0.001)
        content = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        text = str(httpx.QueryParams(query or {}))
        signed = self.headers(signer, method, path, content, text)
        url = f"{path}?{text}" if text else path
        return Reply(await self.http.request(method, url, content=content, headers={**signed, **(headers or {})}))

    def headers(
        self, signer: Signer, method: str, path: str, content: bytes = b"", query: str = "", nonce: str | None = None
    ) -> dict[str, str]:
        """What a client sends with a request stamped now."""
        operation = _TABLE[method, path]
        stamp = str(self.clock.now_us() // 1_000)
        signed = SignedFields(operation.instruction, _usual(operation, content, query))
        text = signing_text(signed, stamp, WINDOW)
        return {
            "X-API-Key": signer.public_key,
            "X-Timestamp": stamp,
            "X-Window": WINDOW,
            "X-Signature": signer.sign(text if nonce is None else f"{text}&nonce={nonce}"),
            **({} if nonce is None else {"X-Nonce": nonce}),
        }


def _usual(operation: Operation, content: bytes, query: str) -> list[list[Field]]:
    if operation.method == "GET" or (operation.method == "DELETE" and not content):
        return [query_fields(query)]
    if content.startswith(b"["):
        batch = batch_fields(content)
        return [[]] if isinstance(batch, Refusal) else batch
    fields = body_fields(content)
    return [[] if isinstance(fields, Refusal) else fields]


@asynccontextmanager
async def http_venue(data_dir: Path, limits: GatewayLimits | None = None) -> AsyncIterator[HttpVenue]:
    """A new venue in mode FULL; each trader has a million of either asset."""
    founded = core.Venue()
    ann, bob = founded.account({}), founded.account({})
    made = [Signer(number).public_key for number in range(1, 7)]
    keys: Iterable[tuple[str, AccountId, tuple[Scope, ...]]] = (
        (made[0], ann, (Scope.READ, Scope.TRADE)),
        (made[1], bob, (Scope.READ, Scope.TRADE)),
        (made[2], ann, (Scope.READ,)),
        (made[5], ann, (Scope.TRADE,)),
    )
    for public_key, account, scopes in keys:
        founded.expect(AddKey(core.ADMIN, account, public_key, scopes, reason="test"))
    [founder] = founded.expect(AddAdmin(core.ADMIN, AdminSpec("founder", made[3], core.ALL_ROLES), "test"))
    assert isinstance(founder, AdminAdded)
    founded.agree(AddAdmin(core.ADMIN, AdminSpec("auditor", made[4], (Role.AUDITOR,)), "test"), founder.admin)
    await write_journal(data_dir, founded.records)
    clock = HandClock()
    async with running(data_dir, clock) as life:
        for mode in (Mode.POST_ONLY, Mode.FULL):
            await done(life.venue, SetMode(core.ADMIN, mode, "test"))
        for account in (ann, bob):
            for asset in (core.SOL, core.USDC):
                atoms = 10 ** (6 + asset.decimals)
                await done(life.venue, core.deposit(life.state, account, asset.symbol, atoms, f"{asset}{account}"))
        venue = HttpVenue(life, clock, limits or GatewayLimits(requests_per_minute=1_000_000))
        async with venue.http:
            yield venue
