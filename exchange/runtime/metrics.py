"""What is counted, and how a Prometheus scrape reads it.

The path of an order only adds to plain numbers; the families are made when somebody asks.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from exchange.values.refusals import Code

_LATENCY_S: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_BATCH: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Histogram:
    """Counts per bucket (upper bounds, inclusive), and the sum."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def family(self, name: str, documentation: str) -> HistogramMetricFamily:
        total = 0
        buckets: list[tuple[str, float]] = []
        for bound, count in zip((*map(str, self._bounds), "+Inf"), self._counts, strict=True):
            total += count
            buckets.append((bound, total))
        return HistogramMetricFamily(name, documentation, buckets=buckets, sum_value=self._sum)


class Metrics(Collector):
    """Counters of the runtime. `gauges` are asked at scrape time: name to (documentation, value).

    `inboxes` yields (name, waiting commands) of every inbox.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(self)
        self.orders = 0
        self.fills = 0
        self.faults = 0
        self.refusals: dict[Code, int] = {}
        self.batch_commands = Histogram(_BATCH)
        self.commit_s = Histogram(_LATENCY_S)
        self.gauges: dict[str, tuple[str, Callable[[], float]]] = {}
        self.inboxes: Callable[[], Iterable[tuple[str, int]]] = lambda: ()

    def collect(self) -> Iterable[Metric]:
        yield CounterMetricFamily("exchange_orders", "Orders accepted", value=self.orders)
        yield CounterMetricFamily("exchange_fills", "Trades", value=self.fills)
        yield CounterMetricFamily("exchange_faults", "Commands that met a bug of ours", value=self.faults)
        refusals = CounterMetricFamily("exchange_refusals", "Commands refused, by code", labels=["code"])
        for code, count in self.refusals.items():
            refusals.add_metric([code], count)
        yield refusals
        yield self.batch_commands.family("exchange_batch_commands", "Commands of one commit batch")
        yield self.commit_s.family("exchange_commit_seconds", "From a batch's hand-over to its being durable")
        depth = GaugeMetricFamily("exchange_inbox_commands", "Commands waiting, by inbox", labels=["inbox"])
        for name, waiting in self.inboxes():
            depth.add_metric([name], waiting)
        yield depth
        for name, (documentation, value) in self.gauges.items():
            yield GaugeMetricFamily(f"exchange_{name}", documentation, value=value())
