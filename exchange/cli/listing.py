"""The `[genesis]` table of a settings file: what a venue opens with, written for people.

Prices, sizes and fees are decimal text; they become the exchange's whole numbers here, once.
"""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from exchange.values.listings.specs import (
    AssetSpec,
    FeeTier,
    Limits,
    ListedMarket,
    MarketFilters,
    SpecError,
    spot_market,
)
from exchange.values.numbers import NotADecimal, TooLarge, TooManyDecimals, parse_decimal
from exchange.values.people.admins import AdminSpec
from exchange.values.process.commands import Genesis


def described(error: ValidationError) -> str:
    """What is wrong, for the person who wrote it."""
    return "; ".join(f"{'.'.join(map(str, part['loc']))}: {part['msg']}" for part in error.errors())


def scaled(text: object, decimals: int) -> int:
    """Decimal text as a whole number of 10**-decimals.

    Raises:
        ValueError: with a message for the person who wrote it.
    """
    if not isinstance(text, str):
        raise ValueError('write the number as text, such as "0.01"')
    try:
        return parse_decimal(text, decimals)
    except (NotADecimal, TooManyDecimals, TooLarge):
        raise ValueError(f'"{text}" is not a plain number with at most {decimals} decimals') from None


#: Decimal text, held times 10**9.
Decimal = Annotated[int, BeforeValidator(lambda text: scaled(text, 9))]
#: Decimal text in basis points, held in millionths.
Bps = Annotated[int, BeforeValidator(lambda text: scaled(text, 2))]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AssetTable(_Table):
    symbol: str
    decimals: int
    name: str = ""


class MarketTable(_Table):
    """A spot market: tick in quote units, step in base units, and the price it starts from."""

    base: str
    quote: str
    tick: Decimal
    step: Decimal
    reference_price: Decimal

    def listed(self, assets: dict[str, AssetSpec]) -> ListedMarket:
        """
        Raises:
            SpecError
        """
        for symbol in (self.base, self.quote):
            if symbol not in assets:
                raise SpecError(f"market {self.base}_{self.quote}: asset {symbol} is not listed")
        spec = spot_market(assets[self.base], assets[self.quote], self.tick, self.step)
        reference_ticks, rest = divmod(self.reference_price, self.tick)
        if rest:
            raise SpecError(f"{spec.symbol}: the reference price is not a whole number of ticks")
        return ListedMarket(spec, MarketFilters(reference_price_ticks=reference_ticks))


class FeeTierTable(_Table):
    name: str
    maker_bps: Bps
    taker_bps: Bps

    def spec(self) -> FeeTier:
        return FeeTier(self.name, self.maker_bps, self.taker_bps)


class GenesisTable(_Table):
    """Everything a venue opens with but its keys."""

    venue: str
    auto_resume: bool = False
    open_orders_per_market: int = Limits().open_orders_per_market
    opening_grace_s: int = 0
    assets: list[AssetTable]
    markets: list[MarketTable]
    fee_tiers: list[FeeTierTable]

    def command(self, venue_public_key: str, admins: tuple[AdminSpec, ...]) -> Genesis:
        """The command that founds this venue.

        Raises:
            SpecError: a listing that would not keep exact books, or names an asset that isn't listed.
        """
        assets = {asset.symbol: AssetSpec(asset.symbol, asset.decimals, asset.name) for asset in self.assets}
        return Genesis(
            venue=self.venue,
            venue_public_key=venue_public_key,
            assets=tuple(assets.values()),
            markets=tuple(market.listed(assets) for market in self.markets),
            fee_tiers=tuple(tier.spec() for tier in self.fee_tiers),
            admins=admins,
            limits=Limits(self.open_orders_per_market, self.opening_grace_s * 1_000_000),
            auto_resume=self.auto_resume,
        )
