"""What payloads and answers have in common."""

import msgspec


class Payload(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Base of request bodies. Unknown fields are ignored; a null is the same as a field left out."""


class Wire(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Base of answers."""
