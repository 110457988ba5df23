"""The data of a fit: as read, in model space, and in parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.data.alphabet import Alphabet
from ostinato.data.encoded import Encoded, Encoding
from ostinato.data.encoding import fit_encoding
from ostinato.data.sequences import SequenceSet
from ostinato.data.split import Part, Split
from ostinato.data.upper_bound import upper_bound
from ostinato.errors import DataError
from ostinato.numbers import counted
from ostinato.shapes import Span
from ostinato.training.within import Within, blocks, spread
from ostinato.wording import option

#: The greatest number of steps that a closed form is fitted to, which suffices for a few dozen coefficients.
MOST_STEPS = 400_000
#: The length of the stretches of sound and series that stand for a part that judges. Each has a past that warms up the
#: state, of 1,088 steps for adaptive filters: shorter stretches would cost more, and fewer would say less about a part.
STRETCH = 512


@dataclass(frozen=True)
class Judged:
    """How much sound or series of each part that judges is looked at; everything else looks at all of the data.

    Attributes:
        steps: The steps of the validation part, and of the held-out part.
    """

    steps: int

    def spread(self, spans: list[Span]) -> list[Span]:
        """Return spans of about ``steps`` steps: short spans, and stretches of long ones, at equal distances.

        The order of the sequences is often one of groups, such as speakers, so that equal distances meet all of them.
        """
        total = sum(z - a for _, a, z in spans)
        if total <= self.steps:
            return spans
        whole = sorted(blocks(spans, STRETCH))
        count = max(1, self.steps * len(whole) // total)
        return [whole[(2 * i + 1) * len(whole) // (2 * count)] for i in range(count)]

    def note(self, held: int) -> str:
        """Return the note on the judged steps, for a held-out part of this number of steps."""
        return (
            f"each model was judged on about {counted(self.steps, 'step')} of each part that judges, in stretches "
            f"spread over the part, so the figures are less exact. The budget is too short for all "
            f"{counted(held, 'held-out step')} (a larger budget takes more)"
        )


@dataclass(frozen=True)
class Material:
    """The data of a fit.

    Attributes:
        data: The sequences as read.
        encoded: The sequences in model space.
        encoding: The map from the sequences as read to model space.
        split: The training, validation and held-out parts.
        within: How many of the steps are looked at; None is all of them.
        judged: How many steps of sound or series each part that judges has; None is all of them.
        fitted_steps: The greatest number of steps of sound or series that a closed form is fitted to.
    """

    data: SequenceSet
    encoded: Encoded
    encoding: Encoding
    split: Split
    within: Within | None = None
    judged: Judged | None = None
    fitted_steps: int = MOST_STEPS

    def share(self, part: Part) -> float:
        """Return the share of the steps of a part that is looked at."""
        whole = self.split.spans(part, self.data.lengths, self.encoded.lengths)
        return sum(z - a for _, a, z in self.spans(part)) / max(sum(z - a for _, a, z in whole), 1)

    def few(self) -> tuple[Tensor, NDArray[np.int64], list[int]]:
        """Return the steps of the known part that a closed form of numbers is fitted to, as ``joined`` does."""
        if self.fitted_steps == MOST_STEPS:
            return self.joined(limit=MOST_STEPS)
        return self._cut(spread(self.spans("known"), self.fitted_steps))

    def spans(self, part: Part) -> list[Span]:
        """Return the spans of a part as (sequence, first, stop), in steps of model space, as far as they are looked at.

        Stretches of data that are not looked at in full stand for their part.
        """
        spans = self.split.spans(part, self.data.lengths, self.encoded.lengths)
        if self.judged is not None and part in ("validation", "held-out"):
            return self.judged.spread(spans)
        if self.within is None or part == "known":
            return spans
        return self._spread(spans, self.within.trained if part == "train" else self.within.judged)

    def _spread(self, spans: list[Span], most: int) -> list[Span]:
        """Return stretches of spans (see ``spread``), of which none ends within a character."""
        borders, stretches = self.split.borders, spread(spans, most)
        return stretches if borders is None else borders.moved(stretches)

    def joined(self, part: Part = "known", limit: int | None = None) -> tuple[Tensor, NDArray[np.int64], list[int]]:
        """Return the spans of a part joined: values (N, D), the offsets of the spans, and the sequence of each span.

        Args:
            part: The part of the data.
            limit: The greatest number of steps, drawn at random from all spans, or spread over them as in ``spans``.
        """
        spans = self.spans(part)
        if limit is not None and self.within is not None:
            spans = self._spread(spans, limit)
        elif limit is not None and sum(z - a for _, a, z in spans) > limit:
            order, kept, total = np.random.default_rng(0).permutation(len(spans)), [], 0
            for i in order:
                if total >= limit:
                    break
                b, a, z = spans[i]
                kept.append((b, a, min(z, a + limit - total)))
                total += kept[-1][2] - a
            spans = sorted(kept)
        return self._cut(spans)

    def _cut(self, spans: list[Span]) -> tuple[Tensor, NDArray[np.int64], list[int]]:
        """Return spans joined (see ``joined``)."""
        at = self.encoded.offsets
        values = torch.cat([self.encoded.values[at[b] + a : at[b] + z] for b, a, z in spans])
        return values, np.cumsum([0, *(z - a for _, a, z in spans)], dtype=np.int64), [b for b, _, _ in spans]


def material_of(data: SequenceSet, cut: Split, support: str | None = None, within: Within | None = None) -> Material:
    """Return the data in model space, with a scale or an alphabet of the known part only.

    Args:
        data: The sequences as read.
        cut: The parts.
        support: "nonnegative", "real" or None, as in ``LadderOptions``.
        within: How many of the steps are looked at; None is all of them.
    """
    bound, most = nonnegative(data, support), upper_bounds(data, support)
    encoding: Encoding
    if data.on_disk:
        encoding = Alphabet.fit(data, cut.spans("known", data.lengths, data.lengths))
    else:
        encoding = fit_encoding(cut.take("known", data), by_id=cut.by_time, nonnegative=bound, upper_bounds=most)
    return Material(data, encoding.encode(data), encoding, cut, within)


def nonnegative(data: SequenceSet, support: str | None) -> tuple[bool, ...]:
    """Return whether each channel has no probability below 0; empty if none is bounded.

    What the values can be is a fact about their unit, as it is for counts, so the whole of the data declares it. A
    channel is bounded if it is never below 0, and its values are at least as far apart as the least of them is from 0.

    Args:
        data: The sequences as read.
        support: "nonnegative", "real" or None, which decides by the data.

    Raises:
        DataError: The support is "nonnegative", and a value is below 0.
    """
    if data.kind != "series" or data.count or support == "real":
        return ()
    values = np.asarray(data.values, dtype=np.float64)
    never = tuple(bool(np.isfinite(x).any() and not (x < 0).any()) for x in values.T)
    if support == "nonnegative" and (values < 0).any():
        least = float(np.nanmin(values))
        raise DataError(
            f"the least value is {least:g}, and the support is nonnegative",
            where=data.meta.get("source"),
            fix=f"remove {option('--support')}, or leave such values empty",
        )
    if support is None:
        # if the least value is farther from 0 than the values are apart, the data do not show that 0 is a bound
        never = tuple(n and np.nanmin(x) <= np.nanmax(x) - np.nanmin(x) for n, x in zip(never, values.T, strict=True))
    return tuple(map(bool, never)) if any(never) else ()


def upper_bounds(data: SequenceSet, support: str | None) -> tuple[float, ...]:
    """Return the upper bound of each channel (see ``upper_bound``); empty if none is bounded.

    All sequences together declare it, as for ``nonnegative``.

    Args:
        data: The sequences as read.
        support: "nonnegative", "real" or None. Only None lets the data decide.
    """
    if data.kind != "series" or support is not None:
        return ()
    ends = tuple(upper_bound(x) for x in np.asarray(data.values, dtype=np.float64).T)
    return ends if np.isfinite(ends).any() else ()
