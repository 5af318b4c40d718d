"""JSON in both directions, and the types that answers are given."""

from typing import Final, TypeVar

import msgspec
import orjson

T = TypeVar("T")

#: What `decode` and `typed` raise for something else than what was asked for.
MALFORMED: Final = (orjson.JSONDecodeError, msgspec.ValidationError)


def encode(value: object) -> bytes:
    return orjson.dumps(value)


def decode(text: bytes | str, kind: type[T]) -> T:
    return typed(orjson.loads(text), kind)


def typed(value: object, kind: type[T]) -> T:
    """What was decoded as part of something larger."""
    return msgspec.convert(value, kind)
