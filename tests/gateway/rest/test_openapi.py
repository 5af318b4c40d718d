"""The OpenAPI page: complete, its examples true to their schemas, its pages served from here."""

from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from exchange.gateway.admission import Admission, GatewayLimits
from exchange.gateway.application import OPERATIONS, create_app
from exchange.gateway.auth import Authenticator
from exchange.gateway.rest.openapi import build
from exchange.gateway.rest.operations import Authority
from exchange.gateway.rest.operators_port import Ops
from tests.gateway.http_venue import HttpVenue

OFFICIAL = Path(__file__).with_name("official_operations.txt")
FEW = {"public_requests_per_minute": 60, "failed_signatures_per_minute": 60, "failed_signatures_per_address": 60}
DOCUMENT = build(OPERATIONS)
DESCRIBED = [
    (f"{method.upper()} {path}", operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]


def test_every_operation_is_described() -> None:
    assert {name for name, _ in DESCRIBED} == {f"{operation.method} {operation.path}" for operation in OPERATIONS}
    assert len({operation["operationId"] for _, operation in DESCRIBED}) == len(OPERATIONS)
    for name, operation in DESCRIBED:
        assert operation["summary"], name


def test_every_official_operation_is_there_with_its_instruction() -> None:
    """The protocol's 81; what this venue doesn't have is refused cleanly."""
    official = {tuple(line.split()) for line in OFFICIAL.read_text().splitlines()}
    ours = {(operation.method, operation.path, operation.instruction or "-") for operation in OPERATIONS}
    assert len(official) == 81
    assert official <= ours


def test_what_is_signed_says_so_and_names_its_instruction() -> None:
    for entry in OPERATIONS:
        described = DOCUMENT["paths"][entry.path][entry.method.lower()]
        assert ("security" in described) == (entry.authority is not Authority.PUBLIC)
        if entry.authority is not Authority.PUBLIC:
            assert f"Instruction: `{entry.instruction}`." in described["description"]


@pytest.mark.parametrize(("name", "operation"), DESCRIBED, ids=[name for name, _ in DESCRIBED])
def test_examples_have_the_shape_they_illustrate(name: str, operation: dict[str, Any]) -> None:
    answer = operation["responses"]["200"].get("content", {}).get("application/json")
    request = operation.get("requestBody", {}).get("content", {}).get("application/json")
    for shown in (answer, request):
        if shown is not None:
            assert "example" in shown
            schema = {**shown["schema"], "components": DOCUMENT["components"]}
            jsonschema_rs.validate(schema, shown["example"])


def test_examples_of_answers_have_every_field() -> None:
    """Clients read fields that are null as well; an example that leaves one out would mislead."""
    for name, operation in DESCRIBED:
        content = operation["responses"]["200"].get("content", {}).get("application/json")
        if content is None or name.startswith(("POST /admin", "GET /admin", "POST /api/v1/orders")):
            continue
        example, schema = content["example"], content["schema"]
        if schema.get("type") == "array":
            example, schema = (example or [None])[0], schema["items"]
        if not isinstance(example, dict) or "$ref" not in schema:
            continue
        described = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        assert set(example) == set(described["properties"]), name


@pytest.mark.asyncio(loop_scope="module")
async def test_the_pages_need_nothing_from_elsewhere(venue: HttpVenue) -> None:
    for page in ("/docs", "/redoc"):
        shown = await venue.get(page)
        assert shown.status == 200
        assert "cdn" not in shown.text
        for part in shown.text.split('"'):
            if part.endswith((".js", ".css")):
                assert (await venue.get(part)).status == 200
    assert (await venue.get("/openapi.json")).json["info"]["title"] == "Exchange"


@pytest.mark.asyncio(loop_scope="module")
async def test_a_document_is_sent_once_to_a_client_that_keeps_it(venue: HttpVenue) -> None:
    first = await venue.http.get("/openapi.json")
    assert "max-age" in first.headers["cache-control"]
    again = await venue.http.get("/openapi.json", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    changed = await venue.http.get("/openapi.json", headers={"If-None-Match": '"another"'})
    assert changed.content == first.content


@pytest.mark.asyncio(loop_scope="module")
async def test_head_is_answered_where_get_is(venue: HttpVenue) -> None:
    for operation in OPERATIONS:
        head = await venue.http.head(operation.path)
        if operation.method != "GET":
            continue
        got = await venue.http.get(operation.path)
        assert (head.status_code, head.content) == (got.status_code, b""), operation.path
        assert head.headers.get("content-length") == got.headers.get("content-length")
    signed = venue.headers(venue.ann, "GET", "/api/v1/capital")
    head = await venue.http.head("/api/v1/capital", headers=signed)
    assert (head.status_code, head.content) == (200, b"")
    assert (await venue.http.head("/docs")).headers["content-length"] != "0"
    refused = await venue.http.head("/api/v1/orders/execute")
    assert refused.status_code == 404


@pytest.mark.asyncio(loop_scope="module")
async def test_a_wrong_method_is_told_the_right_ones(venue: HttpVenue) -> None:
    for path, allowed in (("/api/v1/ping", "GET, HEAD"), ("/docs", "GET, HEAD")):
        refused = await venue.http.request("PUT", path)
        assert (refused.status_code, refused.headers["allow"]) == (405, allowed)
        assert refused.json()["code"] == "INVALID_CLIENT_REQUEST"
    order = await venue.http.request("PUT", "/api/v1/order")
    assert set(order.headers["allow"].split(", ")) == {"GET", "HEAD", "POST", "DELETE"}
    missing = await venue.http.get("/nothing")
    assert (missing.status_code, missing.json()["code"]) == (404, "RESOURCE_NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/openapi.json"),
        ("GET", "/docs"),
        ("HEAD", "/redoc"),
        ("GET", "/static-offline-docs/favicon.png"),
        ("GET", "/nothing"),
        ("PUT", "/api/v1/ping"),
        ("HEAD", "/api/v1/ping"),
        ("GET", "/api/v1/ping"),
        ("GET", "/metrics"),
        ("POST", "/api/v1/order"),
        ("PATCH", "/api/v1/account"),
        ("DELETE", "/api/v1/orders"),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_whatever_is_asked_counts(venue: HttpVenue, method: str, path: str) -> None:
    """Also what is no operation, and what can't even be verified."""
    app = create_app(venue.life.venue, Authenticator(venue.life.venue), Admission(GatewayLimits(**FEW)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://venue") as client:
        statuses = [(await client.request(method, path, content=b"nonsense")).status_code for _ in range(61)]
    assert statuses[-1] == 429
    assert 429 not in statuses[:2]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_bug_beside_the_operations_is_refused_in_the_same_words(
    venue: HttpVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*arguments: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("exchange.gateway.rest.dispatch.Dispatcher.answer", broken)
    transport = httpx.ASGITransport(venue.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://venue") as client:
        failed = await client.get("/api/v1/ping")
    assert (failed.status_code, failed.json()["code"]) == (500, "SERVER_ERROR")


@pytest.mark.asyncio(loop_scope="module")
async def test_metrics(venue: HttpVenue) -> None:
    registry = CollectorRegistry()
    registry.register(venue.app.metrics)
    refused = ("exchange_http_refusals_total", {"code": "INVALID_CLIENT_REQUEST"})
    before = registry.get_sample_value(*refused) or 0
    await venue.get("/api/v1/depth", symbol="NO_SUCH")
    assert registry.get_sample_value(*refused) == before + 1
    ops = Ops(venue.clock.now_us, lambda: generate_latest(registry))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(ops), base_url="http://ops") as client:
        shown = await client.get("/metrics")
        assert shown.headers["content-type"].startswith("text/plain")
        assert "exchange_http_refusals_total" in shown.text
        assert (await client.head("/metrics")).content == b""
        assert (await client.post("/metrics")).status_code == 405
        assert (await client.get("/")).status_code == 404
