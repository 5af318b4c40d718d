"""What is listed, and on which terms."""

import re
from typing import Final

from exchange.values.base import Part
from exchange.values.enums import AssetKind, MarketKind
from exchange.values.numbers import E9, MAX_DECIMALS
from exchange.values.text import unseen, visible

#: An asset's symbol, such as USDC; the wire also has a leading k for thousands (kPEPE) and a country (AAPL.US).
#: A market's is made of two: SOL_USDC.
_COIN: Final = r"k?[A-Z0-9]{1,16}(?:\.[A-Z]{2})?"
_SYMBOL: Final = re.compile(_COIN)
#: Of a coin, or of a market such as SOL_USDC_PERP.
_OF: Final = re.compile(rf"{_COIN}(?:_{_COIN}){{0,2}}")
SYMBOL_TEXT: Final = "1 to 16 of A-Z and 0-9, after a k for thousands and before a country (.US) if there are any"
#: Names of assets and fee tiers, in characters.
MAX_NAME: Final = 64


class SpecError(ValueError):
    """A listing that would not keep exact books."""


class AssetSpec(Part, frozen=True):
    """An asset; amounts are counted in atoms, 10**-decimals of one unit."""

    symbol: str
    decimals: int
    display_name: str = ""
    kind: AssetKind = AssetKind.COIN

    def check(self) -> None:
        """Raises SpecError."""
        if self.kind is not AssetKind.COIN:
            of, _, _ = self.symbol.partition(":")
            if _OF.fullmatch(of) is None or self.symbol != symbol_of(self.kind, of):
                raise SpecError(f"{visible(self.symbol[:20])!r} is no symbol of kind {self.kind}: it ends in that")
        elif _SYMBOL.fullmatch(self.symbol) is None:
            raise SpecError(f"{visible(self.symbol[:20])!r} is no symbol of an asset: {SYMBOL_TEXT}")
        if not 0 <= self.decimals <= MAX_DECIMALS:
            raise SpecError(f"{self.symbol}: decimals must be 0 to {MAX_DECIMALS}")
        if len(self.display_name) > MAX_NAME or unseen(self.display_name):
            raise SpecError(f"{self.symbol}: its name is at most {MAX_NAME} characters that can be seen")


def symbol_of(kind: AssetKind, of: str) -> str:
    """What the ledger calls the asset of this kind (no coin) that belongs to `of`, a coin or a market: "USDC:debt"."""
    return f"{of}:{kind}"


class MarketSpec(Part, frozen=True):
    """A market: a price is a count of ticks, a quantity a count of steps (lots).

    `tick_e9` and `step_e9` are the tick in quote units and the step in base units, times 10**9.
    `base_atoms_per_lot` and `quote_atoms_per_tick_lot` make holds and fills exact.
    Build one with `spot_market`, which derives and checks them.
    """

    symbol: str
    kind: MarketKind
    base: str
    quote: str
    base_decimals: int
    quote_decimals: int
    tick_e9: int
    step_e9: int
    base_atoms_per_lot: int
    quote_atoms_per_tick_lot: int


def spot_market(base: AssetSpec, quote: AssetSpec, tick_e9: int, step_e9: int) -> MarketSpec:
    """The spot market of `base` priced in `quote`.

    Raises:
        SpecError: a step is not a whole number of base atoms, or tick x step is not a whole number of quote atoms.
    """
    symbol = f"{base.symbol}_{quote.symbol}"
    if tick_e9 <= 0 or step_e9 <= 0:
        raise SpecError(f"{symbol}: tick and step must be above zero")
    base_atoms, base_rest = divmod(step_e9 * 10**base.decimals, E9)
    quote_atoms, quote_rest = divmod(tick_e9 * step_e9 * 10**quote.decimals, E9 * E9)
    if base_rest or not base_atoms:
        raise SpecError(f"{symbol}: the step is not a whole number of {base.symbol} atoms")
    if quote_rest or not quote_atoms:
        raise SpecError(f"{symbol}: tick x step is not a whole number of {quote.symbol} atoms")
    return MarketSpec(
        symbol=symbol,
        kind=MarketKind.SPOT,
        base=base.symbol,
        quote=quote.symbol,
        base_decimals=base.decimals,
        quote_decimals=quote.decimals,
        tick_e9=tick_e9,
        step_e9=step_e9,
        base_atoms_per_lot=base_atoms,
        quote_atoms_per_tick_lot=quote_atoms,
    )


