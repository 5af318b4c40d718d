"""Commands are verbs: what somebody, or the venue itself, asks for. Each may be refused.

A command names who sent it: `key_id` for a trader's API key, `admin` for an admin; a command
with neither is the venue's own (`SYSTEM`). Fields are added, never renamed or reused; a new
field has a default, so an old record still reads.
"""

from exchange.values.commands.administration import (
    ActivateRule,
    AddAdmin,
    AddKey,
    AdminSpec,
    ChangeAdmin,
    CreditDeposit,
    Genesis,
    ListAsset,
    ListedMarket,
    ListMarket,
    OpenAccount,
    RevokeAdmin,
    RevokeKey,
    SetAutoResume,
    SetFeeTiers,
    SetFilters,
    SetLimits,
    SetMode,
    SetPause,
    SetUserTier,
    WithdrawProposal,
)
from exchange.values.commands.base import Command
from exchange.values.commands.maintenance import (
    AcceptLoss,
    ApproveOpening,
    BeginVerifying,
    BeginWindow,
    CancelAtClose,
    CancelWindow,
    Certify,
    ChangeWindow,
    DelayWindow,
    PlanWindow,
    ReportGates,
    RotateVenueKey,
    StepWindow,
    WaiveGate,
)
from exchange.values.commands.trading import (
    CancelAll,
    CancelOrder,
    PlaceOrder,
    SetCancelAllAfter,
    SetCancelOnDisconnect,
    UpdateAccount,
)
from exchange.values.commands.venue import (
    CancelForAccount,
    DropToCancelOnly,
    ReportFault,
    ResumeModes,
    StartProcess,
    StopProcess,
)

TradingCommand = PlaceOrder | CancelOrder | CancelAll | SetCancelAllAfter | SetCancelOnDisconnect | UpdateAccount
SystemCommand = (
    CancelForAccount
    | StartProcess
    | StopProcess
    | ResumeModes
    | ReportFault
    | DropToCancelOnly
    | BeginWindow
    | CancelAtClose
    | BeginVerifying
    | Certify
    | ReportGates
    | StepWindow
    | DelayWindow
    | AcceptLoss
)
AdminCommand = (
    SetMode
    | SetPause
    | ListAsset
    | ListMarket
    | SetFilters
    | SetFeeTiers
    | SetUserTier
    | SetLimits
    | SetAutoResume
    | ActivateRule
    | OpenAccount
    | AddKey
    | RevokeKey
    | AddAdmin
    | ChangeAdmin
    | RevokeAdmin
    | WithdrawProposal
    | CreditDeposit
    | PlanWindow
    | ChangeWindow
    | CancelWindow
    | ApproveOpening
    | WaiveGate
    | RotateVenueKey
)
#: Those that can wait for a second person (`rules.people` says when).
TwoPeopleCommand = (
    AddAdmin
    | ChangeAdmin
    | RevokeAdmin
    | RotateVenueKey
    | AddKey
    | ActivateRule
    | SetFeeTiers
    | SetFilters
    | SetAutoResume
    | ListAsset
    | ListMarket
)
AnyCommand = TradingCommand | SystemCommand | AdminCommand | Genesis

__all__ = [
    "AcceptLoss",
    "ActivateRule",
    "AddAdmin",
    "AddKey",
    "AdminCommand",
    "AdminSpec",
    "AnyCommand",
    "ApproveOpening",
    "BeginVerifying",
    "BeginWindow",
    "CancelAll",
    "CancelAtClose",
    "CancelForAccount",
    "CancelOrder",
    "CancelWindow",
    "Certify",
    "ChangeAdmin",
    "ChangeWindow",
    "Command",
    "CreditDeposit",
    "DelayWindow",
    "DropToCancelOnly",
    "Genesis",
    "ListAsset",
    "ListMarket",
    "ListedMarket",
    "OpenAccount",
    "PlaceOrder",
    "PlanWindow",
    "ReportFault",
    "ReportGates",
    "ResumeModes",
    "RevokeAdmin",
    "RevokeKey",
    "RotateVenueKey",
    "SetAutoResume",
    "SetCancelAllAfter",
    "SetCancelOnDisconnect",
    "SetFeeTiers",
    "SetFilters",
    "SetLimits",
    "SetMode",
    "SetPause",
    "SetUserTier",
    "StartProcess",
    "StepWindow",
    "StopProcess",
    "SystemCommand",
    "TradingCommand",
    "TwoPeopleCommand",
    "UpdateAccount",
    "WaiveGate",
    "WithdrawProposal",
]
