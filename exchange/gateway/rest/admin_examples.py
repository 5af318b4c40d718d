"""One command of an admin of each kind, as the OpenAPI page shows it."""

from typing import Final

from exchange.values.accounts.commands import AddKey, OpenAccount, RevokeKey, SetUserTier
from exchange.values.commands import AdminCommand
from exchange.values.enums import Mode, Pause, Role, Scope
from exchange.values.ids import AccountId, AdminId, KeyId, ProposalId, UserId
from exchange.values.listings.commands import ListAsset, ListMarket, SetFeeTiers, SetFilters, SetLimits
from exchange.values.listings.specs import AssetSpec, FeeTier, Limits, ListedMarket, MarketFilters, spot_market
from exchange.values.modes.commands import SetAutoResume, SetMode, SetPause
from exchange.values.money.commands import CreditDeposit
from exchange.values.people.admins import AdminSpec
from exchange.values.people.commands import AddAdmin, ChangeAdmin, RevokeAdmin, WithdrawProposal
from exchange.values.process.commands import ActivateRule
from exchange.values.windows.certificate import CertificateId, Gate
from exchange.values.windows.commands import (
    ApproveOpening,
    CancelWindow,
    ChangeWindow,
    PlanWindow,
    RotateVenueKey,
    WaiveGate,
)
from exchange.values.windows.plan import WindowId, WindowPlan

KEY: Final = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="

_ADMIN: Final = AdminId(11)
_ACCOUNT: Final = AccountId(1_700_000)
_WINDOW: Final = WindowId(54_060)
_PLAN: Final = WindowPlan(1_790_000_000_000_000, 1_790_007_200_000_000, 1_790_007_800_000_000, "A new build")
_FILTERS: Final = MarketFilters(reference_price_ticks=15_000, min_lots=1)
_JUP: Final = AssetSpec("JUP", 6, "Jupiter")

EXAMPLES: Final[tuple[AdminCommand, ...]] = (
    SetMode(_ADMIN, Mode.POST_ONLY, "Opening after maintenance", "SOL_USDC"),
    SetPause(_ADMIN, Pause.DEPOSITS, True, "The chain's provider is down", "SOL"),
    SetAutoResume(_ADMIN, False, "Maintenance tonight"),
    OpenAccount(_ADMIN, label="alice"),
    AddKey(_ADMIN, _ACCOUNT, KEY, (Scope.READ, Scope.TRADE), "bot", "New bot"),
    RevokeKey(_ADMIN, KeyId(180), "Lost by its owner"),
    SetUserTier(_ADMIN, UserId(17), 1, "Volume of February"),
    CreditDeposit(_ADMIN, _ACCOUNT, "USDC", 1_000_000_000, "wire 2026-03-01/17", 1),
    SetFeeTiers(_ADMIN, (FeeTier("VIP 0", 800, 1_000),), "New schedule"),
    SetLimits(_ADMIN, Limits(open_orders_per_market=500), "Too many resting orders"),
    ListAsset(_ADMIN, _JUP, "Asked for by many"),
    ListMarket(
        _ADMIN,
        ListedMarket(spot_market(_JUP, AssetSpec("USDC", 6), 100_000, 100_000_000), _FILTERS),
        "Asked for by many",
    ),
    SetFilters(_ADMIN, "SOL_USDC", _FILTERS, "Wider band"),
    ActivateRule(_ADMIN, "band-by-side", "As announced"),
    AddAdmin(_ADMIN, AdminSpec("bob", KEY, (Role.OPERATOR,)), "Second operator"),
    ChangeAdmin(_ADMIN, AdminId(42), (Role.OPERATOR, Role.SUPPORT), "Helps out"),
    RevokeAdmin(_ADMIN, AdminId(42), "Left the company"),
    WithdrawProposal(_ADMIN, ProposalId(54_300), "The wrong key"),
    PlanWindow(_ADMIN, _PLAN),
    ChangeWindow(_ADMIN, _WINDOW, _PLAN),
    CancelWindow(_ADMIN, _WINDOW, "The new build is not ready"),
    ApproveOpening(_ADMIN, CertificateId(54_210), "I have read the report"),
    WaiveGate(_ADMIN, _WINDOW, Gate.FLOORS, "A disk is on its way"),
    RotateVenueKey(_ADMIN, KEY, False, "Yearly"),
)
