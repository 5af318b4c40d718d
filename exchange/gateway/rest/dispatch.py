"""The way of one HTTP request: admitted? whose? well formed? then its handler, and the answer's bytes.

It works on the bare ASGI scope, so that the order path can be answered ahead of the framework and
everything else through it, by the same code.
"""

import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, Final

import msgspec
import structlog
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from exchange.gateway.admission import Admission, batch_size, too_many
from exchange.gateway.auth import (
    DEFAULT_WINDOW_MS,
    SIGN_AGAIN_S,
    Authenticator,
    Credentials,
    Field,
    SignedFields,
    batch_fields,
    body_fields,
    proved,
    query_fields,
)
from exchange.gateway.rest.operations import Answer, Authority, Operation
from exchange.gateway.windows.wire import opens_in_s
from exchange.gateway.wire.errors import UNREADABLE, error_body, http_status, invalid, unfit_parameter, unparsable
from exchange.runtime.port import Exchange, NotNow
from exchange.values import record
from exchange.values.accounts.views import KeyView
from exchange.values.enums import Scope
from exchange.values.people.views import AdminView
from exchange.values.refusals import Code, Refusal

HttpScope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

#: In the scope of a request that was refused for the number of those whose sender nobody has proved.
OVER_LIMIT: Final = "exchange.over_limit"

_NO_READ: Final = Refusal(Code.FORBIDDEN, "The API key may not do this")
_TOO_LARGE: Final = invalid("Request body is too large")
_IN_FLIGHT: Final = Refusal(Code.TOO_MANY_REQUESTS, "Too many requests of this account wait for their answer")

#: Conditions of the process that keep nobody waiting.
_LASTING: Final = ("loop", "certificates")

_encode: Final = msgspec.json.Encoder().encode
_log: Final = structlog.get_logger(__name__)


