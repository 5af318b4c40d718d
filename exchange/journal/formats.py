"""What every file of the journal begins with: its format, and the build that wrote it.

A field may be added to any of them later, with a default that is left out: bytes of a build that never used it stay
what they were. Hashes, links and signatures are taken over bytes as they are kept (`msgspec.Raw`), never over what
is encoded again; so a field of a newer build is passed over there and spoils nothing. What a reader must know comes
with a new format, and is refused.
"""

from functools import cache
from importlib.metadata import version
from pathlib import Path

import msgspec

from exchange.journal.errors import UnknownFormat


class Maker(msgspec.Struct, frozen=True, omit_defaults=True):
    """The part that every format has, so that an error can name the build."""

    format: int
    build: str = ""


@cache
def release() -> str:
    """The build as far as the journal's processes know it: the version they were installed as."""
    return version("exchange")


def require_format(path: Path, content: bytes | msgspec.Raw, known: int) -> None:
    """To be asked before the rest of a file's JSON is read.

    Raises:
        UnknownFormat: names the build that wrote it. msgspec.MsgspecError: it is no such JSON.
    """
    maker = msgspec.json.decode(content, type=Maker)
    if maker.format != known:
        raise UnknownFormat(path, maker.format, known, maker.build)
