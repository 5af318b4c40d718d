"""Free text that people give (reasons, names, labels, references): what it may hold, and how any text is shown.

A text is read on terminals, by whoever has to judge what it belongs to: one that moves the cursor, hides a part of
itself or turns its direction could show them something else. The characters are ranges of our own, so that every
interpreter refuses the same, whatever version of Unicode it knows.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

#: Characters of a free text: a reason, label, reference, the name of a session.
MAX_TEXT: Final = 500

#: Controls; line and paragraph separators; what formats, joins, hides or turns text and has no shape of its own;
#: halves of surrogate pairs and code points that are no characters; tags.
_UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def unseen(text: str) -> str:
    """The first character that a text must not hold, as in "U+001B"; empty: there is none."""
    found = _UNSEEN.search(text)
    return f"U+{ord(found[0]):04X}" if found else ""


def visible_lines(text: str) -> str:
    """`visible` of each line of a text of ours that has several."""
    return "\n".join(visible(line) for line in text.split("\n"))


def visible(text: str) -> str:
    """`text` on one line, with every character that can't be seen written as JSON would escape it (`\\u001b`).

    What is JSON stays the same JSON by this, since outside of its strings there is none of them.
    """
    return _UNSEEN.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))


def texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a command with the name of the field it stands in, in the order of its fields."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, msgspec.Struct):
        for field in value.__struct_fields__:
            yield from texts(getattr(value, field), field)
    elif isinstance(value, tuple):
        for each in value:
            yield from texts(each, name)
