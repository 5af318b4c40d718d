"""Identifiers, and the way one is packed into another.

Every id is a whole number below 2^53, so that a client in any language can hold it.
Ids of orders, keys, admins and the like are functions of the seq of the command that made them: another history
can't shift them, and an id that has ended is never given again. Users and deposits are
numbered: a user's is a u32 on the wire.
"""

from typing import Final, NewType

UserId = NewType("UserId", int)
SubaccountId = NewType("SubaccountId", int)
#: (user, sub-account) in one number; see `account_id`.
AccountId = NewType("AccountId", int)
OrderId = NewType("OrderId", int)
KeyId = NewType("KeyId", int)
AdminId = NewType("AdminId", int)
ProposalId = NewType("ProposalId", int)
DepositId = NewType("DepositId", int)

MAX_ID: Final = 2**53 - 1
#: A client id is a u32 on the wire, the number of a sub-account a u16.
MAX_CLIENT_ID: Final = 2**32 - 1
MAX_SUBACCOUNT: Final = 2**16 - 1
#: userId is a u32 on the wire.
MAX_USER: Final = 2**32 - 1

_SUBACCOUNTS: Final = 100_000
_IDS_PER_RECORD: Final = 10

#: The user that is the venue itself; its sub-accounts are the ledger accounts below.
VENUE: Final = UserId(0)
#: The outside world: what the venue holds for everybody, with the sign turned.
CUSTODY: Final = AccountId(1)
FEES: Final = AccountId(2)
INSURANCE: Final = AccountId(3)
TREASURY: Final = AccountId(4)
ROUNDING: Final = AccountId(5)
REWARDS: Final = AccountId(6)
SUSPENSE: Final = AccountId(7)
CLEARING: Final = AccountId(8)

VENUE_ACCOUNTS: Final[dict[AccountId, str]] = {
    CUSTODY: "custody",
    FEES: "fees",
    INSURANCE: "insurance",
    TREASURY: "treasury",
    ROUNDING: "rounding",
    REWARDS: "rewards",
    SUSPENSE: "suspense",
    CLEARING: "clearing",
}


def account_id(user: UserId, subaccount: SubaccountId = SubaccountId(0)) -> AccountId:
    """Pack a user and a sub-account (u16 on the wire) readably: 1700002 is user 17, sub-account 2."""
    return AccountId(user * _SUBACCOUNTS + subaccount)


def user_of(account: AccountId) -> UserId:
    return UserId(account // _SUBACCOUNTS)


def subaccount_of(account: AccountId) -> SubaccountId:
    return SubaccountId(account % _SUBACCOUNTS)


def id_at(seq: int, index: int = 0) -> int:
    """The id of the `index`-th thing made by the command recorded at `seq`.

    Raises:
        ValueError: `index` is not 0 to 9.
    """
    if not 0 <= index < _IDS_PER_RECORD:
        raise ValueError(f"a record makes at most {_IDS_PER_RECORD} things, not one of index {index}")
    return seq * _IDS_PER_RECORD + index


def seq_of(made_id: int) -> int:
    """The seq of the record that made an order, a key or an admin."""
    return made_id // _IDS_PER_RECORD
