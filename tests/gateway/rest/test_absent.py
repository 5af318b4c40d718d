"""What this venue doesn't have is told truthfully."""

from typing import Any, get_origin

import msgspec
import pytest

from exchange.gateway.application import OPERATIONS
from exchange.gateway.rest import absent
from exchange.gateway.rest.operations import Operation
from tests.gateway.http_venue import SYMBOL, HttpVenue

pytestmark = pytest.mark.asyncio(loop_scope="module")


def answers_a_list(operation: Operation) -> bool:
    origin: Any = get_origin(operation.returns)
    return origin is list


LISTS = [operation for operation in OPERATIONS if operation.method == "GET" and answers_a_list(operation)]


@pytest.mark.parametrize("operation", LISTS, ids=lambda operation: operation.path)
async def test_only_lists_of_what_is_not_here_are_empty(traded: HttpVenue, operation: Operation) -> None:
    """Ann has traded, has an order at rest and was credited: whatever there is, its list shows it."""
    usual = {"symbol": SYMBOL, "interval": "1m", "startTime": 0}
    fields = () if operation.params is None else msgspec.structs.fields(operation.params)
    query = {field.encode_name: usual[field.encode_name] for field in fields if field.required}
    if operation.instruction:
        answer = await traded.ask(traded.ann, "GET", operation.path, query=query)
    else:
        answer = await traded.get(operation.path, **query)
    assert answer.status == 200
    assert (answer.json == []) == (operation in absent.routes.operations)


@pytest.mark.parametrize("operation", absent.routes.operations, ids=lambda operation: operation.path)
async def test_absent_products_answer_truthfully(venue: HttpVenue, operation: Any) -> None:
    query = {"symbol": SYMBOL} if operation.path.endswith("fundingRates") else {}
    if operation.authority.value == "public":
        answer = await venue.get(operation.path, **query)
    else:
        unsigned = await venue.http.request(operation.method, operation.path)
        assert unsigned.status_code == 401
        body: dict[str, Any] | None = {} if operation.method != "GET" else None
        answer = await venue.ask(venue.ann, operation.method, operation.path, body)
    if answer.status == 501:
        assert answer.json == {"code": "NOT_IMPLEMENTED", "message": "Not available on this venue"}
    else:
        assert (answer.status, answer.json) == (200, [])
