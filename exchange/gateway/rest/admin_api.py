"""The admin API: every admin command is a POST of its fields, and each one is a record with its actor and reason.

Bodies and answers are in the exchange's own words and units (atoms, ticks, lots, ppm), as they stand in the journal.
Admins sign with their own keys, by the same rules as traders; the instruction is `admin:` and the rest of the path,
with dots for slashes. The core checks roles. What takes two people is answered with a `CommandProposed` event until
another admin has asked for the same.
"""

from typing import Any, Final, get_args

import msgspec

from exchange.gateway.rest.operations import DONE, Answer, Routes
from exchange.runtime.port import Exchange
from exchange.values.accounts.commands import AddKey, OpenAccount, RevokeKey, SetUserTier
from exchange.values.commands import AdminCommand
from exchange.values.enums import Role
from exchange.values.events import AnyEvent
from exchange.values.listings.commands import ListAsset, ListMarket, SetFeeTiers, SetFilters, SetLimits
from exchange.values.listings.specs import AssetSpec
from exchange.values.listings.views import MarketView
from exchange.values.modes.commands import SetAutoResume, SetMode, SetPause
from exchange.values.modes.views import StatusView
from exchange.values.money.commands import CreditDeposit
from exchange.values.people.commands import AddAdmin, ChangeAdmin, RevokeAdmin, WithdrawProposal
from exchange.values.people.views import AdminView, PeopleView
from exchange.values.process.commands import ActivateRule
from exchange.values.record import Signed
from exchange.values.refusals import Code, Refusal
from exchange.values.signing import NAMES, instruction, says
from exchange.values.windows.commands import (
    ApproveOpening,
    CancelWindow,
    ChangeWindow,
    PlanWindow,
    RotateVenueKey,
    WaiveGate,
)
from exchange.values.windows.plan import WindowId

routes = Routes("Admin")

_PREFIX: Final = "/admin/v1/"
_KEY: Final = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
_PLAN: Final = {
    "offline_at_us": 1_790_000_000_000_000,
    "post_only_at_us": 1_790_007_200_000_000,
    "full_at_us": 1_790_007_800_000_000,
    "reason": "A new build",
}
_FILTERS: Final = {"reference_price_ticks": 15_000, "min_lots": 1}

Example = dict[str, Any]


class Venue(msgspec.Struct, frozen=True):
    """The venue as an admin sees it."""

    people: PeopleView
    status: StatusView
    assets: tuple[AssetSpec, ...]
    markets: tuple[MarketView, ...]


class Recorded(msgspec.Struct, frozen=True):
    """The record a command became, and what it caused."""

    seq: int
    events: tuple[AnyEvent, ...]


class AdminPath(msgspec.Struct, frozen=True):
    """Where a kind of command is sent, and what is signed."""

    path: str
    instruction: str


def _at(name: str) -> AdminPath:
    return AdminPath(_PREFIX + name, instruction(name))


STATUS: Final = _at("status")
#: For every admin command. A client posts the command's fields without its type and without `admin`, which the
#: key says.
PATHS: Final = {kind: _at(name) for kind, name in NAMES.items() if kind in get_args(AdminCommand)}

