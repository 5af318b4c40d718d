"""Who may ask over REST: forged, stale, replayed and misplaced requests, and the limits on asking."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from nacl.bindings import crypto_sign_open
from structlog.testing import capture_logs

from exchange.gateway import auth
from exchange.gateway.admission import GatewayLimits
from tests.gateway.http_venue import SYMBOL, HttpVenue, Reply, Signer, http_venue
from tests.runtime.running import running, writer_held

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORDER = "/api/v1/order"
CAPITAL = "/api/v1/capital"
BODY = msgspec.json.encode({"symbol": SYMBOL, "side": "Bid", "orderType": "Limit", "price": "90", "quantity": "1"})


async def send(venue: HttpVenue, headers: Mapping[str, Any], body: bytes = BODY) -> Reply:
    return Reply(
        await venue.http.post(
            ORDER, content=body, headers=[(name.encode(), _bytes(value)) for name, value in headers.items()]
        )
    )


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


async def test_a_signed_change_is_taken_once(venue: HttpVenue) -> None:
    venue.clock.pass_s(0.001)
    headers = venue.headers(venue.ann, "POST", ORDER, BODY)
    assert (await send(venue, headers)).status == 200
    seq, digest = venue.seq, venue.digest
    again = await send(venue, headers)
    assert again.refusal == (
        429,
        "TOO_MANY_REQUESTS",
        "The same request, signed in the same millisecond, was already received: sign again",
    )
    assert again.headers["retry-after"] == "1"
    # The same signed words in another dress are the same request.
    padded = BODY[:-1] + b' , "clientId" : null }'
    assert (await send(venue, headers, padded)).status == 429
    venue.clock.pass_s(5.001)
    assert (await send(venue, headers)).refusal == (400, "INVALID_CLIENT_REQUEST", "Request has expired")
    assert (venue.seq, venue.digest) == (seq, digest)


async def test_equal_orders_of_one_millisecond_are_told_apart_by_a_nonce_or_a_client_id(venue: HttpVenue) -> None:
    venue.clock.pass_s(0.001)
    twins = [venue.headers(venue.ann, "POST", ORDER, BODY, nonce=nonce) for nonce in ("one", "two")]
    assert [(await send(venue, headers)).status for headers in twins] == [200, 200]
    assert [(await send(venue, headers)).status for headers in twins] == [429, 429]
    named = [msgspec.json.encode({**msgspec.json.decode(BODY), "clientId": number}) for number in (901, 902)]
    answers = [await send(venue, venue.headers(venue.ann, "POST", ORDER, body), body) for body in named]
    assert [answer.status for answer in answers] == [200, 200]


async def test_equal_cancels_are_answered_plainly(venue: HttpVenue) -> None:
    placed = (await venue.ask(venue.ann, "POST", ORDER, BODY)).json
    one = msgspec.json.encode({"symbol": SYMBOL, "orderId": placed["id"]})
    headers = venue.headers(venue.ann, "DELETE", ORDER, one)
    answers = [Reply(await venue.http.request("DELETE", ORDER, content=one, headers=headers)) for _ in range(2)]
    assert (answers[0].status, answers[0].json["status"]) == (200, "Cancelled")
    assert answers[1].refusal == (404, "RESOURCE_NOT_FOUND", "Not Found")
    every = msgspec.json.encode({"symbol": SYMBOL})
    headers = venue.headers(venue.ann, "DELETE", "/api/v1/orders", every)
    for _ in range(2):
        assert (await venue.http.request("DELETE", "/api/v1/orders", content=every, headers=headers)).status_code == 200


async def test_what_is_signed_in_the_query_waits_for_its_body(venue: HttpVenue) -> None:
    """A sender that is cut off in the body was told that the request never arrived."""
    placed = (await venue.ask(venue.ann, "POST", ORDER, BODY)).json
    query = f"orderId={placed['id']}&symbol={SYMBOL}"
    signed = venue.headers(venue.ann, "DELETE", ORDER, query=query)
    headers = [(name.lower().encode(), value.encode()) for name, value in signed.items()]
    scope = {"type": "http", "method": "DELETE", "path": ORDER, "query_string": query.encode(), "headers": headers}
    messages = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    seq, sent = venue.seq, []

    async def receive() -> Any:
        return messages.pop(0)

    async def send_(message: Any) -> None:
        sent.append(message)

    await venue.app(scope, receive, send_)
    assert (sent[0]["status"], venue.seq) == (400, seq)
    cancelled = await venue.http.request("DELETE", f"{ORDER}?{query}", headers=signed)
    assert cancelled.status_code == 200


async def test_reads_may_be_repeated(venue: HttpVenue) -> None:
    headers = venue.headers(venue.ann, "GET", CAPITAL)
    for _ in range(2):
        assert (await venue.http.get(CAPITAL, headers=headers)).status_code == 200


async def test_what_another_process_may_have_taken_is_refused_after_a_restart(tmp_path: Path) -> None:
    """A timestamp may be a second ahead, so a restart may come before it."""
    async with http_venue(tmp_path / "data") as first:
        clock = first.clock
        clock.pass_s(0.1)
        assert not first.life.venue.restarted()
        assert (await first.ask(first.ann, "POST", ORDER, BODY)).status == 200, "it is the first start: no wait"
        clock.time_us += 1_000_000
        ahead = first.headers(first.ann, "POST", ORDER, BODY)
        clock.time_us -= 1_000_000
        assert (await send(first, ahead)).status == 200
    clock.pass_s(0.001)
    async with running(tmp_path / "data", clock) as life:
        again = HttpVenue(life, clock, GatewayLimits())
        seq, read = again.seq, again.headers(again.ann, "GET", CAPITAL)
        just_started = (503, "MAINTENANCE", "The exchange has just started: sign again")
        for pause_s in (0, 0.5, 0.498):  # the last is the timestamp's own millisecond
            clock.pass_s(pause_s)
            for headers in (ahead, again.headers(again.ann, "POST", ORDER, BODY)):
                refused = await send(again, headers)
                assert refused.refusal == just_started
                assert refused.headers["retry-after"] == "1"
        admin = await again.ask(again.founder, "POST", "/admin/v1/accounts", {"label": "x"})
        assert admin.refusal == just_started
        assert (await again.http.get(CAPITAL, headers=read)).status_code == 200
        assert again.seq == seq
        cancel = await again.ask(again.ann, "DELETE", ORDER, {"symbol": SYMBOL, "clientId": 77})
        assert cancel.refusal != just_started, "a cancel may come twice"
        clock.pass_s(0.01)
        assert (await send(again, ahead)).refusal == just_started, "what could have been taken before never passes"
        assert (await again.ask(again.founder, "POST", "/admin/v1/accounts", {"label": "x"})).status == 200
        assert (await again.ask(again.ann, "POST", ORDER, BODY)).refusal != just_started


@pytest.mark.parametrize(
    ("changes", "status", "code", "message"),
    [
        ({"X-Signature": ...}, 401, "UNAUTHORIZED", "Missing API key, signature or timestamp"),
        ({"X-API-Key": ...}, 401, "UNAUTHORIZED", "Missing API key, signature or timestamp"),
        ({"X-API-Key": "nobody"}, 401, "INVALID_SIGNATURE", "Invalid signature"),
        ({"X-API-Key": "A" * 43 + "="}, 401, "INVALID_SIGNATURE", "Invalid signature"),
        ({"X-Signature": "AAAA"}, 401, "INVALID_SIGNATURE", "Invalid signature"),
        (
            {"X-Signature": "not base64 é".encode()},
            401,
            "INVALID_SIGNATURE",
            "Invalid signature",
        ),
        ({"X-Signature": "A" * 86 + "=="}, 401, "INVALID_SIGNATURE", "Invalid signature"),
        ({"X-Timestamp": "0"}, 400, "INVALID_CLIENT_REQUEST", None),
        ({"X-Timestamp": "soon"}, 400, "INVALID_CLIENT_REQUEST", "Invalid timestamp: must be ms since 1970"),
        ({"X-Window": "60001"}, 400, "INVALID_CLIENT_REQUEST", "Invalid window: must be 0 to 60000 ms"),
        ({"X-Window": "6000"}, 401, "INVALID_SIGNATURE", "Invalid signature"),
        ({"X-Nonce": "another"}, 401, "INVALID_SIGNATURE", "Invalid signature"),
        ({"X-Nonce": ""}, 400, "INVALID_CLIENT_REQUEST", "Invalid nonce: must be 1 to 64 of A-Z a-z 0-9 _ -"),
        ({"X-Nonce": "a&b=c"}, 400, "INVALID_CLIENT_REQUEST", "Invalid nonce: must be 1 to 64 of A-Z a-z 0-9 _ -"),
    ],
)
async def test_a_forged_request_changes_nothing(
    venue: HttpVenue, changes: dict[str, Any], status: int, code: str, message: str | None
) -> None:
    venue.clock.pass_s(0.001)
    headers: dict[str, Any] = {**venue.headers(venue.ann, "POST", ORDER, BODY), **changes}
    seq, digest = venue.seq, venue.digest
    refused = await send(venue, {name: value for name, value in headers.items() if value is not ...})
    assert refused.refusal[:2] == (status, code)
    if message is not None:
        assert refused.refusal[2] == message
    assert (venue.seq, venue.digest) == (seq, digest)


async def test_a_changed_body_or_key_does_not_verify(venue: HttpVenue) -> None:
    venue.clock.pass_s(0.001)
    headers = venue.headers(venue.ann, "POST", ORDER, BODY)
    seq = venue.seq
    assert (await send(venue, headers, BODY.replace(b'"90"', b'"91"'))).refusal[2] == "Invalid signature"
    stolen = {**headers, "X-API-Key": venue.bob.public_key}
    assert (await send(venue, stolen)).refusal[2] == "Invalid signature"
    assert venue.seq == seq


async def test_only_the_usual_place_is_read(venue: HttpVenue) -> None:
    """Some clients repeat the parameters of a DELETE in its query and sign them once."""
    venue.clock.pass_s(0.001)
    body = msgspec.json.encode({"symbol": SYMBOL, "clientId": 5})
    headers = venue.headers(venue.ann, "DELETE", ORDER, body)
    url = f"{ORDER}?symbol={SYMBOL}&clientId=5"
    answer = Reply(await venue.http.request("DELETE", url, content=body, headers=headers))
    assert answer.refusal == (404, "RESOURCE_NOT_FOUND", "Not Found")


async def test_an_admins_key_is_no_traders_and_the_other_way_round(venue: HttpVenue) -> None:
    assert (await venue.ask(venue.founder, "GET", CAPITAL)).refusal[:2] == (401, "INVALID_SIGNATURE")
    assert (await venue.ask(venue.ann, "GET", "/admin/v1/status")).refusal[:2] == (401, "INVALID_SIGNATURE")


# --- admission ------------------------------------------------------------------------------------------


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strict(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HttpVenue]:
    limits = GatewayLimits(
        requests_per_minute=20,
        reserved_cancels_per_minute=6,
        public_requests_per_minute=10,
        history_requests_per_minute=3,
        failed_signatures_per_minute=5,
        failed_signatures_per_address=12,
        in_flight_per_account=2,
        reserved_cancels_in_flight=1,
        body_bytes=1_000,
        batch_orders=3,
    )
    async with http_venue(tmp_path_factory.mktemp("strict") / "data", limits) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def later(strict: HttpVenue) -> HttpVenue:
    """The strict venue, two minutes on: every count is at zero again."""
    strict.clock.pass_s(120)
    return strict


def assert_wait(reply: Reply) -> int:
    """The reply says to wait; how long, in seconds."""
    assert reply.refusal[:2] == (429, "TOO_MANY_REQUESTS")
    return int(reply.headers["retry-after"])


async def test_an_account_has_a_rate(later: HttpVenue) -> None:
    for _ in range(20):
        assert (await later.ask(later.ann, "GET", CAPITAL)).status == 200
    wait_s = assert_wait(await later.ask(later.reader, "GET", CAPITAL))  # another key of the same account
    assert (await later.ask(later.bob, "GET", CAPITAL)).status == 200
    later.clock.pass_s(wait_s)
    assert (await later.ask(later.ann, "GET", CAPITAL)).status == 200


CANCELS = (
    ("/api/v1/order", "DELETE", {"symbol": SYMBOL, "clientId": 9}),
    ("/api/v1/orders", "DELETE", {"symbol": SYMBOL}),
    ("/api/v1/order/cancelAllAfter", "POST", {"timeout": 0}),
)


async def test_cancels_have_a_reserve_of_their_own(later: HttpVenue) -> None:
    """Whoever has used up the rate takes their orders back all the same, with every way there is; not without end."""
    for _ in range(20):
        assert (await later.ask(later.ann, "GET", CAPITAL)).status == 200
    assert_wait(await later.ask(later.ann, "POST", ORDER, BODY))
    for path, method, params in CANCELS * 2:
        assert (await later.ask(later.ann, method, path, params)).status in (200, 404)
        later.clock.pass_s(0.001)
    for path, method, params in CANCELS:
        assert_wait(await later.ask(later.ann, method, path, params))
        later.clock.pass_s(0.001)


async def test_a_cancel_comes_in_where_nothing_else_may_wait(later: HttpVenue) -> None:
    with writer_held(later.life):
        waiting = [asyncio.create_task(later.ask(later.ann, "POST", ORDER, BODY)) for _ in range(2)]
        await asyncio.sleep(0.1)
        assert_wait(await later.ask(later.ann, "POST", ORDER, BODY))
        cancelling = asyncio.create_task(later.ask(later.ann, "DELETE", "/api/v1/orders", {"symbol": SYMBOL}))
        await asyncio.sleep(0.1)
        assert_wait(await later.ask(later.ann, "DELETE", ORDER, {"symbol": SYMBOL, "clientId": 9}))
    assert [(await task).status for task in (*waiting, cancelling)] == [200, 200, 200]


async def test_each_order_of_a_batch_counts(later: HttpVenue) -> None:
    batch = [msgspec.json.decode(BODY)] * 3
    for _ in range(6):
        assert (await later.ask(later.ann, "POST", "/api/v1/orders", batch)).status == 200
    assert_wait(await later.ask(later.ann, "POST", "/api/v1/orders", batch))
    four = await later.ask(later.bob, "POST", "/api/v1/orders", [*batch, batch[0]])
    assert four.refusal == (400, "INVALID_CLIENT_REQUEST", "A batch is 1 to 3 orders")


async def test_an_address_has_a_rate_and_a_lower_one_for_history(later: HttpVenue) -> None:
    for _ in range(3):
        assert (await later.get("/api/v1/trades/history", symbol=SYMBOL)).status == 200
    assert_wait(await later.get("/api/v1/trades/history", symbol=SYMBOL))
    for _ in range(6):
        assert (await later.get("/api/v1/ping")).status == 200
    assert_wait(await later.get("/api/v1/ping"))
    assert (await later.ask(later.ann, "GET", CAPITAL)).status == 200


async def test_guessing_signatures_is_slowed_down(later: HttpVenue) -> None:
    headers = {**later.headers(later.ann, "GET", CAPITAL), "X-Signature": "A" * 86 + "=="}
    for _ in range(5):
        assert (await later.http.get(CAPITAL, headers=headers)).status_code == 401
    assert_wait(Reply(await later.http.get(CAPITAL, headers=headers)))
    assert_wait(await later.ask(later.ann, "GET", CAPITAL))
    assert (await later.ask(later.bob, "GET", CAPITAL)).status == 200


async def test_signing_in_vain_under_many_keys_is_slowed_down_but_for_keys_that_proved_themselves(
    later: HttpVenue,
) -> None:
    assert (await later.ask(later.ann, "GET", CAPITAL)).status == 200
    for number in range(12):
        assert (await later.ask(Signer(100 + number), "GET", CAPITAL)).status == 401
    assert_wait(await later.ask(Signer(99), "GET", CAPITAL))
    assert_wait(await later.ask(later.blind, "GET", CAPITAL))
    assert (await later.ask(later.ann, "GET", CAPITAL)).status == 200
    assert (await later.get("/api/v1/ping")).status == 200


async def test_known_and_unknown_keys_are_told_the_same(venue: HttpVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the same words and after the same work: as many signatures are verified for either."""
    verified = 0
    verify = crypto_sign_open

    def counted(message: bytes, key: bytes) -> bytes:
        nonlocal verified
        verified += 1
        return verify(message, key)

    monkeypatch.setattr(auth, "crypto_sign_open", counted)
    told = []
    for signer in (venue.ann, Signer(500), venue.founder):
        for path in (CAPITAL, "/admin/v1/status"):
            headers = {**venue.headers(signer, "GET", path), "X-Signature": "A" * 86 + "=="}
            verified = 0
            answer = await venue.http.get(path, headers=headers)
            told.append((answer.status_code, answer.content, dict(answer.headers), verified))
    assert told == told[:1] * len(told)
    assert told[0][0] == 401
    assert told[0][3] > 0


