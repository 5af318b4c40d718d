"""The cell rate algorithm: bursts up to the limit, then the even pace; nothing grows without bound."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.gateway import admission
from exchange.gateway.admission import MINUTE_US, Rate

NOW_US = 1_750_000_000_000_000


def test_a_whole_minutes_worth_at_once_then_the_even_pace() -> None:
    rate = Rate(60)
    assert [rate.wait_s("a", NOW_US) for _ in range(60)] == [0] * 60
    assert rate.wait_s("a", NOW_US) == 2  # whole seconds, never too few
    assert rate.wait_s("a", NOW_US + 1_000_000) == 0
    assert rate.wait_s("a", NOW_US + 1_000_000) > 0
    assert rate.wait_s("b", NOW_US) == 0


def test_looking_does_not_count() -> None:
    rate = Rate(1)
    assert [rate.exhausted_s("a", NOW_US) for _ in range(3)] == [0, 0, 0]
    assert rate.wait_s("a", NOW_US) == 0
    assert rate.exhausted_s("a", NOW_US) > 0


@given(st.lists(st.tuples(st.integers(0, 5_000_000), st.integers(1, 5)), max_size=200))
def test_no_minute_sees_more_than_twice_the_limit_and_waiting_helps(steps: list[tuple[int, int]]) -> None:
    """A burst may end one minute and begin the next; over any span the pace is kept."""
    rate, now_us, admitted = Rate(20), NOW_US, 0
    for pause_us, cost in steps:
        now_us += pause_us
        wait_s = rate.wait_s("a", now_us, cost)
        if wait_s:
            now_us += wait_s * 1_000_000
            assert rate.wait_s("a", now_us, cost) == 0
        admitted += cost
        assert admitted <= 20 + (now_us - NOW_US) * 20 // MINUTE_US + 1


def test_what_is_counted_is_bounded_and_the_idle_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "MAX_TRACKED", 10)
    rate = Rate(1)
    for number in range(9):
        rate.wait_s(number, NOW_US)
    rate.wait_s("late", NOW_US + MINUTE_US)
    assert rate.wait_s("one more", NOW_US + MINUTE_US) == 0
    assert rate.wait_s("late", NOW_US + MINUTE_US) > 0, "an active one was forgotten although idle ones were there"
    for number in range(100):
        rate.wait_s(number, NOW_US + MINUTE_US)
        assert len(rate._through_us) <= 10


def test_keys_that_proved_themselves_are_remembered_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "MAX_TRACKED", 10)
    counts = admission.Admission(admission.GatewayLimits())
    for number in range(30):
        counts.proved("an address", f"key {number}")
    assert len(counts._proved) == 10
    assert next(iter(counts._proved)) == "an address key 20"
