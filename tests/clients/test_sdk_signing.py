"""Signatures: the wire contract's vectors, and timestamps that never repeat."""

import base64
from decimal import Decimal

import pytest
from nacl.signing import VerifyKey

from exchange_client import Keypair, limit, market
from exchange_client.signing import signing_text

SECRET = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
PUBLIC = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
AT_MS = 1_700_000_000_000

VECTORS = [
    (
        "balanceQuery",
        [{}],
        "ogsyh1c6LnY10GiJaCoAEdHpkK2BT4KgS7NAd1PW2DQndw1OnR0WbY0M753KwW9Mq6Dmw3k+Kdw+wPxzKMCiAg==",
    ),
    (
        "orderExecute",
        [
            {
                "symbol": "SOL_USDC",
                "side": "Bid",
                "orderType": "Limit",
                "price": "100.5",
                "quantity": "1.50",
                "postOnly": True,
                "timeInForce": "GTC",
                "clientId": 7,
            }
        ],
        "J50aLJT+hMJSKzyOpSZ3f9kq+mbQC5+iOw2114RR4YEfL6NC19yIBzjt2ccGN9YEi7wt7HKdcqvKOI511ZEfCw==",
    ),
    (
        "orderExecute",
        [
            {"symbol": "SOL_USDC_PERP", "side": "Bid", "orderType": "Limit", "price": "141", "quantity": "12"},
            {"symbol": "SOL_USDC", "side": "Ask", "orderType": "Market", "quantity": "3"},
        ],
        "0U0JVhEpy/0L651e+Pwj5v78KUMpVJHD0brKmVXTr67h6w59Po4HCM6GV3WW9bVvLmyJ2HXgJ4OPhA4Z7QChAQ==",
    ),
    (
        "subscribe",
        [{}],
        "mxIdZT3relFG10SYkdl4nIzm1LhhlW8oC6qF2MO03/JWvhFiRSeHidCVk8UGX+cyLu3UdxatFYnoPs+ngqkdBQ==",
    ),
]


@pytest.mark.parametrize(("instruction", "items", "signature"), VECTORS)
def test_signatures_are_the_published_ones(
    instruction: str, items: list[dict[str, str | int | bool]], signature: str
) -> None:
    keypair = Keypair(SECRET)
    assert keypair.public_key == PUBLIC
    assert keypair.sign(signing_text(instruction, items, AT_MS)) == signature


def test_a_64_byte_secret_is_the_same_key() -> None:
    long_secret = base64.b64encode(base64.b64decode(SECRET) + base64.b64decode(PUBLIC)).decode()
    assert Keypair(long_secret).public_key == PUBLIC


@pytest.mark.parametrize("secret", ["", "AAEC", "not base64!"])
def test_a_bad_secret_is_refused_at_once(secret: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        Keypair(secret)


def test_two_equal_requests_never_sign_alike() -> None:
    keypair = Keypair(SECRET)
    order = limit("SOL_USDC", "Bid", Decimal("100"), Decimal("1"), client_id=1).wire()
    signatures = {keypair.headers("orderExecute", [order])["X-Signature"] for _ in range(50)}
    assert len(signatures) == 50


def test_the_headers_verify() -> None:
    keypair = Keypair(SECRET)
    headers = keypair.headers("orderCancelAll", [{"symbol": "SOL_USDC"}])
    text = f"instruction=orderCancelAll&symbol=SOL_USDC&timestamp={headers['X-Timestamp']}&window={headers['X-Window']}"
    key = VerifyKey(base64.b64decode(headers["X-API-Key"]))
    key.verify(text.encode(), base64.b64decode(headers["X-Signature"]))


def test_numbers_are_sent_without_exponents() -> None:
    order = limit("SOL_USDC", "Ask", Decimal("1E+3"), Decimal("1E-7"), post_only=True, client_id=5).wire()
    assert order == {
        "symbol": "SOL_USDC",
        "side": "Ask",
        "orderType": "Limit",
        "clientId": 5,
        "price": "1000",
        "quantity": "0.0000001",
        "timeInForce": "GTC",
        "postOnly": True,
    }


def test_every_order_gets_a_client_id_of_its_own() -> None:
    ids = {market("SOL_USDC", "Bid", quote_quantity=Decimal(1)).client_id for _ in range(1000)}
    assert len(ids) == 1000
    assert all(0 <= client_id < 1 << 32 for client_id in ids)
