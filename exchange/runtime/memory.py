"""Memory that a flood leaves behind goes back to the machine.

What is freed in the middle of the heap stays with the process until the allocator is told to hand it back.
"""

import asyncio
import ctypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

#: The heap is looked at this often.
LOOK_EVERY_S: Final = 5.0
#: Bytes that have become free in the heap since the last time, and are worth handing back.
WORTH_BYTES: Final = 16 * 2**20


class _Mallinfo2(ctypes.Structure):
    """glibc's `struct mallinfo2`; `fordblks` are the bytes of free blocks, handed back or not."""

    _fields_ = (
        *((name, ctypes.c_size_t) for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks")),
        *((name, ctypes.c_size_t) for name in ("uordblks", "fordblks", "keepcost")),
    )


@asynccontextmanager
async def given_back() -> AsyncIterator[None]:
    """Hand free memory back meanwhile. Does nothing where the C library isn't glibc 2.33 or newer."""
    giving = asyncio.create_task(_give_back(), name="memory")
    try:
        yield
    finally:
        giving.cancel()


async def _give_back() -> None:
    libc = ctypes.CDLL(None)
    try:
        mallinfo, trim = libc.mallinfo2, libc.malloc_trim
    except AttributeError:
        return
    mallinfo.restype = _Mallinfo2
    free_then = 0
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        free = mallinfo().fordblks
        free_then = min(free_then, free)
        if free - free_then >= WORTH_BYTES:
            await asyncio.to_thread(trim, 0)
            free_then = mallinfo().fordblks
