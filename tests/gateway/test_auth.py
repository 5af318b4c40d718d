"""Signatures: the protocol's vectors, the spellings of the clients in use, time windows and replays."""

import base64
import json

import ccxt
import pytest
from nacl.signing import SigningKey

from exchange.gateway import auth
from exchange.gateway.auth import Credentials, Replays, SignedFields, batch_fields, body_fields, query_fields
from exchange.values.refusals import Refusal

KEY = SigningKey(bytes(range(32)))
PUBLIC = base64.b64encode(bytes(KEY.verify_key)).decode()
SECRET = base64.b64encode(bytes(range(32))).decode()
STAMP = "1700000000000"
NOW_US = int(STAMP) * 1_000

ORDER = (
    b'{"symbol":"SOL_USDC","side":"Bid","orderType":"Limit","price":"100.5","quantity":"1.50",'
    b'"timeInForce":"GTC","postOnly":true,"clientId":7}'
)
BATCH = (
    b'[{"symbol":"SOL_USDC_PERP","side":"Bid","orderType":"Limit","price":"141","quantity":"12"},'
    b'{"symbol":"SOL_USDC","side":"Ask","orderType":"Market","quantity":"3"}]'
)


def sign(text: str) -> str:
    return base64.b64encode(KEY.sign(text.encode()).signature).decode()


def verifies(signed: SignedFields, signature: str, timestamp: str = STAMP, window: str = "5000") -> bool:
    texts = auth.candidates(signed, Credentials(PUBLIC, signature, timestamp, window))
    return auth._verified(bytes(KEY.verify_key), base64.b64decode(signature), texts) is not None


def fields(body: bytes) -> list[auth.Field]:
    found = body_fields(body)
    assert not isinstance(found, Refusal)
    return found


def batch(body: bytes) -> list[list[auth.Field]]:
    found = batch_fields(body)
    assert not isinstance(found, Refusal)
    return found


def signed_text(signed_values: str) -> str:
    return f"{signed_values}&timestamp={STAMP}&window=5000"


# --- the protocol's own vectors -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signed", "signature"),
    [
        (
            SignedFields("balanceQuery"),
            "ogsyh1c6LnY10GiJaCoAEdHpkK2BT4KgS7NAd1PW2DQndw1OnR0WbY0M753KwW9Mq6Dmw3k+Kdw+wPxzKMCiAg==",
        ),
        (
            SignedFields("orderExecute", (fields(ORDER),)),
            "J50aLJT+hMJSKzyOpSZ3f9kq+mbQC5+iOw2114RR4YEfL6NC19yIBzjt2ccGN9YEi7wt7HKdcqvKOI511ZEfCw==",
        ),
        (
            SignedFields("orderExecute", batch(BATCH)),
            "0U0JVhEpy/0L651e+Pwj5v78KUMpVJHD0brKmVXTr67h6w59Po4HCM6GV3WW9bVvLmyJ2HXgJ4OPhA4Z7QChAQ==",
        ),
        (
            SignedFields("subscribe"),
            "mxIdZT3relFG10SYkdl4nIzm1LhhlW8oC6qF2MO03/JWvhFiRSeHidCVk8UGX+cyLu3UdxatFYnoPs+ngqkdBQ==",
        ),
    ],
    ids=["no fields", "order", "batch", "subscribe"],
)
def test_vectors_of_the_protocol_verify(signed: SignedFields, signature: str) -> None:
    assert verifies(signed, signature)
    assert not verifies(signed, signature, timestamp="1700000000001")
    assert not verifies(signed, signature, window="5001")
    assert not verifies(SignedFields("somethingElse", signed.usual), signature)


# --- spellings ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"price":100.0,"quantity":1.50}', "instruction=x&price=100.0&quantity=1.50"),
        (b'{"price":null,"side":"Bid"}', "instruction=x&side=Bid"),
        (b'{"price":null,"side":"Bid"}', "instruction=x&price=null&side=Bid"),
        (b'{"price":null,"side":"Bid"}', "instruction=x&price=None&side=Bid"),
        (b'{"address":"a b/c"}', "instruction=x&address=a b/c"),
        (b'{"address":"a b/c"}', "instruction=x&address=a%20b%2Fc"),
        (b'{"postOnly":false}', "instruction=x&postOnly=false"),
        (b'{ "a" : "\\u00e9" , "b" : [1, 2] }', "instruction=x&a=\u00e9&b=[1, 2]"),
        (b'{"key":"A6EHv/P="}', "instruction=x&key=A6EHv%2FP%3D"),
    ],
)
def test_each_spelling_of_a_body_verifies(body: bytes, text: str) -> None:
    assert verifies(SignedFields("x", (fields(body),)), sign(signed_text(text)))


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("symbol=SOL_USDC&reduceOnly=True", "instruction=x&reduceOnly=true&symbol=SOL_USDC"),
        ("from=1&marketType=SPOT&marketType=PERP", "instruction=x&from=1&marketType=SPOT&marketType=PERP"),
        ("name=a%20b", "instruction=x&name=a b"),
        ("name=a%20b", "instruction=x&name=a%20b"),
        ("name=", "instruction=x&name="),
    ],
)
def test_each_spelling_of_a_query_verifies(query: str, text: str) -> None:
    assert verifies(SignedFields("x", (query_fields(query),)), sign(signed_text(text)))


@pytest.mark.parametrize(
    "text",
    ["instruction=x&b=2", "instruction=x&a=1&c=3&b=2", "instruction=x&a=1&b=2&c=3"],
    ids=["usual", "row", "merged"],
)
def test_a_query_beside_a_body_may_be_signed_or_not(text: str) -> None:
    assert verifies(SignedFields("x", (fields(b'{"b":"2"}'),), query_fields("c=3&a=1")), sign(signed_text(text)))


