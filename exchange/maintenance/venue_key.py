"""The venue's signing key, for the processes that make certificates."""

from pathlib import Path

import msgspec


class VenueKeyError(Exception):
    """The venue's key in force is not among its key files."""


class _KeyFile(msgspec.Struct, frozen=True, rename="camel"):
    api_key: str
    api_secret: str


def seed_of(keys_dir: Path, public_key: str) -> str:
    """The seed (base64) that belongs to a public key: after a rotation there are several `venue*.json`.

    Raises:
        VenueKeyError
    """
    for path in sorted(keys_dir.glob("venue*.json")):
        try:
            key = msgspec.json.decode(path.read_bytes(), type=_KeyFile)
        except (OSError, msgspec.MsgspecError) as error:
            raise VenueKeyError(f"{path.name}: {error}") from error
        if key.api_key == public_key:
            return key.api_secret
    raise VenueKeyError(f"no file in {keys_dir.name} holds the venue's key in force, {public_key}")
