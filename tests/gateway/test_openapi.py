"""The OpenAPI page: complete, its examples true to their schemas, its pages served from here."""

from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest

from exchange.gateway.auth import Authenticator
from exchange.gateway.openapi import build
from exchange.gateway.operations import Authority
from exchange.gateway.rest import OPERATIONS, create_app
from tests.gateway.http_venue import HttpVenue

OFFICIAL = Path(__file__).with_name("official_operations.txt")
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
async def test_a_bug_beside_the_operations_is_refused_in_the_same_words(venue: HttpVenue) -> None:
    def broken() -> bytes:
        raise RuntimeError("a bug")

    exchange = venue.life.venue
    app = create_app(exchange, Authenticator(exchange), venue.admission, broken)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://venue") as client:
        failed = await client.get("/metrics")
    assert (failed.status_code, failed.json()["code"]) == (500, "SERVER_ERROR")


@pytest.mark.asyncio(loop_scope="module")
async def test_metrics(venue: HttpVenue) -> None:
    shown = await venue.get("/metrics")
    assert shown.media_type == "text/plain"
    assert shown.text.startswith("metric 1\n")
    refused = 'exchange_http_refusals_total{code="INVALID_CLIENT_REQUEST"}'
    assert refused not in shown.text
    await venue.get("/api/v1/depth", symbol="NO_SUCH")
    assert f"{refused} 1.0" in (await venue.get("/metrics")).text