async def test_a_body_has_a_size(later: HttpVenue) -> None:
    refused = await later.ask(later.ann, "POST", ORDER, b'{"a":"%b"}' % (b"x" * 1_000))
    assert refused.refusal == (413, "INVALID_CLIENT_REQUEST", "Request body is too large")
    assert refused.headers["connection"] == "close"  # what follows isn't read


async def test_an_account_has_so_many_requests_in_flight(later: HttpVenue) -> None:
    with writer_held(later.life):
        waiting = [asyncio.create_task(later.ask(later.ann, "POST", ORDER, BODY)) for _ in range(2)]
        await asyncio.sleep(0.1)
        assert_wait(await later.ask(later.ann, "POST", ORDER, BODY))
        assert not any(task.done() for task in waiting)
    assert [(await task).status for task in waiting] == [200, 200]
    assert (await later.ask(later.ann, "GET", CAPITAL)).status == 200


@pytest.mark.parametrize("path", [ORDER, "/api/v1/orders"])
async def test_an_unfinished_request_leaves_nothing_behind(later: HttpVenue, path: str) -> None:
    body = BODY if path == ORDER else b"[%b]" % BODY
    with capture_logs() as logs:
        with writer_held(later.life):
            waiting = asyncio.create_task(later.ask(later.ann, "POST", path, body))
            await asyncio.sleep(0.1)
            waiting.cancel()
            await asyncio.wait([waiting])
        for _ in range(3):
            assert (await later.ask(later.ann, "GET", CAPITAL)).status == 200
    assert logs == []