_REQUESTS: Final[dict[type[AdminCommand], tuple[str, Example]]] = {
    SetMode: (
        "Change the mode of a market, or of the venue.",
        {"mode": "POST_ONLY", "market": "SOL_USDC", "reason": "Opening after maintenance"},
    ),
    SetPause: (
        "Throw one of the switches beside the modes.",
        {"pause": "deposits", "asset": "SOL", "paused": True, "reason": "The chain's provider is down"},
    ),
    OpenAccount: ("Open a user's first account, or a sub-account of `user`.", {"label": "alice"}),
    AddKey: (
        "Give an account an API key; one that is not a new user's empty one takes a reason, and an approver too.",
        {"account": 1_700_000, "public_key": _KEY, "scopes": ["read", "trade"], "label": "bot", "reason": "New bot"},
    ),
    RevokeKey: ("Take an API key out of force.", {"key_id": 180, "reason": "Lost by its owner"}),
    CreditDeposit: (
        "Credit what arrived from outside, once per `reference`.",
        {"account": 1_700_000, "asset": "USDC", "atoms": 1_000_000_000, "reference": "wire 2026-03-01/17"},
    ),
    SetUserTier: ("Put a user on a fee tier.", {"user": 17, "tier": 1, "reason": "Volume of February"}),
    SetFeeTiers: (
        "Replace the fee tiers; once anybody has something here, an approver asks for the same.",
        {
            "fee_tiers": [{"name": "VIP 0", "spot_maker_ppm": 800, "spot_taker_ppm": 1_000}],
            "reason": "New schedule",
        },
    ),
    ListAsset: (
        "List an asset, for ever; an approver asks for the same.",
        {"asset": {"symbol": "JUP", "decimals": 6, "display_name": "Jupiter"}, "reason": "Asked for by many"},
    ),
    ListMarket: (
        "List a market, for ever; it starts OFFLINE. An approver asks for the same.",
        {
            "market": {
                "spec": {
                    "symbol": "JUP_USDC",
                    "kind": "SPOT",
                    "base": "JUP",
                    "quote": "USDC",
                    "base_decimals": 6,
                    "quote_decimals": 6,
                    "tick_e9": 100_000,
                    "step_e9": 100_000_000,
                    "base_atoms_per_lot": 100_000,
                    "quote_atoms_per_tick_lot": 10,
                },
                "filters": _FILTERS,
            },
            "reason": "Asked for by many",
        },
    ),
    SetFilters: (
        "Replace a market's filters; once it has traded, an approver asks for the same.",
        {"market": "SOL_USDC", "filters": _FILTERS, "reason": "Wider band"},
    ),
    SetLimits: (
        "Set the limits the core itself holds.",
        {"limits": {"open_orders_per_market": 500}, "reason": "Too many resting orders"},
    ),
    SetAutoResume: (
        "Whether a clean start of the same build steps back to the modes before it; on, an approver asks for the same.",
        {"auto_resume": False, "reason": "Maintenance tonight"},
    ),
    ActivateRule: (
        "Switch a named rule version on, for ever; an approver asks for the same.",
        {"rule": "band-by-side", "reason": "As announced"},
    ),
    AddAdmin: (
        "Add an admin; a second approver asks for the same.",
        {"added": {"name": "bob", "public_key": _KEY, "roles": ["operator"]}, "reason": "Second operator"},
    ),
    ChangeAdmin: (
        "Replace an admin's roles; a second approver asks for the same.",
        {"changed": 42, "roles": ["operator", "support"], "reason": "Helps out"},
    ),
    RevokeAdmin: (
        "Take an admin's rights away; one of the last two approvers goes only if both ask for it.",
        {"revoked": 42, "reason": "Left the company"},
    ),
    WithdrawProposal: (
        "End a proposal before anybody confirms it.",
        {"proposal": 54_300, "reason": "The wrong key"},
    ),
    PlanWindow: ("Plan a maintenance window.", {"plan": _PLAN}),
    ChangeWindow: ("Replace the plan of a window that has not ended.", {"window": 54_060, "plan": _PLAN}),
    CancelWindow: (
        "Call off a window that has not begun.",
        {"window": 54_060, "reason": "The new build is not ready"},
    ),
    ApproveOpening: (
        "Approve an opening certificate.",
        {"certificate": 54_210, "reason": "I have read the report"},
    ),
    WaiveGate: (
        "Let a failed gate pass; it counts once a second approver has said so too.",
        {"window": 54_060, "gate": "floors", "reason": "A disk is on its way"},
    ),
    RotateVenueKey: (
        "Sign certificates with another key from now on; a second approver asks for the same.",
        {"public_key": _KEY, "revoke": False, "reason": "Yearly"},
    ),
}


