"""A yardstick server in a process of its own, which ends when its parent goes away."""

import asyncio
import select
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import uvloop

#: A child that has said nothing for this long has failed.
START_TIMEOUT_S = 10.0


@contextmanager
def running(module: str, *arguments: str) -> Iterator[int]:
    """Run `python -m module` and give the port it prints; it is stopped on leaving. Raises RuntimeError if it prints
    none.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        said = process.stdout.readline() if select.select([process.stdout], [], [], START_TIMEOUT_S)[0] else ""
        if not said.strip().isdigit():
            raise RuntimeError(f"{module} did not start: {said!r}")
        yield int(said)
    finally:
        process.stdin.close()
        process.stdout.close()
        try:
            process.wait(START_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def until_parent_leaves() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


def main(start: Callable[[], Coroutine[Any, Any, int]]) -> None:
    """Run a server: `start` begins to listen and answers the port."""

    async def run() -> None:
        print(await start(), flush=True)
        await until_parent_leaves()

    uvloop.run(run())