class MarketFilters(Part, frozen=True):
    """What an order must satisfy; 0 in a maximum means none.

    The multipliers bound a limit price against the last active price (the last trade, or
    `reference_price_ticks` before the first), the impact multipliers how far from the touch a market order may walk.
    The notional bounds are ours: the wire contract has none, so they default to off.
    """

    reference_price_ticks: int
    min_price_ticks: int = 1
    max_price_ticks: int = 0
    min_lots: int = 1
    max_lots: int = 0
    min_notional_atoms: int = 0
    max_notional_atoms: int = 0
    min_multiplier_ppm: int = 750_000
    max_multiplier_ppm: int = 1_250_000
    min_impact_ppm: int = 950_000
    max_impact_ppm: int = 1_050_000

    def check(self) -> None:
        """Raises SpecError."""
        if self.reference_price_ticks < 1 or self.min_price_ticks < 1 or self.min_lots < 1:
            raise SpecError("reference price, least price and least quantity must be above zero")
        if min(self.max_price_ticks, self.max_lots, self.min_notional_atoms, self.max_notional_atoms) < 0:
            raise SpecError("a bound can't be negative")
        for low, high in (
            (self.min_price_ticks, self.max_price_ticks),
            (self.min_lots, self.max_lots),
            (self.min_notional_atoms, self.max_notional_atoms),
        ):
            if high and high < low:
                raise SpecError("a maximum is below its minimum")
        for low, high in (
            (self.min_multiplier_ppm, self.max_multiplier_ppm),
            (self.min_impact_ppm, self.max_impact_ppm),
        ):
            if not 0 < low <= 1_000_000 <= high:
                raise SpecError("multipliers must be a low one at most 1 and a high one at least 1")


class ListedMarket(Part, frozen=True):
    """A market as it is listed: what never changes, and what may."""

    spec: MarketSpec
    filters: MarketFilters


class FeeTier(Part, frozen=True):
    """Fees of one tier, in millionths of what the trade pays the user (10 bps = 1000 ppm)."""

    name: str
    spot_maker_ppm: int
    spot_taker_ppm: int

    def check(self) -> None:
        """Raises SpecError. Rebates need a funded rewards account, so a fee is never negative."""
        if not 0 < len(self.name) <= MAX_NAME:
            raise SpecError(f"a tier has a name of at most {MAX_NAME} characters")
        for ppm in (self.spot_maker_ppm, self.spot_taker_ppm):
            if not 0 <= ppm <= 100_000:
                raise SpecError(f"tier {self.name}: a fee must be 0 to 100000 ppm")


class Limits(Part, frozen=True):
    """Limits the core itself holds; those on connections and rates belong to the gateway."""

    open_orders_per_market: int = 1_000
    #: How long a market stays in POST_ONLY before it may go further up.
    opening_grace_us: int = 0

    def check(self) -> None:
        """Raises SpecError."""
        if not 1 <= self.open_orders_per_market <= MAX_OPEN_ORDERS_PER_MARKET:
            raise SpecError(f"open orders per account and market: 1 to {MAX_OPEN_ORDERS_PER_MARKET}")
        if not 0 <= self.opening_grace_us <= MAX_OPENING_GRACE_US:
            raise SpecError("the opening grace is 0 to one day")


MAX_OPENING_GRACE_US: Final = 24 * 3600 * 1_000_000


#: Bounds the events of one cancel-all command.
MAX_OPEN_ORDERS_PER_MARKET: Final = 5_000
