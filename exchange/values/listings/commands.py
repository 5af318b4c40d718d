"""Listing assets and markets, and their terms."""

from exchange.values.base import Command
from exchange.values.ids import AdminId
from exchange.values.listings.specs import AssetSpec, FeeTier, Limits, ListedMarket, MarketFilters


class ListAsset(Command, frozen=True):
    """List an asset, for ever."""

    admin: AdminId
    asset: AssetSpec
    reason: str


class ListMarket(Command, frozen=True):
    """List a market, for ever; it starts OFFLINE."""

    admin: AdminId
    market: ListedMarket
    reason: str


class SetFilters(Command, frozen=True):
    admin: AdminId
    market: str
    filters: MarketFilters
    reason: str


class SetFeeTiers(Command, frozen=True):
    admin: AdminId
    fee_tiers: tuple[FeeTier, ...]
    reason: str


class SetLimits(Command, frozen=True):
    admin: AdminId
    limits: Limits
    reason: str


AdminCommand = ListAsset | ListMarket | SetFilters | SetFeeTiers | SetLimits
#: Those that can wait for a second person (their rows say when).
TwoPeopleCommand = ListAsset | ListMarket | SetFilters | SetFeeTiers
