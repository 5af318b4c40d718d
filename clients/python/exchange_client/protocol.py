"""Requests and answers of the trading protocol: JSON frames, matched by their `id`."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from exchange_client.codec import encode, typed
from exchange_client.errors import ExchangeError, NotPlaced
from exchange_client.models import Order
from exchange_client.orders import outcomes


class ErrorBody(msgspec.Struct, frozen=True):
    code: str
    message: str


class Answer(msgspec.Struct, frozen=True):
    id: int | None = None
    status: int = 400
    result: object = None
    error: ErrorBody | None = None

    def accepted(self) -> object:
        """The result. Raises ExchangeError for a refusal."""
        if self.error is not None:
            raise ExchangeError(self.error.code, self.error.message, self.status)
        return self.result


class Request:
    """A request in flight.

    `recover` finds its outcome on a later connection; a request without it fails with its connection.
    """

    def __init__(
        self, read: Callable[[object], object], recover: Callable[[], Awaitable[object]] | None = None
    ) -> None:
        self.read = read
        self.recover = recover
        self.outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def succeed(self, result: object) -> None:
        if not self.outcome.done():
            self.outcome.set_result(result)

    def fail(self, error: Exception) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(error)


def frame(request_id: int, method: str, params: object) -> str:
    return encode({"id": request_id, "method": method, "params": params}).decode()


def an_order(result: object) -> Order:
    return typed(result, Order)


def some_orders(result: object) -> list[Order]:
    return typed(result, list[Order])


def some_outcomes(result: object) -> list[Order | ExchangeError | NotPlaced]:
    return [*outcomes(result)]


def nothing(_result: object) -> None:
    return None
