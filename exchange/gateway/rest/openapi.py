"""The OpenAPI document, made from the table of operations: their parameters, answers, examples and refusals."""

from collections.abc import Sequence
from importlib.metadata import version
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin

import msgspec

from exchange.gateway.rest.operations import Authority, Operation
from exchange.gateway.wire.errors import http_status
from exchange.values.refusals import Code, Refusal

Json = dict[str, Any]
Schemas = dict[Any, Json]

_REF: Final = "#/components/schemas/{name}"
_KEY_SCHEME: Final = "apiKey"

TITLE: Final = "Exchange"

DESCRIPTION: Final = """\
Spot trading, wire-compatible with clients of Backpack Exchange: point their base URL here.

## Signing

API keys are Ed25519 public keys in base64. A signed request carries the headers `X-API-Key`, `X-Signature` (base64),
`X-Timestamp` (ms) and, if it isn't 5000, `X-Window` (ms, 0 to 60000). The signature is over this text:

    instruction=<name>&<fields sorted by name as name=value, joined by &>&timestamp=<ms>&window=<ms>

The fields are those of the query of a GET, and the top-level fields of the JSON body of every other method; a DELETE
whose body has none takes its query's. Without any, they and their `&` are left out. Numbers are signed as written,
booleans as `true` and `false`. Values are signed as they are, or names and values all percent-encoded (space as
`%20`): all of them or none. If one value holds `&` or `=`, all are.
Each operation below names its instruction.

A signed request that changes something is taken once. The same words signed in the same millisecond can't be told
from a replay and are refused with 429: sign again, or send a header `X-Nonce` (1 to 64 of `A-Z a-z 0-9 _ -`), which is
signed as `&nonce=<nonce>` at the end of the text. Cancels may come twice. In the first second after a restart, a
change is refused with 503: sign again after it. `docs/clients.md` says more.

Admins sign with their own keys in the same way; objects and lists in their bodies are signed as the JSON text that
was sent: such a text with `=` or `&` in any value (a public key ends in `=`) is signed percent-encoded as a whole,
lists too: `scopes=%5B%22read%22%5D`.

HEAD is answered where GET is, and signed like it.

## Refusals

Every refusal is `{"code": ..., "message": ...}` with a fitting status. The header `Retry-After`,
always there after `TOO_MANY_REQUESTS`, says how many seconds to wait.

## Other ways in

Streams and trading over WebSocket are at `/ws` of this port, and on a port of their own.
"""

_BAD_REQUEST: Final = (400, "The request is wrong, or the exchange refuses it")
_SIGNED_ERRORS: Final = (
    (401, "No credentials, or a signature that is wrong or of no key of ours"),
    (403, "The key may not do this"),
    (404, "Not there"),
)
_COMMON_ERRORS: Final = (
    (429, "Too many requests: wait as long as `Retry-After` says"),
    (500, "A bug of ours; the message has its id"),
)
_CHANGE_ERRORS: Final = (
    (413, "The body is too large"),
    (503, "The venue is shut, or a part of it is too far behind"),
)


def build(operations: Sequence[Operation]) -> Json:
    """The whole document."""
    shown = {part for operation in operations for part in (operation.params, operation.returns) if part is not None}
    types = list(dict.fromkeys(found for part in shown for found in _types(part)))
    schemas, components = msgspec.json.schema_components([*types, Refusal], ref_template=_REF)
    by_type = dict(zip(types, schemas, strict=False))
    paths: Json = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, by_type, components)
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": version("exchange"), "description": DESCRIPTION},
        "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in operations)],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                _KEY_SCHEME: {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-API-Key",
                    "description": "Base64 Ed25519 public key; X-Signature and X-Timestamp go with it.",
                }
            },
        },
    }


def _types(shown: Any) -> list[Any]:
    """The types in `shown` that have a schema of their own."""
    if get_origin(shown) in (list, Union, UnionType):
        return [found for part in get_args(shown) for found in _types(part)]
    return [shown]


