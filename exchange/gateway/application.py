"""The HTTP application: every operation, the documents, and what is neither.

FastAPI routes the operations. A thin ASGI application in front of it finds the order path, since the framework's own
layer would cost several times what those operations do, and whatever is no operation; all of it is counted.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from prometheus_client.registry import Collector

from exchange.gateway.accounts import api as accounts
from exchange.gateway.admission import Admission
from exchange.gateway.auth import Authenticator
from exchange.gateway.history import api as history
from exchange.gateway.listings import api as listings
from exchange.gateway.modes import api as modes
from exchange.gateway.money import api as money
from exchange.gateway.orders import api as orders
from exchange.gateway.rest import absent, admin_api
from exchange.gateway.rest.dispatch import Dispatcher, HttpScope, Receive
from exchange.gateway.rest.documents import documents
from exchange.gateway.rest.operations import JSON_TYPE, Answer, Authority, Operation
from exchange.gateway.rest.sending import Send, send_answer
from exchange.gateway.windows import api as windows
from exchange.gateway.wire.errors import NOT_FOUND, error_body, http_status, invalid
from exchange.runtime.port import Exchange
from exchange.values.refusals import Code, Refusal

_FAILED: Final = Refusal(Code.SERVER_ERROR, "Internal error")
_METHOD: Final = invalid("Method Not Allowed")

OPERATIONS: Final[tuple[Operation, ...]] = tuple(
    operation
    for module in (modes, windows, listings, orders, accounts, money, history, absent, admin_api)
    for operation in module.routes.operations
)


def create_app(exchange: Exchange, authenticator: Authenticator, admission: Admission) -> "Application":
    """The ASGI application over `exchange`."""
    dispatcher = Dispatcher(exchange, authenticator, admission)
    app = FastAPI(openapi_url=None, redirect_slashes=False)
    for operation in OPERATIONS:
        if not operation.hot:
            _add_route(app, operation, dispatcher)

    @app.exception_handler(Exception)
    async def fail(request: Request, error: Exception) -> Response:
        """A bug outside the operations; the server logs it."""
        return Response(error_body(_FAILED), http_status(_FAILED.code), media_type=JSON_TYPE)

    return Application(app, dispatcher, OPERATIONS)


#: What is answered like a method, without its body.
_HEAD: Final = {"GET": ("HEAD",), "POST": (), "PATCH": (), "DELETE": ()}


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
        methods=[operation.method, *_HEAD[operation.method]],
        response_class=Response,
        response_model=None,
        include_in_schema=False,
    )


def _open_to_browsers(operation: Operation) -> dict[str, str]:
    """What is public may be read by pages of any origin."""
    return {"Access-Control-Allow-Origin": "*"} if operation.authority is Authority.PUBLIC else {}


class Application:
    """The order path straight to its operation, other operations to FastAPI, the rest answered here."""

    def __init__(self, app: FastAPI, dispatcher: Dispatcher, operations: Sequence[Operation]) -> None:
        self._app = app
        self._dispatcher = dispatcher
        self._documents = documents(operations)
        self._operations = {
            (method, operation.path): (
                operation,
                [(name.lower().encode(), value.encode()) for name, value in _open_to_browsers(operation).items()],
            )
            for operation in operations
            for method in (operation.method, *_HEAD[operation.method])
        }
        self._allowed = dict.fromkeys(self._documents, "GET, HEAD") | {
            path: ", ".join(method for method, at in self._operations if at == path)
            for path in dict.fromkeys(path for _, path in self._operations)
        }

    @property
    def metrics(self) -> Collector:
        """What is counted here."""
        return self._dispatcher

    async def __call__(self, scope: HttpScope, receive: Receive, send: Send) -> None:
        # Cancelled is what has no answer when the exchange ends; its connection is gone by then.
        with suppress(asyncio.CancelledError):
            await self._answer(scope, receive, send)

    async def _answer(self, scope: HttpScope, receive: Receive, send: Send) -> None:
        found = self._operations.get((scope["method"], scope["path"]))
        if found is None:
            await send_answer(scope, send, self._beside(scope))
            return
        operation, headers = found
        if not operation.hot:
            await self._app(scope, receive, send)
            return
        await send_answer(scope, send, await self._dispatcher.answer(operation, scope, receive), headers)

    def _beside(self, scope: HttpScope) -> Answer:
        """What is no operation: a document, or an unknown path or method. It counts like any unsigned request."""
        path, reads = scope["path"], scope["method"] in ("GET", "HEAD")
        document = self._documents.get(path) if reads else None
        known = document is not None and (b"if-none-match", document.tag.encode()) in scope["headers"]
        sends = document is not None and not known and scope["method"] == "GET"
        wait_s = self._dispatcher.address_wait_s(scope, document.requests if document is not None and sends else 1)
        if wait_s:
            return self._dispatcher.wait(wait_s)
        if document is not None:
            return document.answer(known=known)
        allowed = self._allowed.get(path)
        if allowed is None:
            return self._dispatcher.refuse(NOT_FOUND)
        return self._dispatcher.refuse(_METHOD, HTTPStatus.METHOD_NOT_ALLOWED, (("Allow", allowed),))
