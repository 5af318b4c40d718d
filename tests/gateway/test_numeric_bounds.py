"""Every numeric parameter of every operation and frame, at the numbers where programs break.

None is answered by a server error, none hangs, and what is refused is refused in the protocol's words.
"""

import asyncio
import copy
import json
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import pytest

from exchange.core.invariants import violations
from exchange.gateway.application import OPERATIONS
from exchange.gateway.rest.operations import Authority, Operation
from exchange.gateway.session import methods
from exchange.values.refusals import Code
from tests import websocket_page
from tests.gateway.http_venue import SYMBOL, HttpVenue, Reply
from tests.gateway.live_venue import LiveVenue
from tests.gateway.session_client import Client

NUMBERS: Final = (0, -1, 2**31, 2**53, 2**63, 10**30)
#: What JSON can spell besides.
SPELLINGS: Final = ("1e30", "1e400", "-1e-400", "0.1")
ANSWER_TIMEOUT_S: Final = 10.0

Path = tuple[str | int, ...]
Info = msgspec.inspect


def numeric(shown: Any) -> Iterator[Path]:
    """Where a type holds numbers, or text that may be one."""
    if isinstance(shown, Info.StructType):
        for field in shown.fields:
            for path in numeric(field.type):
                yield (field.encode_name, *path)
    elif isinstance(shown, Info.ListType | Info.VarTupleType):
        for path in numeric(shown.item_type):
            yield (0, *path)
    elif isinstance(shown, Info.UnionType):
        yield from dict.fromkeys(path for part in shown.types for path in numeric(part))
    elif isinstance(shown, Info.IntType | Info.FloatType | Info.RawType):
        yield ()


def scalars(shown: Any) -> Iterator[str]:
    """The fields of a query; all of them are text on the way."""
    for field in shown.fields:
        if any(isinstance(part, Info.IntType | Info.StrType) for part in getattr(field.type, "types", (field.type,))):
            yield field.encode_name


def put(body: Any, path: Path, value: str) -> bytes:
    """`body` with `value`, JSON as it is written, at `path`."""
    changed = copy.deepcopy(body)
    at = changed
    for step in path[:-1]:
        at = at[step] if isinstance(step, int) else at.setdefault(step, {})
    if path:
        at[path[-1]] = "@"
    return json.dumps(changed).replace('"@"', value).encode()


def ids(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"


def in_words(answer: Reply, operation: Operation) -> None:
    """An answer, or a refusal that says why; of this venue, what needs the maintenance desk is not here."""
    if answer.status < 400:
        return
    status, code, message = answer.refusal
    assert code in set(Code)
    assert message
    no_desk = operation.path in _OF_THE_DESK and code == Code.MAINTENANCE
    assert status < 500 or code == Code.NOT_IMPLEMENTED or no_desk, answer.text


_OF_THE_DESK: Final = ("/admin/v1/gates", "/api/v1/maintenance/proof")


async def ask(venue: HttpVenue, operation: Operation, body: bytes | None, query: dict[str, Any] | None) -> Reply:
    async with asyncio.timeout(ANSWER_TIMEOUT_S):
        if operation.authority is Authority.PUBLIC:
            return await venue.get(operation.path, **(query or {}))
        signer = venue.founder if operation.authority is Authority.ADMIN else venue.ann
        return await venue.ask(signer, operation.method, operation.path, body, query=query)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "operation", [operation for operation in OPERATIONS if operation.method == "GET" and operation.params], ids=ids
)
async def test_numbers_in_a_query(venue: HttpVenue, operation: Operation) -> None:
    usual = {"symbol": SYMBOL, "interval": "1m", "startTime": "0", "side": "Bid"}
    names = set(scalars(msgspec.inspect.type_info(operation.params)))
    usual = {name: value for name, value in usual.items() if name in {*names, "interval", "side"}}
    for name in names:
        for value in (*map(str, NUMBERS), *SPELLINGS):
            in_words(await ask(venue, operation, None, {**usual, name: value}), operation)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("interval", ["1s", "1w", "1month"])
async def test_candles_beyond_the_calendar(venue: HttpVenue, interval: str) -> None:
    last_s = 253_402_300_799
    for start_s in (last_s, last_s - 86_400 * 31, 0):
        query = {"symbol": SYMBOL, "interval": interval, "startTime": start_s, "endTime": last_s}
        answer = await venue.get("/api/v1/klines", **query)
        assert answer.status == 200
        assert start_s == 0 or answer.json == []


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "operation",
    [
        operation
        for operation in OPERATIONS
        if operation.params and operation.request_example and any(numeric(msgspec.inspect.type_info(operation.params)))
    ],
    ids=ids,
)
async def test_numbers_in_a_body(venue: HttpVenue, operation: Operation) -> None:
    body = copy.deepcopy(operation.request_example)
    if "plan" in body:
        now_us = venue.clock.now_us()
        body["plan"] |= {f"{step}_at_us": now_us + 3_600_000_000 * at for at, step in enumerate(_STEPS, 1)}
    account = venue.life.venue.key(venue.ann.public_key)
    if "account" in body and account is not None:
        body["account"] = account.account
    for path in numeric(msgspec.inspect.type_info(operation.params)):
        for value in (*map(str, NUMBERS), *SPELLINGS, *(f'"{number}"' for number in NUMBERS)):
            in_words(await ask(venue, operation, put(body, path, value), None), operation)


_STEPS: Final = ("offline", "post_only", "full")


@pytest.mark.asyncio(loop_scope="module")
async def test_numbers_in_the_head(venue: HttpVenue) -> None:
    for name in ("X-Timestamp", "X-Window"):
        for value in (*map(str, NUMBERS), *SPELLINGS):
            answer = await venue.ask(venue.ann, "GET", "/api/v1/capital", headers={name: value})
            # A window of 0 is a good one for a request of this very millisecond; only it isn't what was signed.
            assert answer.refusal[:2] in ((400, "INVALID_CLIENT_REQUEST"), (401, "INVALID_SIGNATURE"))


@pytest.mark.asyncio(loop_scope="module")
async def test_the_books_are_whole_after_all_that(venue: HttpVenue) -> None:
    assert violations(venue.life.state) == []
    assert (await venue.get("/api/v1/markets")).status == 200
    assert (await venue.ask(venue.founder, "GET", "/admin/v1/status")).status == 200


@pytest.mark.parametrize("name", sorted(methods.NAMES))
async def test_numbers_in_a_frame(name: str) -> None:
    venue = LiveVenue()
    client = Client(venue)
    logs_in = name == "session.login"
    if not logs_in:
        assert (await client.login(venue.trader()))["status"] == 200
    frame = websocket_page.frame(name)
    kind = type(methods.decode(json.dumps(frame)))
    for path in numeric(msgspec.inspect.type_info(kind)):
        for value in (*map(str, NUMBERS), *SPELLINGS, *(f'"{number}"' for number in NUMBERS)):
            [answer] = await client.frame(put(frame, path, value))
            error = answer.get("error", {"code": "", "message": "none"})
            assert answer.get("status", 400) < 500 or error["code"] == Code.NOT_IMPLEMENTED, (path, value, answer)
            assert error["message"]
    assert (await client.call("order.cancelAll", {"symbol": SYMBOL}))["status"] == (401 if logs_in else 200)