def _schema(shown: Any, schemas: Schemas) -> Json:
    """A schema that puts alternatives side by side; unlike a decoder, a reader need not tell them apart."""
    if get_origin(shown) is list:
        return {"type": "array", "items": _schema(get_args(shown)[0], schemas)}
    if get_origin(shown) in (Union, UnionType):
        return {"anyOf": [_schema(part, schemas) for part in get_args(shown)]}
    return schemas[shown]


def _operation(operation: Operation, schemas: Schemas, components: Json) -> Json:
    described: Json = {
        "tags": [operation.tag],
        "summary": operation.summary,
        "operationId": f"{operation.method.lower()}{operation.path.replace('/', '_')}",
        "responses": _responses(operation, schemas),
    }
    text = operation.description
    if operation.authority is not Authority.PUBLIC:
        described["security"] = [{_KEY_SCHEME: []}]
        described["parameters"] = _headers()
        text = f"Instruction: `{operation.instruction}`.\n\n{text}"
    if text.strip():
        described["description"] = text.strip()
    if operation.params is not None and operation.method == "GET":
        described.setdefault("parameters", []).extend(_query(_schema(operation.params, schemas), components))
    elif operation.params is not None:
        content: Json = {"schema": _schema(operation.params, schemas)}
        if operation.request_example is not None:
            content["example"] = operation.request_example
        described["requestBody"] = {"required": True, "content": {"application/json": content}}
    return described


def _headers() -> list[Json]:
    return [
        {
            "name": name,
            "in": "header",
            "required": required,
            "description": text,
            "schema": {"type": "string"},
            "example": example,
        }
        for name, required, text, example in (
            (
                "X-Signature",
                True,
                "Base64 of the Ed25519 signature.",
                "ogsyh1c6LnY10GiJaCoAEdHpkK2BT4KgS7NAd1PW2DQn...",
            ),
            ("X-Timestamp", True, "Ms since 1970.", "1700000000000"),
            ("X-Window", False, "Ms the request is good for; 5000 without it.", "5000"),
            ("X-Nonce", False, "Tells apart what is otherwise the same; signed too. This venue's own.", "k7Qx_3"),
        )
    ]


def _query(reference: Json, components: Json) -> list[Json]:
    schema = components[reference["$ref"].rpartition("/")[2]]
    required = schema.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": field}
        for name, field in schema["properties"].items()
    ]


def _responses(operation: Operation, schemas: Schemas) -> Json:
    errors = [*_COMMON_ERRORS]
    if operation.params is not None or operation.authority is not Authority.PUBLIC:
        errors.append(_BAD_REQUEST)
    if operation.authority is not Authority.PUBLIC:
        errors.extend(_SIGNED_ERRORS)
    if operation.changes:
        errors.extend(_CHANGE_ERRORS)
    if operation.authority is Authority.ADMIN and operation.changes:
        errors.append((http_status(Code.PRECONDITION_FAILED), "Not as things stand"))
    if operation.method != "GET" or operation.tag == "Not on this venue":
        errors.append((http_status(Code.NOT_IMPLEMENTED), "Not available on this venue"))
    responses: Json = {"200": _success(operation, schemas)}
    for also in operation.also:
        described = responses.setdefault(str(also.status), {"description": also.text})
        if also.media_type:
            described["content"][also.media_type] = {"schema": {"type": "string"}}
    for status, text in sorted(set(errors)):
        responses[str(status)] = {
            "description": text,
            "content": {"application/json": {"schema": {"$ref": _REF.format(name="Refusal")}}},
        }
    return responses


def _success(operation: Operation, schemas: Schemas) -> Json:
    if operation.returns is None and operation.example is None:
        return {"description": "Done; no body"}
    if operation.returns is None:
        return {"description": "Text", "content": {"text/plain": {"example": operation.example}}}
    content: Json = {"schema": _schema(operation.returns, schemas)}
    if operation.example is not None:
        content["example"] = operation.example
    return {"description": "Done", "content": {"application/json": content}}
