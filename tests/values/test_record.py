"""The bytes of a record, and the chain over them."""

import pytest

from exchange.values.enums import Side
from exchange.values.ids import AccountId, KeyId, account_id, id_at, seq_of, subaccount_of, user_of
from exchange.values.orders.commands import CancelAll, PlaceOrder
from exchange.values.process.events import Refused
from exchange.values.record import GENESIS_CHAIN, Record, RecordError, Signed, decode, encode, follow, link, seal, split
from exchange.values.refusals import Code

RECORD = Record(
    7,
    1_750_000_000_000_000,
    PlaceOrder(AccountId(1_700_002), KeyId(30), "SOL_USDC", Side.BID, price_ticks=10_000, lots=5),
    [Refused(Code.INSUFFICIENT_FUNDS, "Insufficient funds")],
)
#: The format on disk: a change here breaks every journal there is.
GOLDEN = (
    b'{"seq":7,"time_us":1750000000000000,"command":{"type":"PlaceOrder","account":1700002,"key_id":30,'
    b'"market":"SOL_USDC","side":"Bid","price_ticks":10000,"lots":5},"events":[{"type":"Refused",'
    b'"code":"INSUFFICIENT_FUNDS","message":"Insufficient funds"}]}'
)


def test_the_bytes_are_these() -> None:
    assert encode(RECORD) == GOLDEN
    assert decode(GOLDEN) == RECORD


def test_an_admins_signature_stands_behind_the_events_and_under_the_chain() -> None:
    signed = Signed("S0VZ", 'instruction=setMode&{"note": "\u00fc\n"}&timestamp=1&window=5000', "U0lH")
    body = encode(Record(RECORD.seq, RECORD.time_us, RECORD.command, RECORD.events, (signed,)))
    assert body.startswith(GOLDEN[:-1] + b',"signed":[{"public_key":"S0VZ","text":"instruction=setMode&')
    line = seal(body, link(GENESIS_CHAIN, body))
    assert decode(line).signed == (signed,)
    assert follow(GENESIS_CHAIN, line.replace(b"S0VZ", b"S0VY")) is None


def test_a_field_beside_the_known_ones_is_carried_under_the_chain() -> None:
    """The next build's: this one passes it over, and keeps it, since it never writes a record anew."""
    body = GOLDEN[:-1] + b',"of_the_next_build":{"a":1}}'
    line = seal(body, link(GENESIS_CHAIN, body))
    assert decode(line) == RECORD
    assert split(line)[0] == body


@pytest.mark.parametrize("place", [b',"lots":5', b'"code":"INSUFFICIENT_FUNDS"'])
def test_a_field_of_a_newer_command_or_event_is_refused(place: bytes) -> None:
    with pytest.raises(RecordError, match="of_the_next_build"):
        decode(GOLDEN.replace(place, place + b',"of_the_next_build":1'))


def test_a_sealed_line_gives_back_body_and_chain() -> None:
    chain = link(GENESIS_CHAIN, GOLDEN)
    line = seal(GOLDEN, chain)
    assert split(line) == (GOLDEN, chain)
    assert decode(line) == RECORD
    assert line.endswith(b',"chain":"' + chain.hex().encode() + b'"}')


def test_the_chain_depends_on_every_byte_and_on_what_came_before() -> None:
    chain = link(GENESIS_CHAIN, GOLDEN)
    assert link(chain, GOLDEN) != chain
    for place in range(len(GOLDEN)):
        changed = GOLDEN[:place] + bytes([GOLDEN[place] ^ 1]) + GOLDEN[place + 1 :]
        assert link(GENESIS_CHAIN, changed) != chain


@pytest.mark.parametrize("line", [b"", b"{}", GOLDEN, seal(GOLDEN, bytes(32))[:-1], GOLDEN[:-1] + b',"chain":"xyz"}'])
def test_a_line_without_its_chain_is_refused(line: bytes) -> None:
    with pytest.raises(RecordError):
        split(line)


@pytest.mark.parametrize(
    "line", [b"", b"[]", GOLDEN[:-1], GOLDEN.replace(b"PlaceOrder", b"Nothing"), GOLDEN.replace(b'"lots"', b'"loots"')]
)
def test_bytes_that_are_no_record_are_refused(line: bytes) -> None:
    with pytest.raises(RecordError):
        decode(line)


def test_a_client_id_of_zero_is_kept() -> None:
    record = Record(1, 1, PlaceOrder(AccountId(1), KeyId(1), "M", Side.ASK, client_id=0), [])
    assert decode(encode(record)) == record
    assert decode(encode(Record(1, 1, CancelAll(AccountId(1), KeyId(1), "M"), []))).events == []


def test_ids_pack_and_unpack() -> None:
    account = account_id(user_of(AccountId(1_700_002)), subaccount_of(AccountId(1_700_002)))
    assert account == 1_700_002
    assert (user_of(account), subaccount_of(account)) == (17, 2)
    assert seq_of(id_at(123, 4)) == 123
    assert id_at(2**49) < 2**53
