"""The venue's own life as it is written down."""

from typing import Final

from exchange.core.images import SORTED_KEYS, Image, Table


class ProcessImage(Image, frozen=True):
    """`losses` are (epoch that began behind it, first seq, last seq)."""

    seq: int = 0
    time_us: int = 0
    epoch: int = 1
    venue: str = ""
    build: str = ""
    stopped: bool = True
    started_seq: int = 0
    rules: tuple[str, ...] = ()
    losses: tuple[tuple[int, int, int], ...] = ()


PROCESS: Final = Table(ProcessImage, {"rules": SORTED_KEYS})
