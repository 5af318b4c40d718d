"""Deciding on listings and their terms. Nothing here changes state."""

from exchange.core import refuse
from exchange.core.modes.clearance import untouched
from exchange.core.people.agreement import asker, by_two_if_there_are
from exchange.core.state import State
from exchange.values.enums import AssetKind, Role
from exchange.values.events import AnyEvent
from exchange.values.listings.commands import ListAsset, ListMarket, SetFeeTiers, SetFilters, SetLimits
from exchange.values.listings.events import AssetListed, FeeTiersChanged, FiltersChanged, LimitsChanged, MarketListed
from exchange.values.listings.specs import AssetSpec, ListedMarket, SpecError, spot_market
from exchange.values.modes.commands import SetAutoResume
from exchange.values.refusals import Refusal


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
    refusal = asker(state, command)
    if refusal is not None:
        return refuse.refused(refusal)
    try:
        check_coin(command.asset)
    except SpecError as error:
        return refuse.invalid(str(error))
    if command.asset.symbol in state.assets:
        return refuse.precondition("The asset is listed already")
    return by_two_if_there_are(state, time_us, command, [AssetListed(command.asset)])


def list_market(state: State, time_us: int, command: ListMarket) -> list[AnyEvent]:
    refusal = asker(state, command)
    if refusal is not None:
        return refuse.refused(refusal)
    try:
        check_listing(state.assets, command.market)
    except SpecError as error:
        return refuse.invalid(str(error))
    if command.market.spec.symbol in state.markets:
        return refuse.precondition("The market is listed already")
    listed: list[AnyEvent] = [MarketListed(command.market.spec, command.market.filters)]
    return by_two_if_there_are(state, time_us, command, listed)


def set_filters(state: State, time_us: int, command: SetFilters) -> list[AnyEvent]:
    """They say at which prices everybody's orders may fill, so they take two once a market has been used."""
    harmless = command.market in state.markets and untouched(state, command.market)
    refusal = by_operator(state, command) if harmless else asker(state, command)
    if refusal is not None:
        return refuse.refused(refusal)
    if command.market not in state.markets:
        return refuse.refused(refuse.UNKNOWN_MARKET)
    try:
        command.filters.check()
    except SpecError as error:
        return refuse.invalid(str(error))
    changed: list[AnyEvent] = [FiltersChanged(command.market, command.filters)]
    return changed if harmless else by_two_if_there_are(state, time_us, command, changed)


def by_operator(state: State, command: SetFilters | SetFeeTiers | SetAutoResume) -> Refusal | None:
    return refuse.admin(state, command.admin, Role.OPERATOR) or refuse.reason(command.reason)


def set_fee_tiers(state: State, time_us: int, command: SetFeeTiers) -> list[AnyEvent]:
    """They take from everybody, so they take two once anybody has something here."""
    harmless = untouched(state, None)
    refusal = by_operator(state, command) if harmless else asker(state, command)
    if refusal is not None:
        return refuse.refused(refusal)
    try:
        for tier in command.fee_tiers:
            tier.check()
    except SpecError as error:
        return refuse.invalid(str(error))
    highest = max((user.tier for user in state.users.values()), default=0)
    if len(command.fee_tiers) <= highest:
        return refuse.invalid(f"There are users in tier {highest}")
    changed: list[AnyEvent] = [FeeTiersChanged(command.fee_tiers)]
    return changed if harmless else by_two_if_there_are(state, time_us, command, changed)


def set_limits(state: State, time_us: int, command: SetLimits) -> list[AnyEvent]:
    refusal = refuse.admin(state, command.admin, Role.OPERATOR) or refuse.reason(command.reason)
    if refusal is not None:
        return refuse.refused(refusal)
    try:
        command.limits.check()
    except SpecError as error:
        return refuse.invalid(str(error))
    return [LimitsChanged(command.limits)]
