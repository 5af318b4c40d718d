"""schemathesis over the OpenAPI page, against a running exchange: whatever the page allows, and much that it doesn't.

No answer is a server error, every refusal is in the protocol's words, and every answer has the shape and status
that the page says. Requests are really signed, or nothing behind the signature would be met.
"""

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from exchange.cli.keys import KeyFile, read_key
from exchange.gateway.application import OPERATIONS
from exchange.gateway.auth import SignedFields, batch_fields, body_fields, query_fields, signing_text
from exchange.gateway.rest.openapi import build
from exchange.gateway.rest.operations import Authority, Operation
from exchange.values.refusals import Code, Refusal
from tests.server import Server

DOCUMENT = build(OPERATIONS)
TABLE: dict[tuple[str, str], Operation] = {(operation.method, operation.path): operation for operation in OPERATIONS}
#: What an exchange may say without having a bug: not here, shut.
NO_BUG = (501, 503)
#: Of each operation.
EXAMPLES = 4
CHECKS: list[Any] = [status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    plenty = {
        f"EXCHANGE_LIMITS__{name}_PER_MINUTE": "1000000"
        for name in ("REQUESTS", "PUBLIC_REQUESTS", "HISTORY_REQUESTS", "FAILED_SIGNATURES")
    }
    server = Server(tmp_path_factory.mktemp("fuzz") / "data", plenty)
    server.start()
    yield server
    assert server.stop() == 0, server.log_tail()


class Signer:
    """Signs whatever is about to be sent (the `auth` of a `requests` call)."""

    def __init__(self, server: Server, operation: Operation) -> None:
        self._instruction = operation.instruction
        if operation.authority is Authority.ADMIN:
            self._key = read_key(server.admin_key)
        else:
            alice = server.accounts["alice"]
            self._key = KeyFile(alice.name, alice.api_key, alice.api_secret)

    def __call__(self, request: Any) -> Any:
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        stamp, window = str(time.time_ns() // 1_000_000), "60000"
        if request.method == "GET" or (request.method == "DELETE" and not body):
            usual = [query_fields(urlsplit(request.url).query)]
        elif body.lstrip().startswith(b"["):
            usual = _or([[]], batch_fields(body))
        else:
            usual = [_or([], body_fields(body))]
        text = signing_text(SignedFields(self._instruction, usual), stamp, window)
        request.headers["X-API-Key"] = self._key.api_key
        request.headers["X-Timestamp"] = stamp
        request.headers["X-Window"] = window
        request.headers["X-Signature"] = self._key.sign(text)
        return request


def _or(empty: Any, fields: Any) -> Any:
    return empty if isinstance(fields, Refusal) else fields


schema = schemathesis.openapi.from_dict(DOCUMENT)


def test_the_page_is_the_document_used_here(exchange: Server) -> None:
    assert httpx.get(f"{exchange.http_url}/openapi.json").json() == json.loads(json.dumps(DOCUMENT))


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_whatever_is_asked_is_answered_as_the_page_says(case: schemathesis.Case[Any], exchange: Server) -> None:
    operation = TABLE[case.operation.method.upper(), case.operation.path]
    auth = Signer(exchange, operation) if operation.instruction else None
    response = case.call(base_url=exchange.http_url, auth=auth, timeout=10)
    if response.status_code >= 400:
        refusal = response.json()
        assert set(refusal) == {"code", "message"}
        assert refusal["code"] in set(Code)
    assert response.status_code < 500 or response.status_code in NO_BUG, response.text
    case.validate_response(response, checks=CHECKS)
