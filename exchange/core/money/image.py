"""Money that moved without a trade, as it is written down."""

from typing import Final

from exchange.core.images import PAIRS, Form, Image, Table, tabled
from exchange.core.money.sources import Source
from exchange.values.ids import DepositId


class SourceImage(Image, frozen=True):
    source: str
    number: int = 0
    references: tuple[tuple[str, int], ...] = ()


class MoneyImage(Image, frozen=True):
    trading_seq: int = 0
    posted_seq: int = 0
    last_deposit: DepositId = DepositId(0)
    sources: tuple[SourceImage, ...] = ()


# Which reference is forgotten next is part of the state, so they stand in their order.
SOURCE: Final = Table(SourceImage, {"references": PAIRS})


def _sources(images: tuple[SourceImage, ...]) -> dict[str, Source]:
    sources: dict[str, Source] = {}
    for image in images:
        SOURCE.restore(image, sources.setdefault(image.source, Source(image.source)))
    return sources


MONEY: Final = Table(MoneyImage, {"sources": Form(tabled(SOURCE), _sources)})
