"""What becomes of listings and their terms."""

from exchange.values.base import Event
from exchange.values.listings.specs import AssetSpec, FeeTier, Limits, MarketFilters, MarketSpec


class AssetListed(Event, frozen=True):
    asset: AssetSpec


class MarketListed(Event, frozen=True):
    spec: MarketSpec
    filters: MarketFilters


class FiltersChanged(Event, frozen=True):
    market: str
    filters: MarketFilters


class FeeTiersChanged(Event, frozen=True):
    fee_tiers: tuple[FeeTier, ...]


class LimitsChanged(Event, frozen=True):
    limits: Limits


Events = AssetListed | MarketListed | FiltersChanged | FeeTiersChanged | LimitsChanged
