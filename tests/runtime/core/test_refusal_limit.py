"""Refusals that become records are bounded per account."""

from exchange.runtime.core.refusal_limit import REFUSAL_BURST, REFUSALS_PER_S, RefusalLimit
from exchange.values.ids import AccountId

ANN, BOB = AccountId(100_000), AccountId(200_000)
NOW_US = 1_750_000_000_000_000


def count(limit: RefusalLimit, account: AccountId, now_us: int, tries: int) -> int:
    return sum(limit.allow(account, now_us) for _ in range(tries))


def test_a_burst_passes_and_then_a_steady_rate() -> None:
    limit = RefusalLimit()
    assert count(limit, ANN, NOW_US, 10 * REFUSAL_BURST) == REFUSAL_BURST
    assert count(limit, ANN, NOW_US + 1_000_000, 10 * REFUSAL_BURST) == REFUSALS_PER_S


def test_one_account_does_not_use_up_anothers() -> None:
    limit = RefusalLimit()
    count(limit, ANN, NOW_US, 10 * REFUSAL_BURST)
    assert limit.allow(BOB, NOW_US)


def test_saving_up_is_bounded() -> None:
    limit = RefusalLimit()
    limit.allow(ANN, NOW_US)
    assert count(limit, ANN, NOW_US + 10**12, 10 * REFUSAL_BURST) == REFUSAL_BURST


def test_accounts_that_have_saved_up_are_forgotten() -> None:
    limit = RefusalLimit()
    for number in range(50_000):
        limit.allow(AccountId(number), NOW_US + number * 1_000)
    assert len(limit._full_at_us) < 25_000
