"""The admin API: each command over HTTP becomes one record with its actor, roles are checked, nothing else gets in."""

from base64 import b64decode
from typing import Any, get_args

import msgspec
import pytest
from nacl.signing import VerifyKey

from exchange.core import decide
from exchange.core.snapshot import dump, load
from exchange.gateway.rest.admin_api import PATHS, routes
from exchange.values.commands import AdminCommand
from exchange.values.enums import Mode, Role
from exchange.values.ids import AdminId, user_of
from exchange.values.listings.commands import ListAsset
from exchange.values.listings.specs import AssetSpec
from exchange.values.modes.commands import SetAutoResume, SetMode
from exchange.values.people.admins import AdminSpec
from exchange.values.people.commands import AddAdmin
from exchange.values.process.events import Refused
from exchange.values.signing import says
from exchange.values.windows.certificate import Gate
from tests import venue as core
from tests.core.windows import by_hand as maintenance
from tests.gateway.http_venue import SYMBOL, HttpVenue, Reply, Signer
from tests.runtime.running import done, records


async def post(venue: HttpVenue, name: str, body: Any, signer: Signer | None = None) -> Reply:
    return await venue.ask(signer or venue.founder, "POST", f"/admin/v1/{name}", body)


def test_every_admin_command_has_its_path_and_its_example() -> None:
    assert set(PATHS) == set(get_args(AdminCommand))
    operations = {operation.path: operation for operation in routes.operations}
    for command, place in PATHS.items():
        operation = operations[place.path]
        assert operation.changes
        assert operation.instruction == place.instruction
        built: Any = msgspec.convert(operation.request_example, operation.params)
        command(admin=core.ADMIN, **msgspec.structs.asdict(built))


def example_venue() -> tuple[core.Venue, dict[str, int]]:
    """A venue in which all that the examples name is there, and what their ids are in it."""
    venue = core.Venue().open()
    venue.time_us = 1_789_990_000_000_000
    account = venue.account({"USDC": 10**12})
    second = maintenance.second_approver(venue)
    [auditor] = venue.agree(AddAdmin(core.ADMIN, AdminSpec("x", core.public_key(600), (Role.AUDITOR,)), "test"), second)
    [proposed] = venue.expect(SetAutoResume(core.ADMIN, True, "test"))
    window = maintenance.plan(venue)
    ids = {
        "account": account,
        "user": user_of(account),
        "key_id": venue.key(account),
        "changed": auditor.admin,  # type: ignore[union-attr]
        "revoked": auditor.admin,  # type: ignore[union-attr]
        "proposal": proposed.proposal,  # type: ignore[union-attr]
        "window": window,
        "certificate": maintenance.certify(venue),
        "second": second,
        "number": max((source.number for source in venue.state.sources.values()), default=0) + 1,
    }
    maintenance.fail(venue, window, Gate.FLOORS)
    return venue, ids


def test_an_example_is_something_a_venue_does() -> None:
    """Its rules, gates, roles, symbols and terms are real ones; its ids are put in from a real venue."""
    venue, ids = example_venue()
    unlisted = dump(venue.state)
    listing = ListAsset(core.ADMIN, AssetSpec("JUP", 6, "Jupiter"), "test")
    venue.agree(listing, AdminId(ids["second"]))
    listed = dump(venue.state)
    operations = {operation.path: operation for operation in routes.operations}
    for command, place in PATHS.items():
        example: Any = operations[place.path].request_example
        named = {name: ids.get(name, value) for name, value in example.items()}
        built: Any = msgspec.convert({"type": command.__name__, "admin": core.ADMIN, **named}, type=command)
        events = decide(load(unlisted if command is ListAsset else listed), venue.time_us, built)
        assert not any(isinstance(event, Refused) for event in events), (command, events)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_switch_for_what_does_not_exist_is_refused(venue: HttpVenue) -> None:
    for switch in ("funding", "liquidation", "borrowing", "withdrawals"):
        refused = await post(venue, "pause", {"pause": switch, "paused": True, "reason": "x"})
        assert refused.refusal[:2] == (400, "INVALID_CLIENT_REQUEST")
    refused = await post(venue, "pause", {"pause": "new_accounts", "asset": "SOL", "paused": True, "reason": "x"})
    assert refused.refusal[:2] == (400, "INVALID_CLIENT_REQUEST")


