"""Listings as they are written down."""

from typing import Any, Final

from exchange.core.images import Form, Image, Table, tabled, values
from exchange.core.state import Market
from exchange.values.enums import Mode
from exchange.values.listings.specs import AssetSpec, FeeTier, Limits, MarketFilters, MarketSpec


class MarketImage(Image, frozen=True):
    spec: MarketSpec
    filters: MarketFilters
    listed_us: int
    mode_reason: str
    mode_changed_us: int
    mode: Mode = Mode.OFFLINE
    mode_seq: int = 0
    trading_seq: int = 0
    last_price_ticks: int = 0
    trade_id: int = 0
    update_id: int = 0


#: The book is made anew from its orders (`core.orders.image`).
MARKET: Final = Table(MarketImage, derived=frozenset({"symbol", "bids", "asks"}))


def _markets(images: tuple[MarketImage, ...]) -> dict[str, Market]:
    markets: dict[str, Market] = {}
    for image in images:
        market = markets[image.spec.symbol] = Market(image.spec, image.filters, image.listed_us)
        MARKET.restore(image, market)
    return markets


class ListingsImage(Image, frozen=True):
    """Assets and markets in the order they were listed in."""

    limits: Limits
    assets: tuple[AssetSpec, ...] = ()
    markets: tuple[MarketImage, ...] = ()
    fee_tiers: tuple[FeeTier, ...] = ()


def _symbol(asset: Any) -> str:
    return asset.symbol  # type: ignore[no-any-return]


LISTINGS: Final = Table(ListingsImage, {"assets": values(_symbol), "markets": Form(tabled(MARKET), _markets)})
