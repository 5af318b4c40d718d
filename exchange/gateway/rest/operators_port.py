"""The operators' port: what operators look at, apart from clients and by default on the loopback alone."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from exchange.gateway.admission import GatewayLimits, Rate, too_many
from exchange.gateway.rest.dispatch import OVER_LIMIT, HttpScope, Receive, address_of
from exchange.gateway.rest.operations import Answer
from exchange.gateway.rest.sending import Send, send_answer
from exchange.gateway.wire.errors import NOT_FOUND, error_body, http_status, invalid
from exchange.values.refusals import Refusal

#: A scraper or two and a person look here, and it is the process of the order path that answers.
LIMITS: Final = GatewayLimits(
    connections=16,
    connections_per_address=8,
    public_requests_per_minute=600,
    head_bytes=8_192,
    arriving_bytes=1024 * 1024,
    unread_bytes=8 * 1024 * 1024,
)

#: A page by its path: media type and what gives its bytes.
Page = tuple[str, Callable[[], bytes]]

_METHOD: Final = invalid("Method Not Allowed")


class Ops:
    """The ASGI application of that port."""

    def __init__(self, now_us: Callable[[], int], metrics: Callable[[], bytes]) -> None:
        """`metrics` gives what `/metrics` shows, in Prometheus' text format."""
        self._now_us = now_us
        self._pages: Mapping[str, Page] = {"/metrics": (CONTENT_TYPE_PLAIN_0_0_4, metrics)}
        self._addresses = Rate(LIMITS.public_requests_per_minute)

    async def __call__(self, scope: HttpScope, receive: Receive, send: Send) -> None:
        await send_answer(scope, send, self._answer(scope))

    def _answer(self, scope: HttpScope) -> Answer:
        wait_s = self._addresses.wait_s(address_of(scope), self._now_us())
        if wait_s:
            scope[OVER_LIMIT] = True
            return _refused(too_many(wait_s), headers=(("Retry-After", str(wait_s)),))
        page = self._pages.get(scope["path"])
        if page is None:
            return _refused(NOT_FOUND)
        if scope["method"] not in ("GET", "HEAD"):
            return _refused(_METHOD, HTTPStatus.METHOD_NOT_ALLOWED, (("Allow", "GET, HEAD"),))
        media_type, give = page
        return Answer(body=give(), media_type=media_type)


def _refused(refusal: Refusal, status: int | None = None, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    return Answer(status or http_status(refusal.code), error_body(refusal), headers=headers)