_STATUS_EXAMPLE: Final[Example] = {
    "people": {
        "standing": "2 approvers; 54000 was added by 11 alone",
        "approvers": 2,
        "admins": [
            {"admin": 11, "name": "admin", "public_key": _KEY, "roles": ["operator", "approver"], "added_by": []},
            {"admin": 54_000, "name": "bob", "public_key": _KEY, "roles": ["approver"], "added_by": [11]},
        ],
        "proposals": [],
    },
    "status": {
        "venue": "demo",
        "mode": "FULL",
        "reason": "Opening after maintenance",
        "changed_us": 1_755_000_000_000_000,
        "markets": {"SOL_USDC": ["FULL", ""]},
        "pauses": [{"pause": "deposits", "asset": "SOL", "reason": "The chain's provider is down"}],
        "build": "0.1.0",
        "epoch": 1,
        "maintenance": {
            "condition": "open",
            "windows": [],
            "markets": {},
            "opening": None,
            "losses": [],
            "verification": None,
        },
    },
    "assets": [{"symbol": "SOL", "decimals": 9, "display_name": "Solana"}],
    "markets": [],
}


@routes.admin("GET", STATUS.path, STATUS.instruction, example=_STATUS_EXAMPLE)
async def status(exchange: Exchange, admin: AdminView) -> Venue:
    """Who runs the venue and what waits for a second person; modes with their reasons, pauses, what is listed."""
    people, now_us = exchange.people(), exchange.now_us()
    waiting = tuple(proposal for proposal in people.proposals if now_us < proposal.expires_us)
    people = msgspec.structs.replace(people, proposals=waiting)
    return Venue(people, exchange.status(), exchange.all_assets(), exchange.markets())


class RunGates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`window` 0: for the venue as it stands."""

    reason: str
    window: WindowId = WindowId(0)


GATES: Final = _at("gates")
_NOT_AN_OPERATOR: Final = Refusal(Code.FORBIDDEN, f"This takes the role {Role.OPERATOR}")


@routes.admin(
    "POST", GATES.path, GATES.instruction, request={"window": 54_060, "reason": "The disk is there"}, example=None
)
async def run_gates(exchange: Exchange, admin: AdminView, params: RunGates) -> Answer | Refusal:
    """Have the gates run, again or where nothing asks for them by itself; what they find is recorded."""
    if Role.OPERATOR not in admin.roles:
        return _NOT_AN_OPERATOR
    return exchange.run_gates(params.window, admin, params.reason) or DONE


#: It would stand in the record as the proof that this was asked for, and prove something else.
_NOT_THE_COMMAND: Final = Refusal(Code.INVALID_CLIENT_REQUEST, "Sign the fields of the body, and nothing besides")


def _fields_of(command: type[AdminCommand]) -> type[msgspec.Struct]:
    """A command's fields but for `admin`, as the body of its request."""
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = [
        (field.name, field.type) if field.required else (field.name, field.type, field.default)
        for field in msgspec.structs.fields(command)
        if field.name != "admin"
    ]
    return msgspec.defstruct(command.__name__, fields, frozen=True, forbid_unknown_fields=True)


def _enter(command: type[AdminCommand], summary: str, request: Example) -> None:
    async def execute(
        exchange: Exchange, admin: AdminView, params: msgspec.Struct, signed: Signed
    ) -> Recorded | Refusal:
        asked = command(admin=admin.admin, **msgspec.structs.asdict(params))
        if not says(signed.text, asked):
            return _NOT_THE_COMMAND
        outcome = await exchange.execute(asked, (signed,))
        return outcome.refusal or Recorded(outcome.seq, outcome.events)

    execute.__doc__ = summary
    execute.__annotations__["params"] = _fields_of(command)
    where = PATHS[command]
    routes.admin("POST", where.path, where.instruction, request=request, example={"seq": 5_406, "events": []})(execute)


for _command, (_summary, _request) in _REQUESTS.items():
    _enter(_command, _summary, _request)
