"""A whole answer as ASGI messages."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from exchange.gateway.rest.dispatch import HttpScope
from exchange.gateway.rest.operations import Answer

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]

_BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


async def send_answer(scope: HttpScope, send: Send, answer: Answer, more: Headers = ()) -> None:
    """Of HEAD, the head of what GET would be answered. `more` are headers beside the answer's own."""
    content = [(b"content-type", answer.media_type.encode())] if answer.body else []
    length = [(b"content-length", b"%d" % len(answer.body))] if answer.status not in _BODILESS else []
    headers = [
        *content,
        *length,
        *((name.lower().encode(), value.encode()) for name, value in answer.headers),
        *more,
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})
