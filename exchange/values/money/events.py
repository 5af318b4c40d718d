"""Money that moves without a trade."""

import msgspec

from exchange.values.base import Event
from exchange.values.enums import (
    Bucket,
)
from exchange.values.ids import AccountId, DepositId


class Leg(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """One side of a posting: `atoms` (signed) of `asset` onto a bucket of an account."""

    account: AccountId
    asset: str
    atoms: int
    bucket: Bucket = Bucket.AVAILABLE


class Posted(Event, frozen=True):
    """A posting: its legs sum to zero per asset.

    A deposit has an id of its own over all sources, and its source, number and reference (`CreditDeposit`).
    """

    kind: str
    legs: tuple[Leg, ...]
    reference: str = ""
    deposit: DepositId = DepositId(0)
    number: int = 0
    source: str = ""


Events = Posted
