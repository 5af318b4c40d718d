"""The venue's signing key, for the processes that make certificates."""

from base64 import b64decode, b64encode
from pathlib import Path

import msgspec
from nacl.signing import SigningKey


class VenueKeyError(Exception):
    """The venue's key in force is not among its key files; the text says which are there, by their public keys."""


class _KeyFile(msgspec.Struct, frozen=True, rename="camel"):
    api_key: str
    api_secret: str


def seed_of(keys_dir: Path, public_key: str) -> str:
    """The seed (base64) that belongs to a public key: after a rotation there are several `venue*.json`.

    Raises:
        VenueKeyError
    """
    found = []
    for path in sorted(keys_dir.glob("venue*.json")):
        try:
            key = msgspec.json.decode(path.read_bytes(), type=_KeyFile)
        except (OSError, msgspec.MsgspecError) as error:
            found.append(f"{path.name} can't be read ({error})")
            continue
        if not _whole(key):
            # What stands where the public key belongs may be a secret.
            found.append(f"the two halves of {path.name} don't belong together")
        elif key.api_key == public_key:
            return key.api_secret
        else:
            found.append(f"{path.name} holds {key.api_key}")
    raise VenueKeyError(
        f"the venue's key in force is {public_key}, and no file in {keys_dir} holds it:"
        f" {'; '.join(found) or 'there is no venue.json'}"
    )


def _whole(key: _KeyFile) -> bool:
    try:
        return b64encode(bytes(SigningKey(b64decode(key.api_secret)).verify_key)).decode() == key.api_key
    except (TypeError, ValueError):  # nacl's own are both, or one of them
        return False
