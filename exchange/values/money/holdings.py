"""Who may hold less than nothing of what: one table, over the kinds of asset and of those who hold it.

Everything anybody holds is a balance of an asset, and per asset all balances sum to zero; so whoever has some stands
against somebody who has less than nothing. For a coin that is custody, the outside world with its sign turned.
"""

from typing import Final

from exchange.values.enums import AssetKind, Holder
from exchange.values.ids import CLEARING, CUSTODY, FEES, INSURANCE, REWARDS, ROUNDING, SUSPENSE, TREASURY, AccountId

_HOLDERS: Final[dict[AccountId, Holder]] = {
    CUSTODY: Holder.CUSTODY,
    FEES: Holder.VENUE,
    INSURANCE: Holder.VENUE,
    TREASURY: Holder.VENUE,
    ROUNDING: Holder.VENUE,
    REWARDS: Holder.VENUE,
    SUSPENSE: Holder.CLEARING,
    CLEARING: Holder.CLEARING,
}

#: By kind, who may be below zero. What is locked never is, whoever's and whatever it is.
_BELOW_ZERO: Final[dict[AssetKind, tuple[Holder, ...]]] = {
    AssetKind.COIN: (Holder.CUSTODY,),
    AssetKind.DEBT: (Holder.USER, Holder.VENUE),
    AssetKind.CLAIM: (Holder.CLEARING,),
    AssetKind.CONTRACT: (Holder.USER, Holder.VENUE),
    AssetKind.COST: (Holder.USER, Holder.VENUE, Holder.CLEARING),
    AssetKind.UNSETTLED: (Holder.USER, Holder.VENUE, Holder.CLEARING),
    AssetKind.WITHDRAWAL: (Holder.CLEARING,),
    AssetKind.SUSPENSE: (Holder.CLEARING,),
    AssetKind.COMMITTED: (Holder.CLEARING,),
}


def holder(account: AccountId) -> Holder:
    return _HOLDERS.get(account, Holder.USER)


def may_be_negative(kind: AssetKind, account: AccountId) -> bool:
    """Whether an account's available balance of an asset of this kind may be below zero."""
    return holder(account) in _BELOW_ZERO[kind]
