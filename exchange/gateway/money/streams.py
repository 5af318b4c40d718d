"""The `data` of the stream of an account's balances, in the wire contract's letters."""

import msgspec

from exchange.gateway.wire.numbers import amount_text
from exchange.values.listings.specs import AssetSpec
from exchange.values.money.views import BalanceUpdate

_encode = msgspec.json.Encoder().encode


class _BalanceUpdate(
    msgspec.Struct,
    gc=False,
    rename={
        "event": "e",
        "event_us": "E",
        "asset": "a",
        "available": "A",
        "locked": "L",
        "staked": "S",
        "engine_us": "T",
    },
):
    event: str
    event_us: int
    asset: str
    available: str
    locked: str
    staked: str
    engine_us: int


def balance_update(update: BalanceUpdate, asset: AssetSpec) -> bytes:
    """The asset's balance as it stands now, not the change."""
    return _encode(
        _BalanceUpdate(
            event="balanceUpdate",
            event_us=update.time_us,
            asset=update.asset,
            available=amount_text(update.available_atoms, asset.decimals),
            locked=amount_text(update.locked_atoms, asset.decimals),
            staked="0",
            engine_us=update.time_us,
        )
    )
