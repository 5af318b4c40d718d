"""The record: one command and everything it caused, as one line of JSON with field names.

On disk a record is `{"seq":..,"time_us":..,"command":{..},"events":[..],"chain":"<64 hex>"}`, and has `"signed":[..]`
before its chain where an admin signed the command. `chain` is BLAKE2b-256 over the previous record's chain (32 bytes)
and this line up to, and without, `,"chain":`; so a missing, changed or reordered record is found.

The line is kept as it was written and never encoded again. A field of a newer build beside these is passed over, and
stays in the bytes: what a fold depends on goes into commands and events, which refuse a field they don't know.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

import msgspec

from exchange.values.commands import AnyCommand
from exchange.values.events import AnyEvent
from exchange.values.orders.commands import PlaceOrder
from exchange.values.orders.events import IncomingOrder, OrderPlaced
from exchange.values.process.events import Faulted, Refused

#: The chain value before the first record.
GENESIS_CHAIN: Final = bytes(32)

_CHAIN_KEY: Final = b',"chain":"'
_CHAIN_TAIL: Final = len(_CHAIN_KEY) + 64 + 2


class RecordError(ValueError):
    """Bytes that are not a whole record."""


class Signed(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What a person signed to give a command: `text` as the key signed it; `public_key` and `signature` are base64.

    `signing` says what stands in the text.
    """

    public_key: str
    text: str
    signature: str


class Record(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`seq` is dense from 1 over all markets and accounts; `time_us` (µs since 1970, UTC) never falls.

    `signed` is of whoever gave a command of admins, one each, and left out of the bytes of all others.
    """

    seq: int
    time_us: int
    command: AnyCommand
    events: list[AnyEvent]
    signed: tuple[Signed, ...] = ()


class Head(msgspec.Struct, frozen=True, gc=False):
    """What every record begins with."""

    seq: int
    time_us: int


_NOTHING_HAPPENED: Final = (Refused, Faulted)


def carried_out(events: Sequence[AnyEvent]) -> bool:
    """Whether a command that caused `events` changed anything: it was neither refused nor met a bug of ours."""
    return bool(events) and type(events[0]) not in _NOTHING_HAPPENED


def placed_order(command: AnyCommand, events: Sequence[AnyEvent]) -> IncomingOrder | None:
    """The order that came in by a command that caused `events`, if one did. The one place that says so.

    A client's command holds its terms; where another one brought it, an event does.
    """
    if type(command) is PlaceOrder:
        return command if carried_out(events) else None
    for event in events:
        if type(event) is OrderPlaced:
            return event
    return None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Record)
_head_decoder = msgspec.json.Decoder(Head)


def encode(record: Record) -> bytes:
    """The line without its chain: what the chain is computed over."""
    return _encoder.encode(record)


def link(previous: bytes, body: bytes) -> bytes:
    """The chain value (32 bytes) of a record whose unchained line is `body`."""
    return blake2b(previous + body, digest_size=32).digest()


def seal(body: bytes, chain: bytes) -> bytes:
    """The line as it is kept: `body` with its chain as the last field."""
    return b'%b,"chain":"%b"}' % (body[:-1], chain.hex().encode())


def split(line: bytes) -> tuple[bytes, bytes]:
    """The body and the chain value of a kept line.

    Raises:
        RecordError: the line does not end in a chain.
    """
    head, tail = line[:-_CHAIN_TAIL], line[-_CHAIN_TAIL:]
    if not head or not tail.startswith(_CHAIN_KEY) or not tail.endswith(b'"}'):
        raise RecordError("no chain at the end of the record")
    try:
        return head + b"}", bytes.fromhex(tail[len(_CHAIN_KEY) : -2].decode("ascii"))
    except ValueError as error:
        raise RecordError("the chain is not hexadecimal") from error


def follow(previous: bytes, line: bytes) -> bytes | None:
    """The chain value of a kept line, or None if it is not the line that was sealed after `previous`."""
    chain = link(previous, line[:-_CHAIN_TAIL] + b"}")
    return chain if line[-_CHAIN_TAIL:] == b'%b%b"}' % (_CHAIN_KEY, chain.hex().encode()) else None


def decode(line: bytes) -> Record:
    """Read a line, with or without its chain.

    Raises:
        RecordError
    """
    try:
        return _decoder.decode(line)
    except msgspec.MsgspecError as error:
        raise RecordError(str(error)) from error


def decode_lines(lines: bytes) -> list[Record]:
    """Read many lines, joined by newlines, at once.

    Raises:
        RecordError
    """
    try:
        return _decoder.decode_lines(lines)
    except msgspec.MsgspecError as error:
        raise RecordError(str(error)) from error


def head(line: bytes) -> Head:
    """Read only the seq and the time of a line, with or without its chain.

    Raises:
        RecordError
    """
    try:
        return _head_decoder.decode(line)
    except msgspec.MsgspecError as error:
        raise RecordError(str(error)) from error
