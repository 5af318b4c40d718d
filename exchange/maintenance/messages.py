"""What the scheduler and the processes that make certificates say to each other.

The request is one JSON document on standard input; answers are JSON lines on standard output, progress
first and one result last. A process whose standard output breaks has lost its exchange, and ends.
"""

import sys
from collections.abc import Callable
from typing import Final

import msgspec

from exchange.values.maintenance import Certificate, Gate, GateResult, WindowId

#: How far something is, as a share of a thousand: progress is told only when this has changed.
_STEPS: Final = 1_000


class LiveDigest(msgspec.Struct, frozen=True):
    """The digest (hex) of one partition of the running state right after record `seq`."""

    seq: int
    partition: int
    digest: str


class Request(msgspec.Struct, frozen=True):
    """Certify the books as of `to_seq`, for a window (0: none) and its scope (no markets: the whole venue).

    `live` are the digests of all partitions of the running state, by seq, each at or before `to_seq`;
    none where there is no running state. `key` is the file of the venue's signing key.
    """

    data: str
    witness: str | None
    window: WindowId
    markets: tuple[str, ...]
    to_seq: int
    live: tuple[LiveDigest, ...]
    key: str
    time_us: int


class Progress(msgspec.Struct, frozen=True):
    """How far a gate is; `gate` is None while the closing certificate is made."""

    gate: Gate | None
    done: int
    total: int


class Result(msgspec.Struct, frozen=True):
    """What came of it. `reason` is public; `report` names the operators' report."""

    passed: bool
    results: tuple[GateResult, ...] = ()
    reason: str = ""
    report: str = ""
    certificate: Certificate | None = None
    signature: str = ""


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of an answer."""

    progress: Progress | None = None
    result: Result | None = None


_encode: Final = msgspec.json.Encoder().encode


def read_request() -> Request:
    """Raises msgspec.MsgspecError."""
    return msgspec.json.decode(sys.stdin.buffer.read(), type=Request)


def tell(line: Line) -> None:
    """Raises BrokenPipeError: nobody listens any more."""
    sys.stdout.buffer.write(_encode(line) + b"\n")
    sys.stdout.buffer.flush()


def telling(gate: Gate | None) -> Callable[[int, int], None]:
    """Takes (done, total) as often as one likes, and tells it when it has moved."""
    last = -1

    def show(done: int, total: int) -> None:
        nonlocal last
        step = _STEPS * done // total if total else _STEPS
        if step != last:
            last = step
            tell(Line(progress=Progress(gate, done, total)))

    return show
