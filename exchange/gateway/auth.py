"""Who sent this: Ed25519 signatures over what was asked, their time window, and replays.

A client signs `instruction=<name>&<its fields sorted>&timestamp=<ms>&window=<ms>`, and `&nonce=<its nonce>` behind
that if it sends one. How a value is spelled in that text differs between the clients in use, so a small set of texts
is tried and the request stands if any of them verifies. Nothing here does I/O; REST, WebSocket and the admin
API all ask `Authenticator`.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import product
from operator import itemgetter
from typing import Final
from urllib.parse import parse_qsl, quote

import msgspec
from nacl.bindings import crypto_sign_keypair, crypto_sign_open
from nacl.exceptions import BadSignatureError

from exchange.gateway.wire.errors import UNREADABLE, invalid
from exchange.runtime.port import Exchange
from exchange.values import record
from exchange.values.accounts.views import KeyView
from exchange.values.people.views import AdminView
from exchange.values.refusals import Code, Refusal

# PyNaCl verifies 2.1 times as fast here as `cryptography` does (39 against 82 µs for an order).

DEFAULT_WINDOW_MS: Final = 5_000
MAX_WINDOW_MS: Final = 60_000
#: How far a timestamp may be ahead of our clock.
MAX_AHEAD_MS: Final = 1_000
#: Beyond this a clock is wrong, not late.
MAX_CLOCK_OFF_MS: Final = 600_000
#: Signed changes remembered until their windows end; at the limit further changes are refused.
MAX_REMEMBERED: Final = 1_000_000

#: How long whoever was refused with JUST_STARTED or SIGN_AGAIN waits before they sign again, in whole seconds.
SIGN_AGAIN_S: Final = -(-MAX_AHEAD_MS // 1_000)

_SIGNATURE_BYTES: Final = 64
_MAX_DIGITS: Final = 16
_NONCE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
#: Stands in for a key that isn't ours, so that its signature takes as long to be found wrong. Nobody has its secret.
_NOBODY: Final = crypto_sign_keypair()[0]

#: The same for a signature that is wrong and a key that isn't ours: nobody learns here which keys there are.
_INVALID_SIGNATURE: Final = Refusal(Code.INVALID_SIGNATURE, "Invalid signature")
_EXPIRED: Final = invalid("Request has expired")
#: The process before this one may have taken it already.
JUST_STARTED: Final = Refusal(Code.MAINTENANCE, "The exchange has just started: sign again")
_CLOCK_OFF: Final = invalid("Invalid timestamp: must be within 10 minutes of current time")
_AHEAD: Final = invalid("Invalid timestamp: ahead of current time")
_NOT_A_TIME: Final = invalid("Invalid timestamp: must be ms since 1970")
_WINDOW: Final = invalid(f"Invalid window: must be 0 to {MAX_WINDOW_MS} ms")
_BAD_NONCE: Final = invalid("Invalid nonce: must be 1 to 64 of A-Z a-z 0-9 _ -")
#: A replay, or an honest request with the very words of another one in the same millisecond: nobody can tell.
SIGN_AGAIN: Final = Refusal(
    Code.TOO_MANY_REQUESTS, "The same request, signed in the same millisecond, was already received: sign again"
)
_FULL: Final = Refusal(Code.TOO_MANY_REQUESTS, "Too many signed requests at once")
_NO_CREDENTIALS: Final = Refusal(Code.UNAUTHORIZED, "Missing API key, signature or timestamp")

#: A signed field: its name and its text; None is a JSON null.
Field = tuple[str, str | None]
_NAME: Final = itemgetter(0)


class Credentials(msgspec.Struct, frozen=True, gc=False):
    """What a request says of its sender, as text; `timestamp` and `window` in ms; `nonce` if it has one."""

    api_key: str
    signature: str
    timestamp: str
    window: str = str(DEFAULT_WINDOW_MS)
    nonce: str | None = None

    def __repr__(self) -> str:
        """Nothing of it: what is signed with stays out of tracebacks and logs."""
        return "Credentials(...)"


class SignedFields(msgspec.Struct, frozen=True, gc=False):
    """What the signature must cover.

    `usual` holds the fields of the method's usual place (query of a GET, else the body), one list
    per order of a batch; `query` those of the other place, which some clients sign too.
    """

    instruction: str
    usual: Sequence[Sequence[Field]] = ((),)
    query: Sequence[Field] = ()


# --- fields ------------------------------------------------------------------------------------------

_object_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list_decoder: Final = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


def query_fields(query: str) -> list[Field]:
    """The pairs of a query string; `True` and `False` as their lower-case words, which is what is signed."""
    if not query:
        return []
    return [
        (name, value.lower() if value in ("True", "False") else value)
        for name, value in parse_qsl(query, keep_blank_values=True)
    ]


def body_fields(body: bytes) -> list[Field] | Refusal:
    """The top-level fields of a JSON object; numbers, lists and objects keep the text they were sent with."""
    try:
        return _fields(_object_decoder.decode(body)) if body else []
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return UNREADABLE


def batch_fields(body: bytes) -> list[list[Field]] | Refusal:
    """The fields of each object of a JSON array."""
    try:
        return [_fields(item) for item in _list_decoder.decode(body)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return UNREADABLE


def _fields(decoded: dict[str, msgspec.Raw]) -> list[Field]:
    return [(name, _raw_text(raw)) for name, raw in decoded.items()]


def _raw_text(raw: msgspec.Raw) -> str | None:
    text = bytes(raw).decode()
    if text[0] == '"':
        return msgspec.json.decode(raw, type=str) if "\\" in text else text[1:-1]
    return None if text == "null" else text


# --- the texts a client may have signed -----------------------------------------------------------------


def signing_text(signed: SignedFields, timestamp: str, window: str) -> str:
    """The text our own clients sign: values percent-encoded, nulls left out."""
    segments = [_segment(signed.instruction, sorted(fields, key=_NAME), True, None) for fields in signed.usual]
    return "&".join(segments) + f"&timestamp={timestamp}&window={window}"


def candidates(signed: SignedFields, credentials: Credentials) -> Iterator[bytes]:
    """Every distinct text the client may have signed, the likeliest first."""
    tail = f"&timestamp={credentials.timestamp}&window={credentials.window}"
    if credentials.nonce is not None:
        tail += f"&nonce={credentials.nonce}"
    absent = [value for fields in signed.usual for _, value in fields].count(None)
    seen = set()
    for layout in _layouts(signed):
        signed_fields = sum(map(len, layout))
        for encoded, null in product((False, True), (None, "null", "None") if absent else (None,)):
            text = "&".join([_segment(signed.instruction, fields, encoded, null) for fields in layout])
            parts = len(layout) + signed_fields - (absent if null is None else 0)
            # A raw value with a mark in it could be read as more than one field.
            if not encoded and (text.count("&") != parts - 1 or text.count("=") != parts):
                continue
            if text not in seen:
                seen.add(text)
                yield (text + tail).encode()


def _layouts(signed: SignedFields) -> Iterator[list[list[Field]]]:
    """The usual place; query then body; both merged. Sorting is by name alone: it keeps the order of equal ones."""
    yield [sorted(fields, key=_NAME) for fields in signed.usual]
    if signed.query and len(signed.usual) == 1:
        body = signed.usual[0]
        yield [sorted(signed.query, key=_NAME) + sorted(body, key=_NAME)]
        yield [sorted([*signed.query, *body], key=_NAME)]


def _segment(instruction: str, fields: Sequence[Field], encoded: bool, null: str | None) -> str:
    text = f"instruction={instruction}"
    for name, value in fields:
        if value is None:
            if null is None:
                continue
            value = null
        text += f"&{quote(name, safe='')}={quote(value, safe='')}" if encoded else f"&{name}={value}"
    return text


# --- time and replay ---------------------------------------------------------------------------------------


def check_form(credentials: Credentials, now_us: int) -> Refusal | None:
    """Whether the request is inside its window, and its nonce can be signed."""
    if credentials.nonce is not None and not _NONCE.fullmatch(credentials.nonce):
        return _BAD_NONCE
    if not _is_number(credentials.timestamp):
        return _NOT_A_TIME
    if not _is_number(credentials.window) or int(credentials.window) > MAX_WINDOW_MS:
        return _WINDOW
    age_ms = now_us // 1_000 - int(credentials.timestamp)
    if abs(age_ms) > MAX_CLOCK_OFF_MS:
        return _CLOCK_OFF
    if age_ms > int(credentials.window):
        return _EXPIRED
    return _AHEAD if age_ms < -MAX_AHEAD_MS else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS


class Replays:
    """Signed changes whose windows are still open.

    Kept by what was signed and by whom, not by signature: one text has many valid signatures.
    The same text ends in the same second, so a bucket per second is all there is to look in, and
    buckets go as their seconds pass.
    """

    def __init__(self) -> None:
        self._buckets: dict[int, dict[bytes, str]] = {}
        self._count = 0
        self._swept_second = 0

    def refuse(self, public_key: bytes, text: bytes, ends_ms: int, now_ms: int, connection: str = "") -> Refusal | None:
        """Remember a change, or refuse it because it was here before or there is no room left.

        What is for one `connection` may come again on that one.
        """
        if now_ms // 1_000 > self._swept_second:
            self._sweep(now_ms // 1_000)
        bucket = self._buckets.setdefault(ends_ms // 1_000, {})
        digest = blake2b(public_key + text, digest_size=16).digest()
        if digest in bucket:
            return None if connection and bucket[digest] == connection else SIGN_AGAIN
        if self._count >= MAX_REMEMBERED:
            return _FULL
        bucket[digest] = connection
        self._count += 1
        return None

    def _sweep(self, now_second: int) -> None:
        for second in [second for second in self._buckets if second < now_second]:
            self._count -= len(self._buckets.pop(second))
        self._swept_second = now_second


# --- the question itself --------------------------------------------------------------------------------------


class Authenticator:
    """Turns credentials into the key or admin they prove, or a refusal."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._replays = Replays()

    def trader(
        self, credentials: Credentials | None, signed: SignedFields, *, changes: bool, connection: str = ""
    ) -> KeyView | Refusal:
        """The API key behind a request. `changes` says that doing it twice would matter: no replay, none that the
        process before this one may have taken; with a `connection`, that doing it twice matters on another one only."""
        if credentials is None:
            return _NO_CREDENTIALS
        key = self._exchange.key(credentials.api_key)
        text = self._verify(credentials, signed, key is not None, changes, connection)
        return text if isinstance(text, Refusal) else key or _INVALID_SIGNATURE

    def admin(
        self, credentials: Credentials | None, signed: SignedFields, *, changes: bool
    ) -> tuple[AdminView, record.Signed] | Refusal:
        """The admin behind a request, on the same terms, and what they signed, to be recorded."""
        if credentials is None:
            return _NO_CREDENTIALS
        admin = self._exchange.admin(credentials.api_key)
        text = self._verify(credentials, signed, admin is not None, changes)
        if isinstance(text, Refusal):
            return text
        if admin is None:
            return _INVALID_SIGNATURE
        return admin, record.Signed(admin.public_key, text.decode(), credentials.signature)

    def _verify(
        self, credentials: Credentials, signed: SignedFields, known: bool, changes: bool, connection: str = ""
    ) -> bytes | Refusal:
        """The text that was signed. A key that isn't `known` goes the same way, and is told the same."""
        now_us = self._exchange.now_us()
        refusal = check_form(credentials, now_us)
        if refusal is not None:
            return refusal
        public_key, signature = _decode(credentials.api_key), _decode(credentials.signature)
        text = _verified(public_key if known else _NOBODY, signature, candidates(signed, credentials))
        if text is None:
            return _INVALID_SIGNATURE
        if not changes:
            return text
        timestamp_ms = int(credentials.timestamp)
        if timestamp_ms <= self._last_of_another_ms():
            return JUST_STARTED
        ends_ms = timestamp_ms + int(credentials.window)
        return self._replays.refuse(public_key, text, ends_ms, now_us // 1_000, connection) or text

    def _last_of_another_ms(self) -> int:
        """The last timestamp that a process before this one could take: its signer's clock may have been ahead."""
        started_ms = self._exchange.started_us() // 1_000
        return started_ms + MAX_AHEAD_MS if self._exchange.restarted() else started_ms - 1


def proved(refusal: Refusal) -> bool:
    """Whether it went to somebody whose signature was right: they come twice, or too early, and sign again."""
    return refusal.code in _OF_THE_PROVED


_OF_THE_PROVED: Final = frozenset({JUST_STARTED.code, SIGN_AGAIN.code})


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _verified(public_key: bytes, signature: bytes, texts: Iterator[bytes]) -> bytes | None:
    """The text that this signature by this key is of."""
    if len(signature) != _SIGNATURE_BYTES:
        return None
    for text in texts:
        try:
            crypto_sign_open(signature + text, public_key)
        except BadSignatureError:
            continue
        return text
    return None
