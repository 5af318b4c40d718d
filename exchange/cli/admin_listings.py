"""`exchange admin list-asset | list-market | filters | fee-tiers`: what is traded, on which terms."""

from typing import Annotated

import msgspec
import typer
from pydantic import ValidationError

from exchange.cli.admin_client import Reason, market_of, send, venue_of
from exchange.cli.exits import Exit, stop
from exchange.cli.listing import FeeTierTable, MarketTable, described, scaled
from exchange.values.ids import AdminId
from exchange.values.listings.commands import ListAsset, ListMarket, SetFeeTiers, SetFilters
from exchange.values.listings.specs import AssetSpec, SpecError

app = typer.Typer()

_PPM_DECIMALS = 6

Amount = Annotated[str | None, typer.Option(help="In decimals; left out: as it is now.")]
Band = Annotated[tuple[str, str] | None, typer.Option(help="Low and high, such as 0.75 1.25; left out: as it is now.")]


@app.command()
def list_asset(
    context: typer.Context,
    symbol: Annotated[str, typer.Argument(help="Symbol, such as SOL.")],
    decimals: Annotated[int, typer.Argument(help="Decimals its amounts are kept with (at most 9); for ever.")],
    reason: Reason,
    name: Annotated[str, typer.Option(help="Its name for people.")] = "",
) -> None:
    """List an asset, for ever; an approver runs the same command."""
    send(context, ListAsset(AdminId(0), AssetSpec(symbol, decimals, name), reason))


@app.command()
def list_market(
    context: typer.Context,
    base: Annotated[str, typer.Argument(help="Asset that is traded.")],
    quote: Annotated[str, typer.Argument(help="Asset it is priced in.")],
    tick: Annotated[str, typer.Option(help="Step of prices, in quote units; for ever.")],
    step: Annotated[str, typer.Option(help="Step of quantities, in base units; for ever.")],
    reference_price: Annotated[str, typer.Option(help="What the price band is measured from before the first trade.")],
    reason: Reason,
) -> None:
    """List a spot market, for ever; it starts OFFLINE. An approver runs the same command."""
    assets = {asset.symbol: asset for asset in venue_of(context).assets}
    try:
        table = MarketTable.model_validate(
            {"base": base, "quote": quote, "tick": tick, "step": step, "reference_price": reference_price}
        )
        market = table.listed(assets)
    except ValidationError as error:
        stop(Exit.USAGE, described(error))
    except SpecError as error:
        stop(Exit.USAGE, str(error))
    send(context, ListMarket(AdminId(0), market, reason))


@app.command()
def filters(
    context: typer.Context,
    market: Annotated[str, typer.Argument(help="Symbol, such as SOL_USDC.")],
    reason: Reason,
    reference_price: Amount = None,
    min_price: Amount = None,
    max_price: Amount = None,
    min_quantity: Amount = None,
    max_quantity: Amount = None,
    min_notional: Amount = None,
    max_notional: Amount = None,
    price_band: Band = None,
    impact_band: Band = None,
) -> None:
    """Change what orders of a market must satisfy; 0 in a maximum means none."""
    now = market_of(venue_of(context), market)
    changes: dict[str, int] = {}
    try:
        for name, text in (("reference", reference_price), ("min", min_price), ("max", max_price)):
            if text is not None:
                changes[f"{name}_price_ticks"] = _whole(text, now.spec.tick_e9, "tick")
        for name, text in (("min", min_quantity), ("max", max_quantity)):
            if text is not None:
                changes[f"{name}_lots"] = _whole(text, now.spec.step_e9, "step")
        for name, text in (("min", min_notional), ("max", max_notional)):
            if text is not None:
                changes[f"{name}_notional_atoms"] = scaled(text, now.spec.quote_decimals)
        for name, band in (("multiplier", price_band), ("impact", impact_band)):
            if band is not None:
                changes[f"min_{name}_ppm"], changes[f"max_{name}_ppm"] = (scaled(text, _PPM_DECIMALS) for text in band)
        changed = msgspec.structs.replace(now.filters, **changes)
        changed.check()
    except ValueError as error:
        stop(Exit.USAGE, str(error))
    send(context, SetFilters(AdminId(0), market, changed, reason))


def _whole(text: str, unit_e9: int, unit: str) -> int:
    count, rest = divmod(scaled(text, 9), unit_e9)
    if rest:
        raise ValueError(f"{text} is not a whole number of {unit}s")
    return count


@app.command()
def fee_tiers(
    context: typer.Context,
    tiers: Annotated[list[str], typer.Argument(help="All tiers from the lowest, as NAME:MAKER_BPS:TAKER_BPS.")],
    reason: Reason,
) -> None:
    """Replace the fee tiers, e.g. VIP0:8:10 VIP1:6:8; once anybody has something here, an approver runs it too."""
    parsed = []
    for text in tiers:
        match text.split(":"):
            case [name, maker, taker]:
                try:
                    parsed.append(FeeTierTable.model_validate({"name": name, "maker_bps": maker, "taker_bps": taker}))
                except ValidationError as error:
                    stop(Exit.USAGE, f"{text}: {described(error)}")
            case _:
                stop(Exit.USAGE, f"{text} is not NAME:MAKER_BPS:TAKER_BPS")
    send(context, SetFeeTiers(AdminId(0), tuple(tier.spec() for tier in parsed), reason))