@pytest.mark.asyncio(loop_scope="module")
async def test_what_waits_for_a_second_person_is_shown_until_it_is_late(venue: HttpVenue) -> None:
    body = {"rule": "band-by-side", "reason": "as announced"}
    answer = await post(venue, "rules", body)
    (event,) = answer.json["events"]
    assert event["type"] == "CommandProposed"
    people = (await venue.ask(venue.auditor, "GET", "/admin/v1/status")).json["people"]
    assert people["approvers"] == 2
    assert people["standing"].endswith("alone")
    assert [each["proposal"] for each in people["proposals"]] == [event["proposal"]]
    assert 400 <= (await post(venue, "rules", body)).status < 500
    withdrawn = await post(venue, "proposals/withdraw", {"proposal": event["proposal"], "reason": "not yet"})
    assert withdrawn.status == 200
    people = (await venue.ask(venue.auditor, "GET", "/admin/v1/status")).json["people"]
    assert people["proposals"] == []


@pytest.mark.asyncio(loop_scope="module")
async def test_the_status_in_the_exchanges_own_words(venue: HttpVenue) -> None:
    answer = await venue.ask(venue.auditor, "GET", "/admin/v1/status")
    assert answer.status == 200
    assert answer.json["status"]["mode"] == "FULL"
    assert [market["spec"]["symbol"] for market in answer.json["markets"]] == [SYMBOL]
    assert [asset["symbol"] for asset in answer.json["assets"]] == ["SOL", "USDC"]


@pytest.mark.asyncio(loop_scope="module")
async def test_an_account_from_its_opening_to_its_first_order(venue: HttpVenue) -> None:
    opened = await post(venue, "accounts", {"label": "carol"})
    assert opened.status == 200
    account = opened.json["events"][0]["account"]
    carol = Signer(77)
    key = {"account": account, "public_key": carol.public_key, "scopes": ["read", "trade"]}
    added = await post(venue, "keys", key)
    key_id = added.json["events"][0]["key_id"]
    deposit = {"account": account, "asset": "USDC", "atoms": 1_000_000_000, "reference": "wire 1"}
    deposit["number"] = (await venue.deposit_numbers())[""] + 1
    credited = await post(venue, "deposits", deposit)
    assert credited.json["seq"] == added.json["seq"] + 1
    again = await post(venue, "deposits", deposit)
    assert 400 <= again.status < 500
    capital = (await venue.ask(carol, "GET", "/api/v1/capital")).json
    assert capital == {"USDC": {"available": "1000", "locked": "0", "staked": "0"}}
    order = {"symbol": SYMBOL, "side": "Bid", "orderType": "Limit", "price": "90", "quantity": "1"}
    assert (await venue.ask(carol, "POST", "/api/v1/order", order)).status == 200
    assert (await post(venue, "keys/revoke", {"key_id": key_id, "reason": "test"})).status == 200
    assert (await venue.ask(carol, "POST", "/api/v1/order", order)).refusal[:2] == (401, "INVALID_SIGNATURE")


@pytest.mark.asyncio(loop_scope="module")
async def test_the_record_names_the_actor_and_the_reason(venue: HttpVenue) -> None:
    body = {"mode": "LIMIT_ONLY", "market": SYMBOL, "reason": "a drill"}
    answer = await post(venue, "mode", body)
    assert answer.status == 200
    shown = (await venue.get("/api/v1/market", symbol=SYMBOL)).json
    assert shown["orderBookState"] == "LimitOnly"
    [record] = records(venue.life.data_dir, answer.json["seq"])
    assert isinstance(record.command, SetMode)
    admin = venue.life.venue.admin(venue.founder.public_key)
    assert admin is not None
    assert (record.command.admin, record.command.reason) == (admin.admin, "a drill")
    await done(venue.life.venue, SetMode(core.ADMIN, Mode.FULL, "test", SYMBOL))


