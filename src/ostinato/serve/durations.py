"""How long pushes take, counted in classes, as Prometheus reads them: percentiles without a list of all."""

from __future__ import annotations

from bisect import bisect_left
from typing import final

#: The upper ends of the classes in seconds, each about half as long again as the one before; a last class has no end.
LIMITS = (
    *(0.0005, 0.00075, 0.001, 0.0015, 0.002, 0.003, 0.004, 0.006, 0.008, 0.012, 0.016, 0.024, 0.032),
    *(0.05, 0.075, 0.1, 0.15, 0.25, 0.4, 0.6, 1.0, 2.5, 5.0, 10.0, 30.0),
)


@final
class Durations:
    """A histogram of durations.

    Attributes:
        counts: The number in each class of ``LIMITS``, and above the last one.
        total: Their sum in seconds.
    """

    def __init__(self) -> None:
        self.counts = [0] * (len(LIMITS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """Count a duration."""
        self.counts[bisect_left(LIMITS, seconds)] += 1
        self.total += seconds

    def lines(self) -> list[tuple[str, float]]:
        """Return what follows the name of the metric on each of its lines, with the value."""
        out: list[tuple[str, float]] = []
        many = 0
        for limit, count in zip([*map(str, LIMITS), "+Inf"], self.counts, strict=True):
            many += count
            out.append((f'_bucket{{le="{limit}"}}', many))
        return [*out, ("_sum", self.total), ("_count", many)]
