"""The rows of accounts and keys."""

from typing import Final

from exchange.core.accounts import decide, evolve
from exchange.core.rows import Admin, CommandRow, EventRow, Trader, TwoAdmins, Words, its_account
from exchange.core.state import State
from exchange.values.accounts.commands import AddKey, OpenAccount, RevokeKey, SetUserTier, UpdateAccount
from exchange.values.accounts.events import AccountOpened, AccountSettingsChanged, KeyAdded, KeyRevoked, UserTierChanged
from exchange.values.enums import Role, Scope
from exchange.values.ids import AccountId

COMMANDS: Final = (
    CommandRow(UpdateAccount, decide.update_account, Trader(Scope.TRADE)),
    CommandRow(OpenAccount, decide.open_account, Admin(Role.SUPPORT, reason="")),
    CommandRow(
        AddKey, decide.add_key, TwoAdmins(Role.SUPPORT, harmless=decide.first_key, harmless_without_reason=True)
    ),
    CommandRow(RevokeKey, decide.revoke_key, Admin(Role.SUPPORT)),
    CommandRow(SetUserTier, decide.set_user_tier, Admin(Role.OPERATOR)),
)


def _holder(state: State, event: KeyRevoked) -> tuple[AccountId, ...]:
    return (state.keys[event.key_id].account.account_id,)


EVENTS: Final = (
    EventRow(AccountOpened, evolve.account_opened, Words.ROUTINE, accounts=its_account),
    EventRow(AccountSettingsChanged, evolve.account_settings_changed, Words.ROUTINE, accounts=its_account),
    EventRow(KeyAdded, evolve.key_added, Words.ROUTINE, accounts=its_account),
    EventRow(KeyRevoked, evolve.key_revoked, Words.ROUTINE, accounts=_holder),
    EventRow(UserTierChanged, evolve.user_tier_changed, Words.ROUTINE),
)
