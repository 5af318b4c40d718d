"""The venue's signing key, where certificates are made."""

from base64 import b64decode
from pathlib import Path

import msgspec
from nacl.signing import SigningKey


class VenueKeyError(ValueError):
    """The venue's key can't be read, or is not the one in force."""


class _KeyFile(msgspec.Struct, frozen=True, rename="camel"):
    api_key: str
    api_secret: str


def read_signing_key(path: Path) -> SigningKey:
    """Raises VenueKeyError."""
    try:
        return SigningKey(b64decode(_read(path).api_secret))
    except ValueError as error:
        raise VenueKeyError(f"{path.name} is no key file: {error}") from error


def key_file_of(keys_dir: Path, public_key: str) -> Path:
    """The file of the venue's key with this public key: after a rotation there are several.

    Raises:
        VenueKeyError: none has it.
    """
    for path in sorted(keys_dir.glob("venue*.json")):
        if _read(path).api_key == public_key:
            return path
    raise VenueKeyError(f"no file in {keys_dir.name} holds the venue's key {public_key}")


def _read(path: Path) -> _KeyFile:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_KeyFile)
    except (OSError, msgspec.MsgspecError) as error:
        raise VenueKeyError(f"{path.name}: {error}") from error