def test_a_value_that_could_be_two_fields_is_refused_unless_encoded() -> None:
    signed = SignedFields("x", (fields(b'{"a":"1&b=2"}'),))
    assert not verifies(signed, sign(signed_text("instruction=x&a=1&b=2")))
    assert verifies(signed, sign(signed_text("instruction=x&a=1%26b%3D2")))


def test_either_every_value_is_encoded_or_none() -> None:
    """As the documents say: a key ends in =, so a list beside it is signed encoded as well."""
    signed = SignedFields("x", (fields(b'{"public_key":"abc=","scopes":["read"]}'),))
    assert verifies(signed, sign(signed_text("instruction=x&public_key=abc%3D&scopes=%5B%22read%22%5D")))
    assert not verifies(signed, sign(signed_text('instruction=x&public_key=abc%3D&scopes=["read"]')))
    alone = SignedFields("x", (fields(b'{"scopes":["read"]}'),))
    for said in ('["read"]', "%5B%22read%22%5D"):
        assert verifies(alone, sign(signed_text(f"instruction=x&scopes={said}")))


def test_a_signature_with_words_behind_it_is_none() -> None:
    """A signature over "words" + text must not pass as one over text."""
    text = b"instruction=x&timestamp=1&window=1"
    signature = KEY.sign(b"words" + text).signature
    assert auth._verified(bytes(KEY.verify_key), signature + b"words", iter([text])) is None
    assert auth._verified(bytes(KEY.verify_key), KEY.sign(text).signature, iter([text])) == text


def test_what_our_own_clients_sign_is_one_of_the_accepted_texts() -> None:
    signed = SignedFields("x", (fields(b'{"b":"q=1&r","a":null,"c":1.0}'),))
    assert verifies(signed, sign(auth.signing_text(signed, STAMP, "5000")))


@pytest.mark.parametrize(
    ("path", "method", "params", "instruction"),
    [
        (
            "api/v1/order",
            "POST",
            {"symbol": "SOL_USDC", "side": "Bid", "price": "1.50", "postOnly": True},
            "orderExecute",
        ),
        ("api/v1/order", "DELETE", {"symbol": "SOL_USDC", "orderId": "5"}, "orderCancel"),
        ("wapi/v1/history/fills", "GET", {"symbol": "SOL USDC", "limit": 5}, "fillHistoryQueryAll"),
    ],
)
def test_what_ccxt_signs_verifies(path: str, method: str, params: dict[str, object], instruction: str) -> None:
    client = ccxt.backpack({"apiKey": PUBLIC, "secret": SECRET})
    request = client.sign(path, ["private"], method, dict(params))
    headers = request["headers"]
    if method == "GET":
        usual = query_fields(request["url"].partition("?")[2])
    else:
        usual = fields(request["body"].encode())
        assert json.loads(request["body"]) == params
    assert verifies(
        SignedFields(instruction, (usual,)),
        headers["X-Signature"],
        str(headers["X-Timestamp"]),
        str(headers["X-Window"]),
    )


@pytest.mark.parametrize("body", [b"[]", b"{", b"1", b'{"a":NaN}', b'{"a":"\xff"}', b"\xff\xfe"])
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    assert isinstance(body_fields(body), Refusal)


def test_of_a_field_given_twice_the_last_counts() -> None:
    assert fields(b'{"a":1,"a":2}') == [("a", "2")]


# --- time -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timestamp", "window", "late_ms", "message"),
    [
        (STAMP, "5000", 0, None),
        (STAMP, "5000", 5_000, None),
        (STAMP, "5000", 5_001, "Request has expired"),
        (STAMP, "60000", 60_000, None),
        (STAMP, "60001", 0, "Invalid window: must be 0 to 60000 ms"),
        (STAMP, "-1", 0, "Invalid window: must be 0 to 60000 ms"),
        (STAMP, "5000", -1_000, None),
        (STAMP, "5000", -1_001, "Invalid timestamp: ahead of current time"),
        (STAMP, "60000", 600_001, "Invalid timestamp: must be within 10 minutes of current time"),
        (STAMP, "60000", -600_001, "Invalid timestamp: must be within 10 minutes of current time"),
        ("", "5000", 0, "Invalid timestamp: must be ms since 1970"),
        ("1.7e12", "5000", 0, "Invalid timestamp: must be ms since 1970"),
        ("\u0661" * 13, "5000", 0, "Invalid timestamp: must be ms since 1970"),
        ("9" * 400, "5000", 0, "Invalid timestamp: must be ms since 1970"),
    ],
)
def test_the_time_window(timestamp: str, window: str, late_ms: int, message: str | None) -> None:
    refusal = auth.check_form(Credentials(PUBLIC, "", timestamp, window), NOW_US + late_ms * 1_000)
    assert (refusal.message if refusal else None) == message


# --- replays -------------------------------------------------------------------------------------------------------


def test_a_change_is_taken_once_until_its_window_ends() -> None:
    replays = Replays()
    assert replays.refuse(b"k", b"text", 10_500, 5_000) is None
    assert replays.refuse(b"k", b"text", 10_500, 5_001) is not None
    assert replays.refuse(b"k", b"text", 10_500, 10_500) is not None
    assert replays.refuse(b"k", b"other text", 10_500, 5_002) is None
    assert replays.refuse(b"another key", b"text", 10_500, 5_002) is None


def test_what_is_remembered_goes_as_its_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "MAX_REMEMBERED", 10)
    replays = Replays()
    for number in range(10):
        assert replays.refuse(b"k", b"%d" % number, 6_000, 1_000) is None
    assert replays.refuse(b"k", b"one more", 6_000, 1_000) is not None
    assert replays.refuse(b"k", b"one more", 12_000, 7_000) is None
