"""Probes of accounts and keys."""

from exchange.values.accounts.commands import AddKey, OpenAccount, RevokeKey, SetUserTier, UpdateAccount
from exchange.values.accounts.settings import SettingsChange
from exchange.values.commands import AnyCommand
from exchange.values.enums import Scope
from exchange.values.ids import KeyId, SubaccountId, user_of
from exchange.values.numbers import E9
from exchange.values.refusals import Code
from tests.probes import Numbers, Probe, Scene
from tests.venue import ADMIN, public_key


def _update(s: Scene, change: SettingsChange, who: int = 0) -> AnyCommand:
    return UpdateAccount(s.accounts[who], s.venue.key(s.accounts[who]), change)


def _open(s: Scene, n: Numbers) -> AnyCommand:
    return OpenAccount(ADMIN, user_of(s.account(n)) if n.which else None, SubaccountId(n.number))


def _add_key(s: Scene, n: Numbers) -> AnyCommand:
    account = max(s.venue.state.accounts) if n.which else s.account(n)
    return AddKey(s.admin(n), account, public_key(910_000 + n.number), (Scope.READ,), reason="test")


def _add_first_key(s: Scene, key: str = public_key(999)) -> AnyCommand:
    s.venue.expect(OpenAccount(ADMIN))
    return AddKey(ADMIN, max(s.venue.state.accounts), key, (Scope.READ,), reason="test")


def _revoke_key(s: Scene, n: Numbers) -> AnyCommand:
    """Never a key that trades: the flow goes on with it."""
    spare = [key_id for key_id, key in s.venue.state.keys.items() if Scope.TRADE not in key.scopes]
    return RevokeKey(ADMIN, spare[n.number % len(spare)] if spare else KeyId(n.number), "test")


PROBES = (
    Probe(
        UpdateAccount,
        lambda s, n: _update(s, SettingsChange(auto_lend=bool(n.which), leverage_limit_e9=n.number * E9), n.who),
        lambda s: _update(s, SettingsChange(auto_lend=True)),
        lambda s: _update(s, SettingsChange(leverage_limit_e9=101 * E9)),
        Code.INVALID_CLIENT_REQUEST,
    ),
    Probe(
        OpenAccount,
        _open,
        lambda s: OpenAccount(ADMIN),
        lambda s: OpenAccount(ADMIN, user_of(s.accounts[0])),
        Code.PRECONDITION_FAILED,
    ),
    Probe(AddKey, _add_key, _add_first_key, lambda s: _add_first_key(s, "no key"), Code.INVALID_CLIENT_REQUEST),
    Probe(
        RevokeKey,
        _revoke_key,
        lambda s: RevokeKey(ADMIN, s.venue.key(s.accounts[0]), "test"),
        lambda s: RevokeKey(ADMIN, KeyId(1), "test"),
        Code.RESOURCE_NOT_FOUND,
    ),
    Probe(
        SetUserTier,
        lambda s, n: SetUserTier(ADMIN, user_of(s.account(n)), n.number % 3, "test"),
        lambda s: SetUserTier(ADMIN, user_of(s.accounts[0]), 1, "test"),
        lambda s: SetUserTier(ADMIN, user_of(s.accounts[0]), 9, "test"),
        Code.INVALID_CLIENT_REQUEST,
    ),
)
