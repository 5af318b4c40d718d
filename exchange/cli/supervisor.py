"""What a supervisor that asks for it (systemd, `Type=notify`) is told: that we are open, and that the loop turns."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def told() -> AsyncIterator[None]:
    """Inside we are open; and as long as the loop turns, alive, as often as the supervisor wants to hear it."""
    _tell("READY=1")
    beating = asyncio.create_task(_beat(), name="supervisor")
    try:
        yield
    finally:
        beating.cancel()
        _tell("STOPPING=1")


async def _beat() -> None:
    within_us = os.environ.get("WATCHDOG_USEC", "")
    while within_us.isdigit():
        _tell("WATCHDOG=1")
        await asyncio.sleep(int(within_us) / 1e6 / 3)


def _tell(what: str) -> None:
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address[0] == "@":  # a name without a file
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to, suppress(OSError):
        to.setblocking(False)
        to.sendto(what.encode(), address)
