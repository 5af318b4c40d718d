"""What an operator sees, read the way Prometheus reads it."""

from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from exchange.runtime.metrics import Histogram, Metrics
from exchange.values.orders.commands import SetCancelAllAfter
from tests.runtime.running import HandClock, Traders, done, trading


def scraped(metrics: Metrics) -> dict[tuple[str, tuple[str, ...]], float]:
    text = generate_latest(metrics.registry).decode()
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_orders_fills_refusals_and_progress_are_counted(tmp_path: Path) -> None:
    traders = Traders()
    async with trading(tmp_path, traders, HandClock()) as life:
        await done(life.venue, traders.sell(traders.ann, 10_000, 2))
        await done(life.venue, traders.buy(traders.bob, 10_000, 1))
        await life.venue.execute(traders.buy(traders.bob, 10**9))
        await done(life.venue, SetCancelAllAfter(traders.bob, traders.core.key(traders.bob), 0))
        assert life._follower is not None
        assert await life._follower.wait_for(life.state.seq, 5)
        found = scraped(life.venue.metrics)
        seq = life.state.seq
    assert found["exchange_orders_total", ()] == 2
    assert found["exchange_fills_total", ()] == 1
    assert found["exchange_faults_total", ()] == 0
    assert sum(value for (name, _), value in found.items() if name == "exchange_refusals_total") >= 1
    assert found["exchange_seq", ()] == seq
    assert found["exchange_durable_lag_records", ()] == 0
    assert found["exchange_follower_lag_records", ()] == 0
    assert found["exchange_inbox_commands", ("SOL_USDC",)] == 0
    assert found["exchange_inbox_commands", ("venue",)] == 0
    assert found["exchange_commit_seconds_count", ()] == found["exchange_batch_commands_count", ()] > 0


def test_a_histogram_counts_upper_bounds_in_and_sums_up() -> None:
    histogram = Histogram((1, 2, 4))
    for value in (1, 2, 2, 3, 100):
        histogram.observe(value)
    samples = {(sample.name, sample.labels.get("le")): sample.value for sample in histogram.family("h", "test").samples}
    assert [samples["h_bucket", bound] for bound in ("1", "2", "4", "+Inf")] == [1, 3, 4, 5]
    assert samples["h_sum", None] == pytest.approx(108)
