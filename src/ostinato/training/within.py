"""The steps that a fit uses of data that are too large for its budget: stretches spread over each part.

Data on disk are looked at by rates that are constants. A text in memory is looked at in full if its budget allows that,
by an estimate (``training/cost.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ostinato.fits.budget import Budget
from ostinato.numbers import counted
from ostinato.shapes import Span

#: The steps for each second of the budget, and the fewest and the most. The rates are those of two cores, so that the
#: chain and the counts take a tenth of the budget each. They are constants, so that a fit follows from its budget.
RATES: Final = {
    "chain": (8_000, 1 << 19, 1 << 23),
    "learned": (25_000, 1 << 20, 1 << 24),
    "judged": (2_000, 1 << 17, 1 << 22),
    "trained": (1_000_000, 1 << 24, 1 << 28),
}
#: The fewest steps of a text in memory, whose fit is estimated and not taken from rates.
LEAST: Final[dict[str, int]] = {"chain": 1 << 17, "learned": 1 << 18, "judged": 1 << 15}
#: The seconds that a budget in steps counts as.
USUAL = 120.0
#: The longest stretch, and the number of stretches that a part has at least if they are shorter.
STRETCH, FEWEST = 1 << 16, 32


@dataclass(frozen=True)
class Within:
    """The numbers of steps that a fit looks at.

    Attributes:
        chain: The steps that the Markov chain counts.
        learned: The steps that adaptive counts learn.
        judged: The steps of the validation part, and of the held-out part.
        trained: The steps that networks are trained on.
        on_disk: Whether the data are on disk.
    """

    chain: int
    learned: int
    judged: int
    trained: int
    on_disk: bool = True

    @staticmethod
    def shares_of(total: int, chain: float, counts: float) -> Within:
        """Return the numbers for shares of a text in memory, not less than the fewest; networks are trained on all.

        Args:
            total: The steps of the text.
            chain: The share that the Markov chain counts, at most 1.
            counts: The share that adaptive counts learn, and that is judged of the parts that judge, at most 1.
        """
        return Within(
            chain=max(int(chain * total), LEAST["chain"]),
            learned=max(int(counts * total), LEAST["learned"]),
            judged=max(int(counts * total / 10), LEAST["judged"]),
            trained=total,
            on_disk=False,
        )

    @staticmethod
    def of(limits: Budget) -> Within:
        """Return the numbers that a budget allows."""
        seconds = USUAL if limits.seconds is None else limits.seconds
        numbers = {name: int(min(max(rate * seconds, a), z)) for name, (rate, a, z) in RATES.items()}
        return Within(numbers["chain"], numbers["learned"], numbers["judged"], numbers["trained"])

    def note(self, total: int) -> str:
        """Return the numbers in words, for data of ``total`` steps."""
        if not self.on_disk:
            return (
                f"the text has {counted(total, 'step')}, and to count all of them would take more than half of the "
                f"budget. The Markov chain takes at most {self.chain:,}, the counts at most {self.learned:,}, and each "
                f"part that judges at most {self.judged:,}, in stretches spread over the text (a larger budget takes "
                "more)"
            )
        return (
            f"the data on disk have {counted(total, 'step')}. The budget allows {self.chain:,} for the Markov chain, "
            f"{self.learned:,} for adaptive counts, {self.trained:,} for networks, and {self.judged:,} for each part "
            "that judges, in stretches spread over the part"
        )


def spread(spans: list[Span], most: int) -> list[Span]:
    """Return at most ``most`` steps of spans, in stretches at equal distances; the last one ends where the spans end.

    Of spans that are shorter than a stretch, whole ones are taken.

    Args:
        spans: The spans.
        most: The greatest number of steps.
    """
    ends = np.cumsum([z - a for _, a, z in spans])
    total = int(ends[-1]) if len(spans) else 0
    if total <= most:
        return spans
    length = max(1, min(STRETCH, most // FEWEST))
    if any(z - a < length for _, a, z in spans):
        return _drawn(spans, length, most)
    count = max(1, most // length)
    out = []
    for i in range(count):
        stop = total * (i + 1) // count
        b, a, z = spans[at := int(np.searchsorted(ends, stop))]
        stop = z - int(ends[at]) + stop
        out.append((b, max(a, stop - length), stop))
    return out


def blocks(spans: list[Span], length: int) -> list[Span]:
    """Return spans cut from their ends into blocks of a length; the first block of a span may be shorter."""
    return [(b, max(a, stop - length), stop) for b, a, z in spans for stop in range(z, a, -length)]


def _drawn(spans: list[Span], length: int, most: int) -> list[Span]:
    """Return at most ``most`` steps of spans: the last block of a length, cut from their ends, and others at random."""
    whole = blocks(spans, length)
    last = max(whole)
    order, kept, left = np.random.default_rng(0).permutation(len(whole)), [last], most - (last[2] - last[1])
    for i in order.tolist():
        _, a, z = whole[i]
        if z - a > left:
            break
        if whole[i] != last:
            kept.append(whole[i])
            left -= z - a
    return sorted(kept)
