"""What a text may hold: letters, signs and spaces that a reader sees; and how what it may not hold is shown."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.values.text import unseen, visible, visible_lines

#: Other, separators of lines and paragraphs: what Unicode itself calls unseen, in the version of this interpreter.
UNSEEN_CATEGORIES = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def test_everything_that_unicode_calls_a_control_or_a_format_is_refused() -> None:
    for code in range(0x110000):
        if unicodedata.category(chr(code)) in UNSEEN_CATEGORIES:
            assert unseen(f"a{chr(code)}b") == f"U+{code:04X}"


@pytest.mark.parametrize("text", ["", "1,204.5 SOL", "Größe, 50 %", "日本語", "naïve", "👍", "[red]", 'a "b" \\'])
def test_what_can_be_seen_is_a_text_and_shown_as_it_is(text: str) -> None:
    assert (unseen(text), visible(text)) == ("", text)


def test_what_cannot_is_shown_as_what_it_is() -> None:
    assert visible("nice\x1b[1A\x1b[2K\r\n\x9b\x7f\u202e\U000e0041") == (
        "nice\\u001b[1A\\u001b[2K\\u000d\\u000a\\u009b\\u007f\\u202e\\udb40\\udc41"
    )
    assert visible_lines("one\ntwo\r\x1b") == "one\ntwo\\u000d\\u001b"


@given(st.text())
def test_json_stays_the_same_json(text: str) -> None:
    shown = visible(json.dumps({"reason": text}, ensure_ascii=False))
    assert not unseen(shown)
    assert json.loads(shown) == {"reason": text}
