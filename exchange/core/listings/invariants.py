"""What holds of listings at every seq."""

from collections.abc import Iterator
from typing import Final

from exchange.core.state import State


def listings_stand_under_their_names(state: State) -> Iterator[str]:
    for symbol, asset in state.assets.items():
        if asset.symbol != symbol:
            yield f"{symbol}: the asset is {asset.symbol}"
    for symbol, market in state.markets.items():
        spec = market.spec
        if (
            not symbol == market.symbol == spec.symbol
            or spec.base not in state.assets
            or spec.quote not in state.assets
        ):
            yield f"{symbol}: the market is {spec.symbol}, of {spec.base} and {spec.quote}"
        if market.trading_seq > state.trading_seq:
            yield f"{symbol}: traded at {market.trading_seq}, and no market since {state.trading_seq}"


INVARIANTS: Final = (listings_stand_under_their_names,)
