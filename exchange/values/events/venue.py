"""Facts of accounts, admins, listings, configuration, modes and process life."""

from exchange.values.commands import AdminSpec, TwoPeopleCommand
from exchange.values.enums import (
    Mode,
    Pause,
    ProposalEnd,
    Role,
    Scope,
)
from exchange.values.events.base import Event
from exchange.values.ids import AccountId, AdminId, KeyId, ProposalId, UserId
from exchange.values.refusals import Code
from exchange.values.specs import AccountSettings, AssetSpec, FeeTier, Limits, MarketFilters, MarketSpec


class AccountOpened(Event, frozen=True):
    account: AccountId
    label: str = ""


class AccountSettingsChanged(Event, frozen=True):
    account: AccountId
    settings: AccountSettings


class KeyAdded(Event, frozen=True):
    key_id: KeyId
    account: AccountId
    public_key: str
    scopes: tuple[Scope, ...]
    label: str = ""


class KeyRevoked(Event, frozen=True):
    key_id: KeyId


class AdminAdded(Event, frozen=True):
    """`by` are those who agreed on it: none at the founding."""

    admin: AdminId
    added: AdminSpec
    by: tuple[AdminId, ...] = ()


class AdminChanged(Event, frozen=True):
    admin: AdminId
    roles: tuple[Role, ...]


class AdminRevoked(Event, frozen=True):
    admin: AdminId


class CommandProposed(Event, frozen=True):
    """One person has asked for `command`; it waits until `expires_us` for a second one who asks for the same."""

    proposal: ProposalId
    command: TwoPeopleCommand
    expires_us: int


class ProposalEnded(Event, frozen=True):
    proposal: ProposalId
    how: ProposalEnd


class UserTierChanged(Event, frozen=True):
    user: UserId
    tier: int


class VenueFounded(Event, frozen=True):
    venue: str
    venue_public_key: str


class AssetListed(Event, frozen=True):
    asset: AssetSpec


class MarketListed(Event, frozen=True):
    spec: MarketSpec
    filters: MarketFilters


class FiltersChanged(Event, frozen=True):
    market: str
    filters: MarketFilters


class FeeTiersChanged(Event, frozen=True):
    fee_tiers: tuple[FeeTier, ...]


class LimitsChanged(Event, frozen=True):
    limits: Limits


class AutoResumeChanged(Event, frozen=True):
    auto_resume: bool


class RuleActivated(Event, frozen=True):
    rule: str


class ModeChanged(Event, frozen=True):
    """`market` None: the venue as a whole."""

    mode: Mode
    previous: Mode
    reason: str
    market: str | None = None


class PauseChanged(Event, frozen=True):
    pause: Pause
    paused: bool
    reason: str
    asset: str | None = None


class ProcessStarted(Event, frozen=True):
    """`resume_mode` is the mode `ResumeModes` may step back to; None: only an admin opens the venue."""

    build: str
    recovered_seq: int
    clean: bool
    resume_mode: Mode | None = None


class ProcessStopped(Event, frozen=True):
    reason: str


class Faulted(Event, frozen=True):
    """A bug of ours stopped this command; it has done nothing and is never decided again."""

    error_id: str
    market: str | None = None


class Refused(Event, frozen=True):
    """The command was refused, and nothing has changed."""

    code: Code
    message: str
