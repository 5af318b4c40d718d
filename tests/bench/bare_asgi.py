"""The REST yardstick: a bare ASGI route that reads a body, verifies one Ed25519 signature over it, and answers.

The first argument says how many bytes the answer has.
"""

import asyncio
import base64
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from tests.bench import child

Message = dict[str, Any]

ANSWER = b"x" * int(sys.argv[1])
running: set[asyncio.Task[None]] = set()


async def route(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = dict(scope["headers"])
    try:
        VerifyKey(base64.b64decode(headers[b"x-api-key"])).verify(body, base64.b64decode(headers[b"x-signature"]))
        status, answer = 200, ANSWER
    except BadSignatureError:
        status, answer = 400, b"{}"
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())],
        }
    )
    await send({"type": "http.response.body", "body": answer})


async def start() -> int:
    listening = socket.create_server(("127.0.0.1", 0), backlog=256)
    config = uvicorn.Config(
        route, loop="uvloop", http="httptools", ws="none", lifespan="off", access_log=False, log_level="warning"
    )
    running.add(asyncio.create_task(uvicorn.Server(config).serve([listening])))
    return int(listening.getsockname()[1])


if __name__ == "__main__":
    child.main(start)
