"""Moving money by legs: the one way in which it moves, but for events whose row says that they move it directly."""

from collections.abc import Iterable

from exchange.core.state import Balance, State
from exchange.values.enums import Bucket
from exchange.values.ids import AccountId
from exchange.values.money.events import Leg
from exchange.values.money.holdings import may_be_negative


class BadPosting(AssertionError):
    """Legs that don't sum to zero, or leave somebody less than they may hold: a bug of ours."""


def post(state: State, legs: Iterable[Leg]) -> None:
    """Move what the legs of one event say: for the fold alone.

    Raises:
        BadPosting: the state is doubtful then.
    """
    sums: dict[str, int] = {}
    touched: dict[tuple[AccountId, str], Balance] = {}
    for leg in legs:
        held = touched[leg.account, leg.asset] = state.accounts[leg.account].balance(leg.asset)
        if leg.bucket is Bucket.AVAILABLE:
            held.available_atoms += leg.atoms
        else:
            held.locked_atoms += leg.atoms
        sums[leg.asset] = sums.get(leg.asset, 0) + leg.atoms
    for asset, atoms in sums.items():
        if atoms:
            raise BadPosting(f"{asset}: legs that sum to {atoms} atoms")
    for (account, asset), held in touched.items():
        if overdrawn(state, account, asset, held):
            raise BadPosting(overdraft(account, asset, held))


def overdrawn(state: State, account: AccountId, asset: str, held: Balance) -> bool:
    """Whether a balance is below what its kind allows its holder."""
    if held.locked_atoms < 0:
        return True
    return held.available_atoms < 0 and not may_be_negative(state.assets[asset].kind, account)


def overdraft(account: AccountId, asset: str, held: Balance) -> str:
    return f"account {account} {asset}: available {held.available_atoms}, locked {held.locked_atoms} atoms"
