"""Applying what becomes of listings."""

from exchange.core.state import Market, State
from exchange.values.listings.events import AssetListed, FeeTiersChanged, FiltersChanged, LimitsChanged, MarketListed


def asset_listed(state: State, event: AssetListed) -> None:
    state.assets[event.asset.symbol] = event.asset


def market_listed(state: State, event: MarketListed) -> None:
    state.markets[event.spec.symbol] = Market(event.spec, event.filters, state.time_us)


def filters_changed(state: State, event: FiltersChanged) -> None:
    state.markets[event.market].filters = event.filters


def fee_tiers_changed(state: State, event: FeeTiersChanged) -> None:
    state.fee_tiers = event.fee_tiers


def limits_changed(state: State, event: LimitsChanged) -> None:
    state.limits = event.limits
