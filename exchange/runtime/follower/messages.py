"""What the core and the follower say to each other: one JSON object a line."""

from enum import StrEnum, unique
from typing import Final, TypeVar

import msgspec

from exchange.runtime.follower.read_models.proof import Proof

#: In place of a snapshot's seq: it could not be made.
NOT_MADE: Final = 0


class Digest(msgspec.Struct, frozen=True):
    """The digest (hex) of one partition of the core's state right after record `seq`."""

    seq: int
    partition: int
    value: str


class ToFollower(msgspec.Struct, frozen=True, omit_defaults=True):
    """`durable`: read up to here. A `digest` is sent before its seq is durable, so before it is folded.

    `snapshot`: make one at what is durable now, or later.
    """

    durable: int | None = None
    digest: Digest | None = None
    snapshot: bool = False


@unique
class Check(StrEnum):
    """What the follower found to differ."""

    #: Its state and the core's at one seq.
    DIGEST = "digest"
    #: What this build decides on a recorded command and what was recorded.
    REHEARSAL = "rehearsal"
    #: Its state and the fold from the last snapshot on.
    RECOVERY = "recovery"
    #: Its state and what always holds.
    INVARIANT = "invariant"


class Mismatch(msgspec.Struct, frozen=True):
    """A doubt about the books: at record `seq`, what was `found` isn't what was recorded, or what the core said."""

    check: Check
    seq: int
    expected: str
    found: str


class FromFollower(msgspec.Struct, frozen=True, omit_defaults=True):
    """`reached`: the read models hold all records to here; with `models` in this file (device and inode), from now on.

    `proof`: what came of holding them against the records; where they differ no answer may be made of them any more.
    `snapshot`: made and proved at this seq, or `NOT_MADE`. `fault`: an error of the follower's own. One that says
    nothing shows that it is at work.
    """

    reached: int | None = None
    snapshot: int | None = None
    mismatch: Mismatch | None = None
    fault: str | None = None
    models: tuple[int, int] | None = None
    proof: Proof | None = None


Message = TypeVar("Message", ToFollower, FromFollower)
_encode = msgspec.json.Encoder().encode


def encode(message: ToFollower | FromFollower) -> bytes:
    """The message as a line."""
    return _encode(message) + b"\n"


class Lines:
    """Cuts what arrives into lines, keeping the last one until it is whole. Both ends are ours: a bad line is a bug."""

    def __init__(self) -> None:
        self._rest = b""

    def take(self, data: bytes, kind: type[Message]) -> list[Message]:
        """Raises msgspec.MsgspecError."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [msgspec.json.decode(line, type=kind) for line in lines]
