"""What a trader sets for a sub-account."""

from typing import Final

import msgspec

from exchange.values.base import Part
from exchange.values.numbers import E9


class AccountSettings(Part, frozen=True):
    """A sub-account's own settings (wire: PATCH account). They steer margin, so spot only keeps them."""

    auto_borrow_settlements: bool = False
    auto_lend: bool = False
    auto_repay_borrows: bool = False
    leverage_limit_e9: int = 10 * E9
    #: Cancel the account's orders when their market closes for maintenance.
    cancel_at_close: bool = False


#: Of a sub-account that has changed none; one object for all of them.
DEFAULT_SETTINGS: Final = AccountSettings()


class SettingsChange(
    msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Which of an account's settings change, by the names of `AccountSettings`; None: this one stays."""

    auto_borrow_settlements: bool | None = None
    auto_lend: bool | None = None
    auto_repay_borrows: bool | None = None
    leverage_limit_e9: int | None = None
    cancel_at_close: bool | None = None

    def applied_to(self, settings: AccountSettings) -> AccountSettings:
        """`settings` with this changed."""
        asked = {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}
        return msgspec.structs.replace(settings, **asked)
