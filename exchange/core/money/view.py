"""Balances, as they are shown."""

from exchange.core.state import Account, State
from exchange.values.enums import AssetKind
from exchange.values.money.views import BalanceView


def balance_views(state: State, account: Account) -> tuple[BalanceView, ...]:
    """By asset; every coin ever held. Balances of other kinds are shown as what they stand for: positions, debts."""
    return tuple(
        BalanceView(asset, held.available_atoms, held.locked_atoms)
        for asset, held in sorted(account.balances.items())
        if state.assets[asset].kind is AssetKind.COIN
    )
