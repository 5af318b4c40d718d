"""Refused and faulted commands are records too; without a limit per account they would fill the disk for free."""

from typing import Final

from exchange.values.ids import AccountId

#: Recorded refusals an account may cause per second for long, and how many it may save up.
REFUSALS_PER_S: Final = 100
REFUSAL_BURST: Final = 1_000
#: Accounts remembered before those that have saved up in full again are forgotten.
_FORGET_AT: Final = 10_000
_FULL_US: Final = REFUSAL_BURST * 1_000_000 // REFUSALS_PER_S


class RefusalLimit:
    """A token bucket per account, kept as the moment at which it would be full again."""

    def __init__(self) -> None:
        self._full_at_us: dict[AccountId, int] = {}
        self._forget_at = _FORGET_AT

    def allow(self, account: AccountId, now_us: int) -> bool:
        """Whether one more refusal of this account may be recorded; if so it is counted."""
        full_at_us = max(self._full_at_us.get(account, 0), now_us) + 1_000_000 // REFUSALS_PER_S
        if full_at_us - now_us > _FULL_US:
            return False
        if len(self._full_at_us) >= self._forget_at:
            self._full_at_us = {each: at_us for each, at_us in self._full_at_us.items() if at_us > now_us}
            self._forget_at = max(_FORGET_AT, 2 * len(self._full_at_us))
        self._full_at_us[account] = full_at_us
        return True
