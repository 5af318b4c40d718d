"""Probes of listings."""

from exchange.values.commands import AnyCommand
from exchange.values.ids import AdminId
from exchange.values.listings.commands import ListAsset, ListMarket, SetFeeTiers, SetFilters, SetLimits
from exchange.values.listings.specs import AssetSpec, Limits, ListedMarket, MarketFilters, spot_market
from exchange.values.refusals import Code
from tests.probes import Numbers, Probe, Scene
from tests.venue import ADMIN, FILTERS, SOL, SOL_USDC, TIERS, USDC

ASSETS = tuple(AssetSpec(f"X{number}", 8) for number in range(3))


def _market(admin: AdminId, asset: AssetSpec) -> AnyCommand:
    return ListMarket(admin, ListedMarket(spot_market(asset, USDC, 100_000_000, 10_000), FILTERS), "test")


def _listed(s: Scene) -> AnyCommand:
    s.venue.agree(ListAsset(ADMIN, ASSETS[0], "test"), s.second)
    return _market(ADMIN, ASSETS[0])


def _filters(s: Scene, n: Numbers) -> AnyCommand:
    filters = MarketFilters(reference_price_ticks=10_000, max_lots=n.number * 10_000)
    return SetFilters(s.admin(n), SOL_USDC.symbol, filters, "test")


PROBES = (
    Probe(
        ListAsset,
        lambda s, n: ListAsset(s.admin(n), ASSETS[n.number % 3], "test"),
        lambda s: ListAsset(ADMIN, ASSETS[0], "test"),
        lambda s: ListAsset(ADMIN, SOL, "test"),
        Code.PRECONDITION_FAILED,
    ),
    Probe(
        ListMarket,
        lambda s, n: _market(s.admin(n), ASSETS[n.number % 3]),
        _listed,
        lambda s: _market(ADMIN, ASSETS[0]),
        Code.INVALID_CLIENT_REQUEST,
    ),
    Probe(
        SetFilters,
        _filters,
        lambda s: SetFilters(ADMIN, SOL_USDC.symbol, FILTERS, "test"),
        lambda s: SetFilters(ADMIN, "NO_SUCH", FILTERS, "test"),
        Code.INVALID_CLIENT_REQUEST,
    ),
    Probe(
        SetFeeTiers,
        lambda s, n: SetFeeTiers(s.admin(n), (*TIERS, TIERS[n.number % 2]), "test"),
        lambda s: SetFeeTiers(ADMIN, (*TIERS, TIERS[0]), "test"),
        lambda s: SetFeeTiers(ADMIN, (), "test"),
        Code.INVALID_CLIENT_REQUEST,
    ),
    Probe(
        SetLimits,
        lambda s, n: SetLimits(ADMIN, Limits(n.number), "test"),
        lambda s: SetLimits(ADMIN, Limits(7), "test"),
        lambda s: SetLimits(ADMIN, Limits(0), "test"),
        Code.INVALID_CLIENT_REQUEST,
    ),
)
