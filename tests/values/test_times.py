"""Times as text, against the standard library's calendar."""

from datetime import UTC, datetime

from hypothesis import example, given
from hypothesis import strategies as st

from exchange.values.times import utc_text


@given(st.integers(0, 4_102_444_800 * 10))
@example(951_782_400)  # 2000-02-29
@example(951_868_800)
@example(4_107_542_399)  # 2100-02-28T23:59:59
@example(4_107_542_400)
def test_every_second_is_what_the_calendar_says(second: int) -> None:
    said = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert utc_text(second * 1_000_000 + 999_999) == said
