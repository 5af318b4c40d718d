"""Balances, as they are shown."""

from exchange.core.state import Account
from exchange.values.money.views import BalanceView


def balance_views(account: Account) -> tuple[BalanceView, ...]:
    """By asset; every asset ever held."""
    return tuple(
        BalanceView(asset, held.available_atoms, held.locked_atoms) for asset, held in sorted(account.balances.items())
    )
