"""The admin API: every admin command is a POST of its fields, and each one is a record with its actor and reason.

Bodies and answers are in the exchange's own words and units (atoms, ticks, lots, ppm), as they stand in the journal.
Admins sign with their own keys, by the same rules as traders; the instruction is `admin:` and the rest of the path,
with dots for slashes. The core checks roles. What takes two people is answered with a `CommandProposed` event until
another admin has asked for the same.
"""

from typing import Any, Final, get_args

import msgspec

from exchange.gateway.rest.admin_examples import EXAMPLES, KEY
from exchange.gateway.rest.operations import DONE, Answer, Routes
from exchange.runtime.port import Exchange
from exchange.values.commands import AdminCommand
from exchange.values.enums import Role
from exchange.values.events import AnyEvent
from exchange.values.listings.specs import AssetSpec
from exchange.values.listings.views import MarketView
from exchange.values.modes.views import StatusView
from exchange.values.people.views import AdminView, PeopleView
from exchange.values.record import Signed
from exchange.values.refusals import Code, Refusal
from exchange.values.signing import NAMES, instruction, says
from exchange.values.windows.plan import WindowId

routes = Routes("Admin")

_PREFIX: Final = "/admin/v1/"
Example = dict[str, Any]


class Overview(msgspec.Struct, frozen=True):
    """The venue as an admin sees it. `deposits` has the last number credited by source ("": by hand)."""

    people: PeopleView
    status: StatusView
    assets: tuple[AssetSpec, ...]
    markets: tuple[MarketView, ...]
    deposits: dict[str, int]


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

_STATUS_EXAMPLE: Final[Example] = {
    "people": {
        "standing": "2 approvers; 54000 was added by 11 alone",
        "approvers": 2,
        "admins": [
            {"admin": 11, "name": "admin", "public_key": KEY, "roles": ["operator", "approver"], "added_by": []},
            {"admin": 54_000, "name": "bob", "public_key": KEY, "roles": ["approver"], "added_by": [11]},
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
    "deposits": {"": 16},
}


@routes.admin("GET", STATUS.path, STATUS.instruction, example=_STATUS_EXAMPLE)
async def status(exchange: Exchange, admin: AdminView) -> Overview:
    """Who runs the venue and what waits for a second person; modes with their reasons, pauses, what is listed."""
    people, now_us = exchange.people(), exchange.now_us()
    waiting = tuple(proposal for proposal in people.proposals if now_us < proposal.expires_us)
    people = msgspec.structs.replace(people, proposals=waiting)
    deposits = await exchange.deposit_numbers()
    return Overview(people, exchange.status(), exchange.all_assets(), exchange.markets(), deposits)


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
_NOT_THE_COMMAND: Final = Refusal(
    Code.INVALID_CLIENT_REQUEST, "Sign the fields of the body, and nothing besides; percent-encoded, if one has a %"
)


def _fields_of(command: type[AdminCommand]) -> type[msgspec.Struct]:
    """A command's fields but for `admin`, as the body of its request."""
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = [
        (field.name, field.type) if field.required else (field.name, field.type, field.default)
        for field in msgspec.structs.fields(command)
        if field.name != "admin"
    ]
    return msgspec.defstruct(command.__name__, fields, frozen=True, forbid_unknown_fields=True)


def _enter(example: AdminCommand) -> None:
    command, where = type(example), PATHS[type(example)]
    request = msgspec.to_builtins(example)
    del request["type"], request["admin"]

    async def execute(
        exchange: Exchange, admin: AdminView, params: msgspec.Struct, signed: Signed
    ) -> Recorded | Refusal:
        asked = command(admin=admin.admin, **msgspec.structs.asdict(params))
        if not says(signed.text, asked):
            return _NOT_THE_COMMAND
        outcome = await exchange.execute(asked, (signed,))
        return outcome.refusal or Recorded(outcome.seq, outcome.events)

    execute.__doc__ = command.__doc__
    execute.__annotations__["params"] = _fields_of(command)
    routes.admin("POST", where.path, where.instruction, request=request, example={"seq": 5_406, "events": []})(execute)


for _example in EXAMPLES:
    _enter(_example)