class Dispatcher(Collector):
    """Answers operations, and counts what was refused over HTTP, here or by the exchange."""

    def __init__(self, exchange: Exchange, authenticator: Authenticator, admission: Admission) -> None:
        self._exchange = exchange
        self._authenticator = authenticator
        self._admission = admission
        self._decoders: dict[Any, msgspec.json.Decoder[Any]] = {}
        self._refusals: Counter[Code] = Counter()

    def collect(self) -> Iterable[Metric]:
        refusals = CounterMetricFamily("exchange_http_refusals", "Requests refused over HTTP, by code", labels=["code"])
        for code, count in self._refusals.items():
            refusals.add_metric([code], count)
        yield refusals

    async def answer(self, operation: Operation, scope: HttpScope, receive: Receive) -> Answer:
        """The answer to a request for `operation`. Raises nothing a client could cause."""
        try:
            result = await self._result(operation, scope, receive)
        except NotNow as error:
            result = error.refusal
        except Exception:
            error_id = secrets.token_hex(6)
            _log.exception("request failed", method=operation.method, path=operation.path, error_id=error_id)
            result = Refusal(Code.SERVER_ERROR, f"Internal error {error_id}")
        if isinstance(result, Answer):
            return result
        if isinstance(result, Refusal):
            return self.refuse(result, headers=self._when(result.code))
        return Answer(body=_encode(result))

    def _when(self, code: Code) -> tuple[tuple[str, str], ...]:
        """When a client may ask again: soon where it passes by itself, else not before the window goes on."""
        if code is Code.TOO_MANY_REQUESTS:
            return (("Retry-After", "1"),)
        if code is not Code.MAINTENANCE:
            return ()
        if any(condition.part not in _LASTING for condition in self._exchange.status().conditions):
            return (("Retry-After", "1"),)
        wait_s = opens_in_s(self._exchange.maintenance(), self._exchange.now_us())
        return (("Retry-After", str(wait_s)),) if wait_s else ()

    def refuse(self, refusal: Refusal, status: int | None = None, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
        self._refusals[refusal.code] += 1
        return Answer(status or http_status(refusal.code), error_body(refusal), headers=headers)

    def wait(self, wait_s: int, refusal: Refusal | None = None) -> Answer:
        return self.refuse(refusal or too_many(wait_s), headers=(("Retry-After", str(wait_s)),))

    async def _result(self, operation: Operation, scope: HttpScope, receive: Receive) -> object:
        if operation.authority is Authority.PUBLIC:
            wait_s = self.address_wait_s(scope, history=operation.history)
            if wait_s:
                return self.wait(wait_s)
        body = b"" if operation.method == "GET" else await _read_body(receive, self._admission.limits.body_bytes)
        if body is None:
            return self._malformed(scope, self.refuse(_TOO_LARGE, status=413, headers=(("Connection", "close"),)))
        if isinstance(body, Refusal):
            return self._malformed(scope, body)
        query = query_fields(scope["query_string"].decode("latin-1"))
        if operation.authority is Authority.PUBLIC:
            return await self._handle(operation, query, body, address=address_of(scope))
        return await self._signed(operation, scope, query, body)

    def address_wait_s(self, scope: HttpScope, requests: int = 1, *, history: bool = False) -> int:
        """0, and counted as so many unsigned requests of its address; or the seconds it has to wait."""
        address, now_us = address_of(scope), self._exchange.now_us()
        wait_s = self._admission.addresses.wait_s(address, now_us, requests)
        if not wait_s and history:
            wait_s = self._admission.history.wait_s(address, now_us)
        if wait_s:
            scope[OVER_LIMIT] = True
        return wait_s

    def _malformed(self, scope: HttpScope, refused: Refusal | Answer) -> Refusal | Answer:
        """What can't even be verified counts as unsigned."""
        wait_s = self.address_wait_s(scope)
        return self.wait(wait_s) if wait_s else refused

    # --- whose is it ----------------------------------------------------------------------------------

    async def _signed(self, operation: Operation, scope: HttpScope, query: list[Field], body: bytes) -> object:
        address, credentials, now_us = address_of(scope), _credentials(scope["headers"]), self._exchange.now_us()
        api_key = credentials.api_key if credentials else ""
        wait_s = self._admission.vain_s(address, api_key, now_us)
        if wait_s:
            scope[OVER_LIMIT] = True
            return self.wait(wait_s)
        signed = _signed_fields(operation, query, body)
        if isinstance(signed, Refusal):
            return self._malformed(scope, signed)
        if not 1 <= len(signed.usual) <= self._admission.limits.batch_orders:
            return self._malformed(scope, batch_size(self._admission.limits.batch_orders))
        prove = self._authenticator.admin if operation.authority is Authority.ADMIN else self._authenticator.trader
        changes = operation.changes and not operation.repeatable
        caller: KeyView | tuple[AdminView, record.Signed] | Refusal = prove(credentials, signed, changes=changes)
        if isinstance(caller, Refusal):
            if not proved(caller):
                self._admission.failed(address, api_key, now_us)
                return caller
            wait_s = self._admission.addresses.wait_s(address, now_us)
            return self.wait(wait_s) if wait_s else self.wait(SIGN_AGAIN_S, caller)
        self._admission.proved(address, api_key)
        if isinstance(caller, tuple):
            return await self._handle(operation, query, body, caller[0], signed=caller[1])
        return await self._for_account(operation, query, body, caller, len(signed.usual))

    async def _for_account(
        self, operation: Operation, query: list[Field], body: bytes, key: KeyView, cost: int
    ) -> object:
        now_us, cancels = self._exchange.now_us(), operation.cancels
        wait_s = self._admission.account_wait_s(key.account, now_us, cost, cancels=cancels)
        if wait_s:
            return self.wait(wait_s)
        if not operation.changes and Scope.READ not in key.scopes:
            return _NO_READ
        if not self._admission.enter(key.account, cancels=cancels):
            return self.wait(1, _IN_FLIGHT)
        try:
            return await self._handle(operation, query, body, key)
        finally:
            self._admission.leave(key.account)

    # --- what is asked --------------------------------------------------------------------------------

    async def _handle(
        self,
        operation: Operation,
        query: list[Field],
        body: bytes,
        caller: KeyView | AdminView | None = None,
        address: str = "",
        signed: record.Signed | None = None,
    ) -> object:
        arguments: list[object] = [self._exchange] if caller is None else [self._exchange, caller]
        if operation.params is not None:
            params = self._params(operation, query, body)
            if isinstance(params, Refusal):
                return params
            arguments.append(params)
        if operation.by_address:
            arguments.append(address)
        if operation.by_signature:
            arguments.append(signed)
        return await operation.handler(*arguments)

    def _params(self, operation: Operation, query: list[Field], body: bytes) -> object:
        if operation.method == "GET" or (operation.method == "DELETE" and query and not body_fields(body)):
            try:
                return msgspec.convert(_query_values(query, operation.params), operation.params, strict=False)
            except msgspec.MsgspecError as error:
                return unfit_parameter(error)
        try:
            decoder = self._decoders.get(operation.params)
            if decoder is None:
                decoder = self._decoders[operation.params] = msgspec.json.Decoder(operation.params)
            return decoder.decode(body)
        except msgspec.MsgspecError as error:
            return unparsable(error)
        except (RecursionError, UnicodeDecodeError):
            return UNREADABLE


def _signed_fields(operation: Operation, query: list[Field], body: bytes) -> SignedFields | Refusal:
    if operation.method == "GET":
        return SignedFields(operation.instruction, (query,))
    if body.lstrip()[:1] == b"[":
        batch = batch_fields(body)
        return batch if isinstance(batch, Refusal) else SignedFields(operation.instruction, batch)
    fields = body_fields(body)
    if isinstance(fields, Refusal):
        return fields
    if operation.method == "DELETE" and not fields:
        return SignedFields(operation.instruction, (query,))
    return SignedFields(operation.instruction, (fields,), query)


def _query_values(query: list[Field], params: Any) -> dict[str, Any]:
    """By name; what the parameters declare as a list keeps every value, of anything else the last one counts."""
    lists = _list_fields(params)
    values: dict[str, Any] = {}
    for name, value in query:
        if name in lists:
            values.setdefault(name, []).append(value)
        else:
            values[name] = value
    return values


_LIST_FIELDS: Final[dict[Any, frozenset[str]]] = {}


def _list_fields(params: Any) -> frozenset[str]:
    found = _LIST_FIELDS.get(params)
    if found is None:
        described = msgspec.inspect.type_info(params)
        fields = described.fields if isinstance(described, msgspec.inspect.StructType) else ()
        found = frozenset(
            field.encode_name
            for field in fields
            if isinstance(field.type, msgspec.inspect.ListType | msgspec.inspect.VarTupleType)
        )
        _LIST_FIELDS[params] = found
    return found


async def _read_body(receive: Receive, limit: int) -> bytes | Refusal | None:
    """The whole body; None if it is larger than `limit`. One that breaks off is refused: what is signed in the query
    would be carried out although its sender was told that the request never arrived, or told nothing."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return UNREADABLE
        chunk: bytes = message.get("body", b"")
        if len(body) + len(chunk) > limit:
            return None
        if not message.get("more_body", False):
            return bytes(body + chunk) if body else chunk
        body += chunk


def _credentials(headers: list[tuple[bytes, bytes]]) -> Credentials | None:
    found = _picked(headers)
    key, signature, timestamp = found.get(b"x-api-key"), found.get(b"x-signature"), found.get(b"x-timestamp")
    if key is None or signature is None or timestamp is None:
        return None
    return Credentials(key, signature, timestamp, found.get(b"x-window", str(DEFAULT_WINDOW_MS)), found.get(b"x-nonce"))


def _picked(headers: list[tuple[bytes, bytes]]) -> Mapping[bytes, str]:
    return {name: value.decode("latin-1") for name, value in headers if name[:2] == b"x-"}


def address_of(scope: HttpScope) -> str:
    """Whose request it is, as limits count."""
    client = scope.get("client")
    return client[0] if client else ""
