"""Money that moved without a trade, as it is written down."""

from typing import Final

from exchange.core.images import SORTED_PAIRS, Image, Table


class MoneyImage(Image, frozen=True):
    trading_seq: int = 0
    posted_seq: int = 0
    references: tuple[tuple[str, int], ...] = ()


MONEY: Final = Table(MoneyImage, {"references": SORTED_PAIRS})
