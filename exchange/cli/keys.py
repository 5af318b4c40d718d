"""Ed25519 keys on disk and in use: who signs admin requests, and what the venue itself signs with."""

import base64
import json
import os
from pathlib import Path
from typing import Self

import msgspec
from nacl.signing import SigningKey

from exchange.journal.privacy import make_folder, open_private


class KeyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A key pair as every client here takes it: base64 of the public key and of the 32-byte seed."""

    name: str
    api_key: str
    api_secret: str

    @classmethod
    def generate(cls, name: str) -> Self:
        key = SigningKey.generate()
        return cls(name, base64.b64encode(bytes(key.verify_key)).decode(), base64.b64encode(bytes(key)).decode())

    def signing_key(self) -> SigningKey:
        return SigningKey(base64.b64decode(self.api_secret))

    def sign(self, text: str) -> str:
        """Base64 of the signature over `text` in UTF-8."""
        return base64.b64encode(self.signing_key().sign(text.encode()).signature).decode()

    def __repr__(self) -> str:
        return f"KeyFile(name={self.name!r}, api_key={self.api_key!r})"


def read_key(path: Path) -> KeyFile:
    """
    Raises:
        OSError: it can't be read.
        msgspec.MsgspecError: it is no key file.
    """
    return msgspec.json.decode(path.read_bytes(), type=KeyFile)


def write_private(path: Path, content: object) -> None:
    """Write JSON that only its owner may read (mode 0600), whole or not at all."""
    make_folder(path.parent)
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    with open(open_private(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
        file.write(json.dumps(msgspec.to_builtins(content), indent=2).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
