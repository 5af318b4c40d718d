"""The venue's own life: founding, starts and stops, faults, rule versions, lost records."""

from typing import ClassVar

from exchange.values.base import Command
from exchange.values.ids import AdminId
from exchange.values.listings.specs import AssetSpec, FeeTier, Limits, ListedMarket
from exchange.values.people.admins import AdminSpec


class StartProcess(Command, frozen=True):
    """First command of every process: the venue goes OFFLINE.

    `clean` says whether the process before ended with `StopProcess`.
    """

    build: str
    clean: bool


class StopProcess(Command, frozen=True):
    """Last command of a process that ends in order."""

    reason: str


class ReportFault(Command, frozen=True):
    """Take a market OFFLINE because a command on it met a bug of ours."""

    market: str
    error_id: str


class Genesis(Command, frozen=True):
    """The first record: everything the venue opens with."""

    NAME: ClassVar[str] = "genesis"

    venue: str
    venue_public_key: str
    assets: tuple[AssetSpec, ...]
    markets: tuple[ListedMarket, ...]
    fee_tiers: tuple[FeeTier, ...]
    admins: tuple[AdminSpec, ...]
    limits: Limits
    auto_resume: bool = False


class ActivateRule(Command, frozen=True):
    """Switch a named rule version on, for ever; an approver asks for the same."""

    NAME: ClassVar[str] = "rules"

    admin: AdminId
    rule: str
    reason: str


class AcceptLoss(Command, frozen=True):
    """Records up to `lost_to_seq` are lost for good: a new epoch starts behind them. Two approvers sign for it.

    `witness_chain` (hex) is what the witness holds at `lost_to_seq`. The record of this command has seq
    `lost_to_seq` + 1, so no id of the lost range is given again.
    """

    NAME: ClassVar[str] = "accept-loss"

    first_admin: AdminId
    second_admin: AdminId
    lost_to_seq: int
    witness_chain: str
    reason: str


AdminCommand = ActivateRule
SystemCommand = StartProcess | StopProcess | ReportFault | AcceptLoss
#: Those that can wait for a second person (their rows say when).
TwoPeopleCommand = ActivateRule
