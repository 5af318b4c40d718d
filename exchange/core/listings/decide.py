"""Deciding on listings and their terms. Nothing here changes state."""

from exchange.core import refuse
from exchange.core.modes.clearance import untouched
from exchange.core.state import State
from exchange.values.enums import AssetKind
from exchange.values.events import AnyEvent
from exchange.values.listings.commands import ListAsset, ListMarket, SetFeeTiers, SetFilters, SetLimits
from exchange.values.listings.events import AssetListed, FeeTiersChanged, FiltersChanged, LimitsChanged, MarketListed
from exchange.values.listings.specs import AssetSpec, ListedMarket, SpecError, spot_market


def check_listing(assets: dict[str, AssetSpec], listed: ListedMarket) -> None:
    """Raises SpecError."""
    spec = listed.spec
    base, quote = assets.get(spec.base), assets.get(spec.quote)
    if base is None or quote is None or base is quote:
        raise SpecError(f"{spec.symbol}: both assets must be listed, and differ")
    if base.kind is not AssetKind.COIN or quote.kind is not AssetKind.COIN:
        raise SpecError(f"{spec.symbol}: both assets must be coins")
    if spec != spot_market(base, quote, spec.tick_e9, spec.step_e9):
        raise SpecError(f"{spec.symbol}: the derived sizes are wrong")
    listed.filters.check()


def check_coin(asset: AssetSpec) -> None:
    """Raises SpecError. Assets of other kinds are never listed by themselves: they come with a pool or a market."""
    if asset.kind is not AssetKind.COIN:
        raise SpecError(f"{asset.symbol}: only coins are listed by themselves")
    asset.check()


def list_asset(state: State, time_us: int, command: ListAsset) -> list[AnyEvent]:
    try:
        check_coin(command.asset)
    except SpecError as error:
        return refuse.invalid(str(error))
    if command.asset.symbol in state.assets:
        return refuse.precondition("The asset is listed already")
    return [AssetListed(command.asset)]


def list_market(state: State, time_us: int, command: ListMarket) -> list[AnyEvent]:
    try:
        check_listing(state.assets, command.market)
    except SpecError as error:
        return refuse.invalid(str(error))
    if command.market.spec.symbol in state.markets:
        return refuse.precondition("The market is listed already")
    return [MarketListed(command.market.spec, command.market.filters)]


def unused_market(state: State, command: SetFilters) -> bool:
    """Filters say at which prices everybody's orders may fill; here there is nobody yet."""
    return command.market in state.markets and untouched(state, command.market)


def set_filters(state: State, time_us: int, command: SetFilters) -> list[AnyEvent]:
    if command.market not in state.markets:
        return refuse.refused(refuse.UNKNOWN_MARKET)
    try:
        command.filters.check()
    except SpecError as error:
        return refuse.invalid(str(error))
    return [FiltersChanged(command.market, command.filters)]


def unused_venue(state: State, command: SetFeeTiers) -> bool:
    """Fee tiers take from everybody; nobody has anything here yet."""
    return untouched(state, None)


def set_fee_tiers(state: State, time_us: int, command: SetFeeTiers) -> list[AnyEvent]:
    try:
        for tier in command.fee_tiers:
            tier.check()
    except SpecError as error:
        return refuse.invalid(str(error))
    highest = max((user.tier for user in state.users.values()), default=0)
    if len(command.fee_tiers) <= highest:
        return refuse.invalid(f"There are users in tier {highest}")
    return [FeeTiersChanged(command.fee_tiers)]


def set_limits(state: State, time_us: int, command: SetLimits) -> list[AnyEvent]:
    try:
        command.limits.check()
    except SpecError as error:
        return refuse.invalid(str(error))
    return [LimitsChanged(command.limits)]
