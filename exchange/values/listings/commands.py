"""Listing assets and markets, and their terms."""

from typing import ClassVar

from exchange.values.base import Command
from exchange.values.ids import AdminId
from exchange.values.listings.specs import AssetSpec, FeeTier, Limits, ListedMarket, MarketFilters


class ListAsset(Command, frozen=True):
    """List an asset, for ever; an approver asks for the same."""

    NAME: ClassVar[str] = "assets"

    admin: AdminId
    asset: AssetSpec
    reason: str


class ListMarket(Command, frozen=True):
    """List a market, for ever; it starts OFFLINE. An approver asks for the same."""

    NAME: ClassVar[str] = "markets"

    admin: AdminId
    market: ListedMarket
    reason: str


class SetFilters(Command, frozen=True):
    """Replace a market's filters; once it has traded, an approver asks for the same."""

    NAME: ClassVar[str] = "filters"

    admin: AdminId
    market: str
    filters: MarketFilters
    reason: str


class SetFeeTiers(Command, frozen=True):
    """Replace the fee tiers; once anybody has something here, an approver asks for the same."""

    NAME: ClassVar[str] = "fee-tiers"

    admin: AdminId
    fee_tiers: tuple[FeeTier, ...]
    reason: str


class SetLimits(Command, frozen=True):
    """Set the limits the core itself holds."""

    NAME: ClassVar[str] = "limits"

    admin: AdminId
    limits: Limits
    reason: str


AdminCommand = ListAsset | ListMarket | SetFilters | SetFeeTiers | SetLimits
#: Those that can wait for a second person (their rows say when).
TwoPeopleCommand = ListAsset | ListMarket | SetFilters | SetFeeTiers
