"""What admins ask for, and the first record of all."""

import msgspec

from exchange.values.commands.base import Command
from exchange.values.enums import (
    Mode,
    Pause,
    Role,
    Scope,
)
from exchange.values.ids import AccountId, AdminId, KeyId, ProposalId, SubaccountId, UserId
from exchange.values.specs import AssetSpec, FeeTier, Limits, MarketFilters, MarketSpec


class AdminSpec(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """An admin: base64 Ed25519 public key, roles, and a name for the records."""

    name: str
    public_key: str
    roles: tuple[Role, ...]


class ListedMarket(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    spec: MarketSpec
    filters: MarketFilters


class Genesis(Command, frozen=True):
    """The first record: everything the venue opens with."""

    venue: str
    venue_public_key: str
    assets: tuple[AssetSpec, ...]
    markets: tuple[ListedMarket, ...]
    fee_tiers: tuple[FeeTier, ...]
    admins: tuple[AdminSpec, ...]
    limits: Limits = Limits()
    auto_resume: bool = False


class SetMode(Command, frozen=True):
    """Change the mode of one market, or of the whole venue (`market` None)."""

    admin: AdminId
    mode: Mode
    reason: str
    market: str | None = None


class SetPause(Command, frozen=True):
    """Throw one of the switches beside the modes, for one asset or for all (`asset` None)."""

    admin: AdminId
    pause: Pause
    paused: bool
    reason: str
    asset: str | None = None


class ListAsset(Command, frozen=True):
    """List an asset, for ever."""

    admin: AdminId
    asset: AssetSpec
    reason: str


class ListMarket(Command, frozen=True):
    """List a market, for ever; it starts OFFLINE."""

    admin: AdminId
    market: ListedMarket
    reason: str


class SetFilters(Command, frozen=True):
    admin: AdminId
    market: str
    filters: MarketFilters
    reason: str


class SetFeeTiers(Command, frozen=True):
    admin: AdminId
    fee_tiers: tuple[FeeTier, ...]
    reason: str


class SetUserTier(Command, frozen=True):
    admin: AdminId
    user: UserId
    tier: int
    reason: str


class SetLimits(Command, frozen=True):
    admin: AdminId
    limits: Limits
    reason: str


class SetAutoResume(Command, frozen=True):
    admin: AdminId
    auto_resume: bool
    reason: str


class ActivateRule(Command, frozen=True):
    """Switch a named rule version on, for ever (`rules.versions` lists them)."""

    admin: AdminId
    rule: str
    reason: str


class OpenAccount(Command, frozen=True):
    """Open a new user's first account (`user` None), or a further sub-account of a user.

    A new user's id is the seq of this command.
    """

    admin: AdminId
    user: UserId | None = None
    subaccount: SubaccountId = SubaccountId(0)
    label: str = ""


class AddKey(Command, frozen=True):
    """Give a sub-account an API key: base64 of a 32-byte Ed25519 public key.

    `reason` is needed where somebody could be harmed by it: the account is not a new user's empty one.
    """

    admin: AdminId
    account: AccountId
    public_key: str
    scopes: tuple[Scope, ...]
    label: str = ""
    reason: str = ""


class RevokeKey(Command, frozen=True):
    admin: AdminId
    key_id: KeyId
    reason: str


class AddAdmin(Command, frozen=True):
    admin: AdminId
    added: AdminSpec
    reason: str


class ChangeAdmin(Command, frozen=True):
    """Replace an admin's roles; their key and name stay."""

    admin: AdminId
    changed: AdminId
    roles: tuple[Role, ...]
    reason: str


class RevokeAdmin(Command, frozen=True):
    admin: AdminId
    revoked: AdminId
    reason: str


class WithdrawProposal(Command, frozen=True):
    """End a proposal before anybody confirms it: whoever made it may, and every approver."""

    admin: AdminId
    proposal: ProposalId
    reason: str


class CreditDeposit(Command, frozen=True):
    """Credit what arrived from outside. `reference` is unique: a second credit under it is refused."""

    admin: AdminId
    account: AccountId
    asset: str
    atoms: int
    reference: str
