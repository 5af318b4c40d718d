"""What the public reads of a window, over HTTP and on the status stream."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from exchange.gateway.admission import GatewayLimits
from exchange.gateway.session.hub import Hub
from exchange.gateway.session.stream_names import StreamName, parse_stream_name
from exchange.values.accounts.commands import AddKey
from exchange.values.enums import Mode, Role, Scope
from exchange.values.modes.commands import SetMode
from exchange.values.people.admins import AdminSpec
from exchange.values.people.commands import AddAdmin
from exchange.values.windows.views import Awaited
from tests import venue as core
from tests.gateway.http_venue import HttpVenue
from tests.maintenance.windows.house import SOL_USDC, House, Running
from verify_proof import verify

LIMIT = {"symbol": SOL_USDC, "side": "Bid", "orderType": "Limit", "price": "90", "quantity": "1.50"}


class Reader:
    """Keeps what the status stream sends."""

    def __init__(self, running: Running) -> None:
        self.frames: list[bytes] = []
        name = parse_stream_name("status")
        assert isinstance(name, StreamName)
        Hub(running.venue).subscribe(name, self)

    def send(self, payload: bytes) -> None:
        self.frames.append(payload)

    def send_latest(self, stream: str, payload: bytes) -> None:
        self.frames.append(payload)


@asynccontextmanager
async def public(tmp_path: Path) -> AsyncIterator[tuple[Running, HttpVenue]]:
    house = House(tmp_path / "data")
    await house.found()
    async with house.up() as running:
        http = HttpVenue(running.life, house.clock, GatewayLimits(requests_per_minute=1_000_000))
        scopes = (Scope.READ, Scope.TRADE)
        await running.agree(AddKey(core.ADMIN, house.ann, http.ann.public_key, scopes, reason="test"))
        for signer, name, roles in ((http.founder, "op", (Role.OPERATOR,)), (http.auditor, "auditor", (Role.AUDITOR,))):
            await running.agree(AddAdmin(core.ADMIN, AdminSpec(name, signer.public_key, roles), "test"))
        house.clock.pass_s(1.1)  # just after a restart no signed change is taken
        async with http.http:
            yield running, http


async def test_every_stage_can_be_read_without_parsing_prose(tmp_path: Path) -> None:
    async with public(tmp_path) as (running, http):
        reader = Reader(running)
        ok = (await http.get("/api/v1/status")).json
        assert ok == {"status": "Ok", "message": None}
        window = await running.plan()
        plan = running.view(window).plan

        async def shown() -> Any:
            return (await http.get("/api/v1/maintenance")).json

        scheduled = await shown()
        assert scheduled["condition"] == "open"
        assert scheduled["windows"][0]["stage"] == "scheduled"
        assert scheduled["windows"][0]["nextStepAt"] == plan.offline_at_us // 1_000
        announced = (await http.get("/api/v1/status")).json
        assert announced["status"] == "Ok"
        assert "Maintenance from 2025-" in announced["message"]

        opening = await running.shut(window)
        shut = await shown()
        assert shut["condition"] == "planned"
        assert shut["markets"][SOL_USDC] == {
            "orderBookState": "Closed",
            "reason": "maintenance: upgrade",
            "condition": "planned",
            "windowId": window,
            "opensAt": plan.post_only_at_us // 1_000,
        }
        assert shut["windows"][0]["opening"] == {
            "awaits": "approvals",
            "reason": "",
            "certificateId": opening.certificate,
            "approvals": 0,
            "approvalsNeeded": 2,
            "failedGates": [],
        }
        status = (await http.get("/api/v1/status")).json
        assert status["status"] == "Maintenance"
        assert "not before" in status["message"]
        refused = await http.ask(http.ann, "POST", "/api/v1/order", LIMIT)
        assert (refused.status, refused.json["code"]) == (503, "MAINTENANCE")
        assert "not before" in refused.json["message"]
        assert 0 < int(refused.headers["Retry-After"]) <= 7_200

        running.at(plan.full_at_us + 1_000_000)
        await running.awaits(window, Awaited.APPROVALS)
        await running.until(lambda: running.view(window).stage == "delayed")
        late = (await shown())["windows"][0]
        assert (late["stage"], late["nextStepAt"], late["eta"]) == ("delayed", None, None)
        await running.approve(opening.certificate)
        await running.until(lambda: running.view(window).stage == "completed")
        ended = await shown()
        assert ended["condition"] == "open"
        assert ended["windows"][0]["stage"] == "completed"

        frames = [json.loads(frame)["data"]["maintenance"] for frame in reader.frames]
        stages = [frame["windows"][0]["stage"] for frame in frames if frame["windows"]]
        assert list(dict.fromkeys(stages)) == ["scheduled", "ongoing", "verifying", "delayed", "pre-open", "completed"]
        worked_on = {(frame["verification"] or {}).get("kind") for frame in frames}
        assert worked_on == {None, "closing", "opening"}


async def test_an_outage_is_told_from_a_planned_stop(tmp_path: Path) -> None:
    async with public(tmp_path) as (running, http):
        await running.do(SetMode(core.ADMIN, Mode.CANCEL_ONLY, "a fault in the feed", SOL_USDC))
        shown = (await http.get("/api/v1/maintenance")).json
        assert shown["condition"] == "open"
        assert shown["markets"][SOL_USDC]["condition"] == "unplanned"
        assert shown["markets"][SOL_USDC]["windowId"] is None
        await running.do(SetMode(core.ADMIN, Mode.OFFLINE, "an intruder"))
        shown = (await http.get("/api/v1/maintenance")).json
        assert shown["condition"] == "unplanned"
        assert shown["opening"]["awaits"] in ("gates", "approvals")


async def test_certificates_and_ones_own_proof_over_rest(tmp_path: Path) -> None:
    async with public(tmp_path) as (running, http):
        proof = "/api/v1/maintenance/proof"
        assert (await http.ask(http.ann, "GET", proof)).status == 404
        window = await running.plan()
        await running.shut(window)
        document = (await http.ask(http.ann, "GET", proof, query={"windowId": str(window)})).json
        assert document["account"] == running.house.ann
        assert verify(document, running.house.key.api_key)
        listed = (await http.get("/api/v1/maintenance/certificates", limit=1)).json
        [newest] = listed["certificates"]
        assert newest["certificate"] == document["opening"]["certificate"]
        assert newest["signature"] == document["opening"]["signature"]
        assert listed["venueKeys"] == document["venue_keys"]
        assert (await http.get("/api/v1/maintenance/certificates", limit=101)).status == 400
        other = await http.ask(http.ann, "GET", proof, query={"windowId": "1"})
        assert other.refusal[:2] == (404, "RESOURCE_NOT_FOUND")


async def test_gates_are_run_for_an_operator_alone(tmp_path: Path) -> None:
    async with public(tmp_path) as (running, http):
        asked = {"window": 0, "reason": "to be sure"}
        refused = await http.ask(http.auditor, "POST", "/admin/v1/gates", asked)
        assert refused.refusal[:2] == (403, "FORBIDDEN")
        assert (await http.ask(http.founder, "POST", "/admin/v1/gates", asked)).status == 200
        await running.until(lambda: bool(running.state.certificates))
        none = await http.ask(http.founder, "POST", "/admin/v1/gates", {"window": 12, "reason": "x"})
        assert none.refusal[:2] == (412, "PRECONDITION_FAILED")


async def test_orders_that_asked_for_it_over_rest_are_cancelled_at_close(tmp_path: Path) -> None:
    async with public(tmp_path) as (running, http):
        of_order = await http.ask(http.ann, "POST", "/api/v1/order", {**LIMIT, "cancelAtClose": True})
        stays = await http.ask(http.ann, "POST", "/api/v1/order", LIMIT)
        await running.shut(await running.plan())
        left = {str(order_id) for order_id in running.state.orders}
        assert of_order.json["id"] not in left
        assert stays.json["id"] in left
        ended = await http.ask(http.ann, "GET", "/wapi/v1/history/orders", query={"orderId": of_order.json["id"]})
        assert (ended.json[0]["status"], ended.json[0]["cancelReason"]) == ("Cancelled", "MarketClosed")


async def test_an_account_asks_for_it_for_all_its_orders(tmp_path: Path) -> None:
    async with public(tmp_path) as (running, http):
        assert (await http.ask(http.ann, "GET", "/api/v1/account")).json["cancelAtClose"] is False
        assert (await http.ask(http.ann, "PATCH", "/api/v1/account", {"cancelAtClose": True})).status == 200
        assert (await http.ask(http.ann, "PATCH", "/api/v1/account", {"autoLend": True})).status == 200
        assert (await http.ask(http.ann, "GET", "/api/v1/account")).json["cancelAtClose"] is True
        assert (await http.ask(http.ann, "POST", "/api/v1/order", LIMIT)).status == 200
        await running.shut(await running.plan())
        assert all(order.account.account_id != running.house.ann for order in running.state.orders.values())
