"""What holds of balances at every seq."""

from collections.abc import Iterator
from typing import Final

from exchange.core.money.posting import overdraft, overdrawn
from exchange.core.state import State


def zero_sum(state: State) -> Iterator[str]:
    """Per asset, the sum over all accounts and buckets is zero."""
    totals: dict[str, int] = {}
    for account in state.accounts.values():
        for asset, held in account.balances.items():
            totals[asset] = totals.get(asset, 0) + held.available_atoms + held.locked_atoms
    for asset, total in totals.items():
        if total:
            yield f"{asset}: the sum over all accounts is {total} atoms, not 0"


def no_negative_balance(state: State) -> Iterator[str]:
    """Nobody has less than nothing of what they may not (`values.money.holdings`)."""
    for account in state.accounts.values():
        for asset, held in account.balances.items():
            if overdrawn(state, account.account_id, asset, held):
                yield overdraft(account.account_id, asset, held)


def deposits_are_numbered(state: State) -> Iterator[str]:
    """There are at least as many deposits as their sources have numbered."""
    if any(name != source.source for name, source in state.sources.items()):
        yield "a source of deposits stands under another name"
    numbered = sum(source.number for source in state.sources.values())
    if numbered > state.last_deposit:
        yield f"sources have numbered {numbered} deposits, and the last one is {state.last_deposit}"


INVARIANTS: Final = (zero_sum, no_negative_balance, deposits_are_numbered)
