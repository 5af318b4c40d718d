"""Who an admin is."""

import msgspec

from exchange.values.enums import (
    Role,
)


class AdminSpec(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """An admin: base64 Ed25519 public key, roles, and a name for the records."""

    name: str
    public_key: str
    roles: tuple[Role, ...]
