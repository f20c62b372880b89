"""Metric families out of samples. Samples with the same labels, as folding makes them, become one."""

from collections.abc import Callable, Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

Sample = tuple[tuple[str, ...], float]
"""Label values, and a figure."""


def gauge(
    name: str,
    told: str,
    labels: tuple[str, ...],
    samples: Iterable[Sample],
    *,
    combine: Callable[[Iterable[float]], float] = sum,
) -> GaugeMetricFamily:
    """Return a gauge; `combine` makes one figure of several with the same labels."""
    family = GaugeMetricFamily(name, told, labels=labels)
    for values, figure in _combined(samples, combine):
        family.add_metric(values, figure)
    return family


def counter(name: str, told: str, labels: tuple[str, ...], samples: Iterable[Sample]) -> CounterMetricFamily:
    """Return a counter, whose name ends in `_total`."""
    family = CounterMetricFamily(name, told, labels=labels)
    for values, figure in _combined(samples, sum):
        family.add_metric(values, figure)
    return family


def _combined(samples: Iterable[Sample], combine: Callable[[Iterable[float]], float]) -> Iterable[Sample]:
    figures: dict[tuple[str, ...], list[float]] = {}
    for values, figure in samples:
        figures.setdefault(values, []).append(figure)
    return ((values, combine(found)) for values, found in figures.items())
