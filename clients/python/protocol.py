"""Requests and answers of the trading protocol: JSON frames, matched by their `id`."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from clients.python.errors import ExchangeError, NotPlaced
from clients.python.models import Order
from clients.python.orders import decode_batch


class ErrorBody(msgspec.Struct, frozen=True):
    code: str
    message: str


class Answer(msgspec.Struct, frozen=True):
    id: int | None = None
    status: int = 400
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: ErrorBody | None = None

    def accepted(self) -> msgspec.Raw:
        """The result. Raises ExchangeError for a refusal."""
        if self.error is not None:
            raise ExchangeError(self.error.code, self.error.message, self.status)
        return self.result


decode_answer: Final = msgspec.json.Decoder(Answer).decode
decode_order: Final = msgspec.json.Decoder(Order).decode
decode_orders: Final = msgspec.json.Decoder(list[Order]).decode


class Request:
    """A request in flight.

    `recover` finds its outcome on a later connection; a request without it fails with its connection.
    """

    def __init__(
        self, decode: Callable[[msgspec.Raw], object], recover: Callable[[], Awaitable[object]] | None = None
    ) -> None:
        self.decode = decode
        self.recover = recover
        self.outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def succeed(self, result: object) -> None:
        if not self.outcome.done():
            self.outcome.set_result(result)

    def fail(self, error: Exception) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(error)


def frame(request_id: int, method: str, params: object) -> str:
    return msgspec.json.encode({"id": request_id, "method": method, "params": params}).decode()


def decode_outcomes(result: msgspec.Raw) -> list[Order | ExchangeError | NotPlaced]:
    return [*decode_batch(result)]


def decode_nothing(_result: msgspec.Raw) -> None:
    return None
