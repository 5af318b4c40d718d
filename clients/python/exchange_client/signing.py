"""Ed25519 signatures of requests."""

import base64
import time
from collections.abc import Iterable, Mapping
from typing import Final

from nacl.signing import SigningKey

from exchange_client.decimals import Scalar, text

WINDOW_MS: Final = 5_000
SEED_BYTES: Final = 32


class Keypair:
    """An API key: made from the secret the exchange gave, the base64 of a 32-byte seed.

    Raises ValueError on a secret that is too short or not base64.
    """

    def __init__(self, secret: str) -> None:
        seed = base64.b64decode(secret, validate=True)[:SEED_BYTES]
        self._key = SigningKey(seed)
        self._last_timestamp_ms = 0
        self.public_key: Final = base64.b64encode(bytes(self._key.verify_key)).decode()

    def __repr__(self) -> str:
        return f"Keypair({self.public_key})"

    def sign(self, message: str) -> str:
        """The base64 signature of a text."""
        return base64.b64encode(self._key.sign(message.encode()).signature).decode()

    def timestamp_ms(self) -> int:
        """Now, in ms since 1970, and never the same twice.

        Two honest requests with the same content and timestamp would have one signature, and the
        exchange takes the second for a replay.
        """
        now_ms = time.time_ns() // 1_000_000
        self._last_timestamp_ms = max(now_ms, self._last_timestamp_ms + 1)
        return self._last_timestamp_ms

    def headers(self, instruction: str, items: Iterable[Mapping[str, Scalar]]) -> dict[str, str]:
        """The headers of a signed REST request; `items` is one set of parameters, or one per order of a batch."""
        timestamp_ms = self.timestamp_ms()
        return {
            "X-API-Key": self.public_key,
            "X-Timestamp": str(timestamp_ms),
            "X-Window": str(WINDOW_MS),
            "X-Signature": self.sign(signing_text(instruction, items, timestamp_ms, WINDOW_MS)),
        }


def signing_text(
    instruction: str, items: Iterable[Mapping[str, Scalar]], timestamp_ms: int, window_ms: int = WINDOW_MS
) -> str:
    """The text that is signed: each item's instruction and sorted parameters, then timestamp and window once."""
    pairs = []
    for item in items:
        pairs.append(f"instruction={instruction}")
        pairs.extend(f"{name}={text(item[name])}" for name in sorted(item))
    return "&".join([*pairs, f"timestamp={timestamp_ms}", f"window={window_ms}"])
