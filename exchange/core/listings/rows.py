"""The rows of listings."""

from typing import Final

from exchange.core.listings import decide, evolve
from exchange.core.rows import Admin, CommandRow, EventRow, TwoAdmins, Words, terms
from exchange.values.enums import Role
from exchange.values.listings.commands import ListAsset, ListMarket, SetFeeTiers, SetFilters, SetLimits
from exchange.values.listings.events import AssetListed, FeeTiersChanged, FiltersChanged, LimitsChanged, MarketListed

COMMANDS: Final = (
    CommandRow(ListAsset, decide.list_asset, TwoAdmins(Role.OPERATOR)),
    CommandRow(ListMarket, decide.list_market, TwoAdmins(Role.OPERATOR)),
    CommandRow(SetFilters, decide.set_filters, TwoAdmins(Role.OPERATOR, harmless=decide.unused_market)),
    CommandRow(SetFeeTiers, decide.set_fee_tiers, TwoAdmins(Role.OPERATOR, harmless=decide.unused_venue)),
    CommandRow(SetLimits, decide.set_limits, Admin(Role.OPERATOR)),
)

EVENTS: Final = (
    EventRow(AssetListed, evolve.asset_listed, Words.PLAIN, shown=True),
    EventRow(MarketListed, evolve.market_listed, Words.PLAIN, terms, shown=True),
    EventRow(FiltersChanged, evolve.filters_changed, Words.PLAIN, terms, shown=True),
    EventRow(FeeTiersChanged, evolve.fee_tiers_changed, Words.PLAIN),
    EventRow(LimitsChanged, evolve.limits_changed, Words.PLAIN),
)