@pytest.mark.asyncio(loop_scope="module")
async def test_the_record_proves_who_asked_for_it(venue: HttpVenue) -> None:
    """Refused or carried out: what was signed stands in it."""
    body = {"mode": "LIMIT_ONLY", "market": SYMBOL, "reason": "50% & more"}
    refused = {"gate": "chain", "window": 1, "reason": "x"}
    carried_out, refusal = await post(venue, "mode", body), await post(venue, "waivers", refused)
    assert (carried_out.status, refusal.status) == (200, 412)
    found = records(venue.life.data_dir, carried_out.json["seq"])
    assert len(found) == 2
    for record in found:
        [signed] = record.signed
        assert signed.public_key == venue.founder.public_key
        VerifyKey(b64decode(signed.public_key)).verify(signed.text.encode(), b64decode(signed.signature))
        assert says(signed.text, record.command)
    await done(venue.life.venue, SetMode(core.ADMIN, Mode.FULL, "test", SYMBOL))


@pytest.mark.asyncio(loop_scope="module")
async def test_what_says_more_than_the_command_is_not_taken_for_it(venue: HttpVenue) -> None:
    """A query is nothing to a command: what was signed with one in it would prove something else for ever."""
    body = {"mode": "FULL", "market": SYMBOL, "reason": "again"}
    venue.clock.pass_s(0.001)
    headers = venue.headers(venue.founder, "POST", "/admin/v1/mode", msgspec.json.encode(body))
    text = f"instruction=admin:mode&market={SYMBOL}&mode=FULL&note=1&reason=again"
    signature = venue.founder.sign(f"{text}&timestamp={headers['X-Timestamp']}&window={headers['X-Window']}")
    path = "/admin/v1/mode?note=1"
    response = await venue.http.post(path, json=body, headers={**headers, "X-Signature": signature})
    assert Reply(response).refusal[:2] == (400, "INVALID_CLIENT_REQUEST")
    assert "nothing besides" in response.text


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("mode", {"mode": "CANCEL_ONLY", "reason": ""}),
        ("mode", {"mode": "CANCEL_ONLY"}),
        ("mode", {"mode": "SHUT", "reason": "x"}),
        ("mode", {"mode": "CANCEL_ONLY", "reason": "x", "admin": 1}),
        ("mode", {"mode": "CANCEL_ONLY", "reason": "x", "market": "NO_SUCH"}),
        ("accounts", {"label": 5}),
        ("keys", {"account": 5, "public_key": "no key", "scopes": []}),
        ("deposits", {"account": 1, "asset": "USDC", "atoms": -5, "reference": "r", "number": 1}),
        ("deposits", {"account": 1, "asset": "USDC", "atoms": 1.5, "reference": "r", "number": 1}),
        ("limits", []),
        ("limits", b"{"),
    ],
)
async def test_a_wrong_command_is_refused_and_changes_nothing(venue: HttpVenue, name: str, body: Any) -> None:
    before = (await venue.ask(venue.founder, "GET", "/admin/v1/status")).text
    refused = await post(venue, name, body)
    assert 400 <= refused.status < 500
    assert set(refused.json) == {"code", "message"}
    assert (await venue.ask(venue.founder, "GET", "/admin/v1/status")).text == before


@pytest.mark.asyncio(loop_scope="module")
async def test_roles_are_checked(venue: HttpVenue) -> None:
    refused = await post(venue, "mode", {"mode": "OFFLINE", "reason": "x"}, venue.auditor)
    assert refused.refusal[:2] == (403, "FORBIDDEN")


@pytest.mark.asyncio(loop_scope="module")
async def test_each_command_has_an_instruction_of_its_own(venue: HttpVenue) -> None:
    """What was signed for one path is no good on another."""
    venue.clock.pass_s(0.001)
    content = msgspec.json.encode({"key_id": 5, "reason": "x"})
    headers = venue.headers(venue.founder, "POST", "/admin/v1/keys/revoke", content)
    moved = await venue.http.post("/admin/v1/admins/revoke", content=content, headers=headers)
    assert moved.json()["message"] == "Invalid signature"
