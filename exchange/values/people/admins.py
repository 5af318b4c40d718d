"""Who an admin is."""

from exchange.values.base import Part
from exchange.values.enums import (
    Role,
)


class AdminSpec(Part, frozen=True):
    """An admin: base64 Ed25519 public key, roles, and a name for the records."""

    name: str
    public_key: str
    roles: tuple[Role, ...]
