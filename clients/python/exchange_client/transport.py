"""Signed and unsigned HTTP requests, and what may be concluded when one fails."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

import httpx
import msgspec

from exchange_client.codec import MALFORMED, decode, encode
from exchange_client.decimals import Scalar, text
from exchange_client.errors import ExchangeError, NotConnected, OutcomeUnknown
from exchange_client.signing import Keypair

CONNECT_TIMEOUT_S: Final = 5.0
ANSWER_TIMEOUT_S: Final = 10.0
IDLE_CONNECTION_S: Final = 3.0
"""Shorter than servers keep one: an order sent just as the other side hangs up would have no known outcome."""
READ_ATTEMPTS: Final = 3
RETRY_DELAY_S: Final = 0.2
RETRY_AFTER_S: Final = 2
"""A change that is refused for no longer than this, as one is just after a start, is signed and sent once more."""
UNDECIDED: Final = frozenset({"TIMEOUT", "HTTP_502", "HTTP_504"})
"""Answers to a change that don't say whether it was carried out."""

T = TypeVar("T")
Params = Mapping[str, Scalar | None]
"""Parameters by name; those that are None are not sent."""


class _ErrorBody(msgspec.Struct):
    code: str
    message: str


class Transport:
    """Requests to one base URL, signed with one keypair where an instruction is given."""

    def __init__(self, url: str, keypair: Keypair | None) -> None:
        self._keypair = keypair
        self._http = httpx.AsyncClient(
            base_url=url,
            timeout=httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            limits=httpx.Limits(keepalive_expiry=IDLE_CONNECTION_S),
            trust_env=False,
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def read(self, kind: type[T], path: str, params: Params | None = None, instruction: str | None = None) -> T:
        return decode(await self.read_body(path, params, instruction), kind)

    async def read_body(self, path: str, params: Params | None = None, instruction: str | None = None) -> bytes:
        """The answer to a GET, tried again while the exchange is out of reach or asks for patience."""
        given = present(params or {})
        for attempt in range(1, READ_ATTEMPTS + 1):
            headers = self._signed(instruction, [given]) if instruction else {}
            query = {name: text(value) for name, value in given.items()}
            try:
                return _accepted(await self._http.get(path, params=query, headers=headers))
            except ExchangeError as refusal:
                if not refusal.transient or attempt == READ_ATTEMPTS:
                    raise
            except httpx.TransportError as error:
                if attempt == READ_ATTEMPTS:
                    raise NotConnected(f"GET {path}: {error or type(error).__name__}") from error
            await asyncio.sleep(RETRY_DELAY_S * attempt)
        raise AssertionError("every attempt returns or raises")

    async def change(
        self,
        method: str,
        path: str,
        instruction: str,
        body: Mapping[str, Scalar] | Sequence[Mapping[str, Scalar]],
        client_id: int | None = None,
    ) -> bytes:
        """The answer to a change. One refused for a moment was not carried out: it is signed anew, and sent again."""
        try:
            answer = await self._sent(method, path, instruction, body, client_id)
            wait_s = _moment_s(answer)
            if wait_s:
                await asyncio.sleep(wait_s)
                answer = await self._sent(method, path, instruction, body, client_id)
            return _accepted(answer)
        except ExchangeError as refusal:
            if refusal.code in UNDECIDED:
                raise OutcomeUnknown(f"{method} {path}", client_id) from refusal
            raise

    async def _sent(
        self,
        method: str,
        path: str,
        instruction: str,
        body: Mapping[str, Scalar] | Sequence[Mapping[str, Scalar]],
        client_id: int | None,
    ) -> httpx.Response:
        items = [body] if isinstance(body, Mapping) else body
        headers = self._signed(instruction, items) | {"Content-Type": "application/json"}
        try:
            answer = await self._http.request(method, path, content=encode(body), headers=headers)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise NotConnected(f"{method} {path}: {error}") from error
        except httpx.TransportError as error:
            raise OutcomeUnknown(f"{method} {path}", client_id) from error
        if answer.status_code == httpx.codes.ACCEPTED:
            raise OutcomeUnknown(f"{method} {path}", client_id)
        return answer

    def _signed(self, instruction: str, items: Sequence[Mapping[str, Scalar]]) -> dict[str, str]:
        if self._keypair is None:
            raise ValueError("this call needs a keypair")
        return self._keypair.headers(instruction, items)


def _accepted(answer: httpx.Response) -> bytes:
    """The body of an answer. Raises ExchangeError for a refusal."""
    if answer.is_success:
        return answer.content
    try:
        refusal = decode(answer.content, _ErrorBody)
    except MALFORMED:
        raise ExchangeError(f"HTTP_{answer.status_code}", answer.text, answer.status_code) from None
    raise ExchangeError(refusal.code, refusal.message, answer.status_code)


def _moment_s(answer: httpx.Response) -> int:
    """How long a refused change is to wait; 0 for one that was taken, is wrong, or would wait longer than a moment."""
    if answer.status_code not in (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE):
        return 0
    wait = answer.headers.get("Retry-After", "")
    return int(wait) if wait.isdecimal() and int(wait) <= RETRY_AFTER_S else 0


def present(params: Params) -> dict[str, Scalar]:
    return {name: value for name, value in params.items() if value is not None}
