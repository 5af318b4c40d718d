"""Running a process that makes a certificate, and hearing how far it is."""

import asyncio
import sys
from collections.abc import Callable
from typing import Final

import msgspec

from exchange.maintenance.evidence.messages import Progress, Request, Said, Verdict

CLOSING: Final = "exchange.maintenance.evidence.closing"
GATES: Final = "exchange.maintenance.evidence.gates"
#: A certificate that takes longer than this will not come.
TIMEOUT_S: Final = 3_600.0
#: Longest line a process may say: a certificate with its gates and totals.
_MAX_LINE_BYTES: Final = 16 * 2**20

_decode = msgspec.json.Decoder(Said).decode


class WorkFailed(Exception):
    """The process could not do its work; it says nothing about the books."""


async def work(module: str, request: Request, on_progress: Callable[[Progress], None]) -> Verdict:
    """Have `module` do its work in a process of its own. Cancelled, it ends the process.

    Raises:
        WorkFailed
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_MAX_LINE_BYTES,
        # A session of its own: Ctrl-C reaches the exchange alone, which ends its helpers itself.
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    verdict: Verdict | None = None
    try:
        async with asyncio.timeout(TIMEOUT_S):
            process.stdin.write(msgspec.json.encode(request))
            process.stdin.close()
            async for line in process.stdout:
                said = _decode(line)
                if said.progress is not None:
                    on_progress(said.progress)
                verdict = said.verdict or verdict
            code = await process.wait()
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise WorkFailed(f"{module}: {error!r}") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if verdict is None:
        raise WorkFailed(f"{module} ended with {code}")
    return verdict
