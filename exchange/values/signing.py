"""What people sign to give a command, and whether a text that was signed says a certain command.

    instruction=admin:keys.revoke&key_id=180&reason=Lost%20by%20its%20owner&timestamp=<ms>&window=<ms>[&nonce=<nonce>]

The fields stand by name, each with the text it has in JSON (a string without its quotes); all of them percent-encoded,
or all as they are; a null may be left out, and `admin`, which the key says, always is. Clients spell it in these few
ways (`gateway.auth` tries them all), and the record keeps what was signed; here it is read back. A text says one
command: where all values could be percent-encoded they are, whatever else was meant.
"""

import re
from typing import Any, Final, get_args
from urllib.parse import quote, unquote

import msgspec

from exchange.values.commands import AnyCommand

#: What each command that people sign is called: with `admin:` before it and dots for slashes it is the instruction.
#: Three are given where the data folder is, all others are sent to the path of that name.
NAMES: Final[dict[type, str]] = {kind: kind.NAME for kind in get_args(AnyCommand) if kind.NAME}

_SIGNED: Final = re.compile(
    r"instruction=([^&]*)((?:&[^&]*)*)&timestamp=[0-9]+&window=[0-9]+(?:&nonce=[A-Za-z0-9_-]+)?"
)
_ENCODED: Final = re.compile(r"(?:[A-Za-z0-9_.~-]|%[0-9A-F]{2})*")
_NULLS: Final = ("null", "None")
_encode = msgspec.json.Encoder().encode


def instruction(name: str) -> str:
    """What stands first in the text for a command of that name."""
    return "admin:" + name.replace("/", ".")


def text_of(command: AnyCommand, timestamp_ms: int) -> str:
    """The text to sign for a command that is given where the data folder is. Raises KeyError: nobody signs such."""
    fields = msgspec.json.decode(_encode(command), type=dict[str, msgspec.Raw])
    said = "".join(
        f"&{name}={quote(_text(bytes(value)), safe='')}"
        for name, value in sorted(fields.items())
        if name not in ("type", "admin")
    )
    return f"instruction={instruction(NAMES[type(command)])}{said}&timestamp={timestamp_ms}&window=0"


def _text(value: bytes) -> str:
    return msgspec.json.decode(value, type=str) if value[:1] == b'"' else value.decode()


def says(text: str, command: AnyCommand) -> bool:
    """Whether a signed text says this command, all of it, and nothing besides."""
    name, found = NAMES.get(type(command)), _SIGNED.fullmatch(text)
    if name is None or found is None or found[1] != instruction(name):
        return False
    said: dict[str, str] = {}
    for pair in found[2].split("&")[1:]:
        field_name, mark, value = pair.partition("=")
        if not mark or field_name in said:
            return False
        said[field_name] = value
    if all(map(_ENCODED.fullmatch, said.values())):
        said = {field_name: unquote(value) for field_name, value in said.items()}
    for field in msgspec.structs.fields(command):
        if field.name != "admin" and not _stands_for(said.pop(field.name, None), field, getattr(command, field.name)):
            return False
    return not said


def _stands_for(text: str | None, field: msgspec.structs.FieldInfo, value: Any) -> bool:
    if text is None:
        return value is None or (not field.required and value == field.default)
    if text in _NULLS and field.default is None:
        return value is None
    return text == value if isinstance(value, str) else _decoded(text, field.type) == value


def _decoded(text: str, kind: Any) -> object:
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError:
        return None
