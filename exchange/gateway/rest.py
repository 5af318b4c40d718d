"""The HTTP application: every operation, the OpenAPI page, and metrics.

FastAPI routes everything and makes the page. The order path is found by a thin ASGI application in front of it, since
the framework's own layer would cost several times what those operations do; both lead to the same `Dispatcher`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest
from starlette.exceptions import HTTPException

from exchange.gateway import admin_api
from exchange.gateway.admission import Admission
from exchange.gateway.api import absent, account, history, maintenance, market_data, orders, system
from exchange.gateway.auth import Authenticator
from exchange.gateway.dispatch import Dispatcher, HttpScope, Receive
from exchange.gateway.openapi import describe
from exchange.gateway.operations import JSON_TYPE, Answer, Authority, Operation
from exchange.gateway.wire.errors import NOT_FOUND, error_body, http_status, invalid
from exchange.runtime.port import Exchange
from exchange.values.refusals import Code, Refusal

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_FAILED: Final = Refusal(Code.SERVER_ERROR, "Internal error")

OPERATIONS: Final[tuple[Operation, ...]] = tuple(
    operation
    for module in (system, maintenance, market_data, orders, account, history, absent, admin_api)
    for operation in module.routes.operations
)


def create_app(
    exchange: Exchange, authenticator: Authenticator, admission: Admission, metrics: Callable[[], bytes]
) -> "Application":
    """The ASGI application over `exchange`; `metrics` gives what `/metrics` shows, in Prometheus' text format."""
    dispatcher = Dispatcher(exchange, authenticator, admission)
    app = FastAPIOffline(redirect_slashes=False)
    describe(app, OPERATIONS)
    for operation in OPERATIONS:
        _add_route(app, operation, dispatcher)

    registry = CollectorRegistry()
    registry.register(dispatcher)

    @app.get("/metrics", include_in_schema=False)
    async def show_metrics() -> Response:
        return Response(metrics() + generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    @app.exception_handler(HTTPException)
    async def refuse(request: Request, error: HTTPException) -> Response:
        """What the framework refuses (unknown path, wrong method), in the protocol's words."""
        refusal = NOT_FOUND if error.status_code == HTTPStatus.NOT_FOUND else invalid(error.detail)
        methods = [operation.method for operation in OPERATIONS if operation.path == request.url.path]
        headers = {"Content-Type": JSON_TYPE, **({"Allow": ", ".join(methods)} if methods else {})}
        return Response(error_body(refusal), error.status_code, headers=headers)

    @app.exception_handler(Exception)
    async def fail(request: Request, error: Exception) -> Response:
        """A bug outside the operations; the server logs it."""
        return Response(error_body(_FAILED), http_status(_FAILED.code), media_type=JSON_TYPE)

    return Application(app, dispatcher, OPERATIONS)


def _add_route(app: FastAPI, operation: Operation, dispatcher: Dispatcher) -> None:
    async def endpoint(request: Request) -> Response:
        answer = await dispatcher.answer(operation, request.scope, request.receive)
        headers = {**dict(answer.headers), **_open_to_browsers(operation)}
        if answer.pieces is not None:
            return StreamingResponse(answer.pieces, answer.status, headers, answer.media_type)
        return Response(answer.body, answer.status, headers, answer.media_type if answer.body else None)

    app.add_api_route(
        operation.path,
        endpoint,
        methods=[operation.method],
        response_class=Response,
        response_model=None,
        include_in_schema=False,
    )


def _open_to_browsers(operation: Operation) -> dict[str, str]:
    """What is public may be read by pages of any origin."""
    return {"Access-Control-Allow-Origin": "*"} if operation.authority is Authority.PUBLIC else {}


class Application:
    """The order path straight to its operation, everything else to FastAPI."""

    def __init__(self, app: FastAPI, dispatcher: Dispatcher, operations: Iterable[Operation]) -> None:
        self.app = app
        self._dispatcher = dispatcher
        self._hot = {
            (operation.method, operation.path): (
                operation,
                [(name.lower().encode(), value.encode()) for name, value in _open_to_browsers(operation).items()],
            )
            for operation in operations
            if operation.hot
        }

    async def __call__(self, scope: HttpScope, receive: Receive, send: Send) -> None:
        # Cancelled is what has no answer when the exchange ends; its connection is gone by then.
        with suppress(asyncio.CancelledError):
            await self._answer(scope, receive, send)

    async def _answer(self, scope: HttpScope, receive: Receive, send: Send) -> None:
        found = self._hot.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if found is None:
            await self.app(scope, receive, send)
            return
        operation, headers = found
        answer = await self._dispatcher.answer(operation, scope, receive)
        await send({"type": "http.response.start", "status": answer.status, "headers": _headers(answer, headers)})
        await send({"type": "http.response.body", "body": answer.body})


def _headers(answer: Answer, more: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    content = [(b"content-type", answer.media_type.encode())] if answer.body else []
    length = [(b"content-length", b"%d" % len(answer.body))] if answer.status != HTTPStatus.NO_CONTENT else []
    return [
        *content,
        *length,
        *((name.lower().encode(), value.encode()) for name, value in answer.headers),
        *more,
    ]
