"""What ``score`` returns: the surprisal of every step, and what a person reads from it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato.data.corpus import blocks
from ostinato.data.describe import when
from ostinato.data.ids import restored
from ostinato.data.sequences import SequenceSet
from ostinato.data.spelling import spelling_of
from ostinato.forecasting.inputs import words
from ostinato.look import Shown
from ostinato.numbers import counted
from ostinato.shapes import Array

if TYPE_CHECKING:
    import polars as pl


class ScoredStep(NamedTuple):
    """One scored step.

    Attributes:
        unique_id: The id of the sequence, of the type that it came in.
        step: The step, counted from 0.
        nats: The surprisal of the step in nats.
        row: The row of the sequence in the data.
    """

    unique_id: Any
    step: int
    nats: float
    row: int


@dataclass(frozen=True, repr=False, eq=False)
class Scores(Shown):
    """The surprisal of every step of the data under a model.

    Text, sound and counts have probabilities. Series have densities in their own units. Prices have the density of
    their log return, which is the same in any currency; the density of the price itself is that over the price. The
    first price of a sequence has no return and is not scored.

    Attributes:
        data: The data that were scored.
        surprisal: -log P(x_t | x_<t) of every step in nats, over all its channels together, (N,). NaN where a value is
            missing. The end of a sequence is one step more if it is an event. For data on disk, this is a mapped file
            of float32 that vanishes with the array.
        offsets: The surprisals of sequence b are surprisal[offsets[b]:offsets[b + 1]], (B + 1).
        adapted: Whether the model went on learning: each sequence was scored by what the model had learned from those
            before it, too.
    """

    data: SequenceSet
    surprisal: Array
    offsets: NDArray[np.int64]
    adapted: bool = False

    @property
    def spaced(self) -> str:
        """A note on the amplitudes that the probabilities of a sound are over; empty if they are all whole numbers."""
        step = self.data.step
        if self.data.kind != "sound" or step is None or not (step > 1).any():
            return ""
        spacings = np.unique(step[step > 1])
        of = " or ".join(f"{spacing:g}" for spacing in spacings) if len(spacings) < 4 else "a power of 2"
        return (
            f"{counted(int((step > 1).sum()), 'sequence')} of {len(step):,} with only multiples of {of}: the "
            "probabilities are over these multiples. Those of a stream are over all whole numbers, unless it is given "
            "the spacing"
        )

    def look(self) -> tuple[list[str], pl.DataFrame]:
        """Return the likelihood in words, and the most surprising steps."""
        import polars as pl

        unit = self.data.traits.judged
        what = f"{self.nats_per_unit:.4f} nats a {unit} over {self.units:,} {unit}s; the most surprising:"
        rows = [
            {"unique_id": key, "step": step + 1, "when": when(self.data, row, step)}
            | {"value": self.label(row, step), "surprisal": nats}
            for key, step, nats, row in self.most_surprising()
        ]
        return [what], pl.DataFrame(rows)

    @cached_property
    def log_prob(self) -> Array:
        """The log-probability of each sequence in nats, (B,)."""
        return np.array([-sum(float(np.nansum(b, dtype=np.float64)) for b in self._of(a, z)) for a, z in self._spans()])

    @cached_property
    def steps(self) -> NDArray[np.int64]:
        """The number of scored steps of each sequence, (B,)."""
        counts = [sum(int((~np.isnan(b)).sum()) for b in self._of(a, z)) for a, z in self._spans()]
        return np.array(counts, dtype=np.int64)

    @property
    def nats_per_step(self) -> float:
        """The mean surprisal of a step in nats; NaN if no step was scored."""
        total = int(self.steps.sum())
        return -float(self.log_prob.sum()) / total if total else math.nan

    @cached_property
    def units(self) -> int:
        """The number of scored steps; of text, of its characters and of the ends that are events."""
        if self.data.traits.numeric:
            return int(self.steps.sum())
        ends = len(self.surprisal) - len(self.data.values)
        spelling = spelling_of(self.data.meta)
        return sum(int(spelling.characters(block[:, 0]).sum()) for block in blocks(self.data.values)) + ends

    @property
    def nats_per_unit(self) -> float:
        """The mean surprisal of a step in nats; of text, of a character, whatever the vocabulary."""
        return -float(self.log_prob.sum()) / self.units if self.units else math.nan

    @property
    def bits_per_unit(self) -> float:
        """The mean surprisal of a step in bits; of text, of a character, whatever the vocabulary."""
        return self.nats_per_unit / math.log(2)

    @property
    def bits_per_step(self) -> float:
        """The mean surprisal of a step in bits."""
        return self.nats_per_step / math.log(2)

    def most_surprising(self, count: int = 5) -> list[ScoredStep]:
        """Return the ``count`` least likely steps, the least likely first.

        Args:
            count: The number of steps, or all scored steps if there are fewer.
        """
        count = max(count, 0)
        ranked, at = np.zeros(0, dtype=np.int64), 0
        for block in blocks(self.surprisal):
            # once there are enough, only what surprises more than the last of them; an earlier step goes first
            full = 0 < count == len(ranked)
            new = np.flatnonzero(block > self.surprisal[ranked[-1]] if full else ~np.isnan(block))
            seen = np.concatenate([ranked, at + new])
            ranked = seen[np.argsort(-self.surprisal[seen], kind="stable")[:count]]
            at += len(block)
        rows = np.searchsorted(self.offsets, ranked, side="right") - 1
        keys = restored(self.data.ids, self.data.meta)
        return [
            ScoredStep(keys[b], i - int(self.offsets[b]), float(self.surprisal[i]), b)
            for i, b in zip(ranked.tolist(), rows.tolist(), strict=True)
        ]

    def label(self, row: int, step: int) -> str:
        """Return the value at a step of a sequence, for a person to read.

        Args:
            row: The number of the sequence.
            step: The number of the step, from 0; that after the last one is the end of a text.
        """
        values = self.data[row]
        if step >= len(values):
            return "the end"
        if not self.data.traits.numeric:
            return spelling_of(self.data.meta).word(int(values[step, 0]))
        return words(values[step])

    def by(self, unit: str, corpus: Any = None) -> pl.DataFrame:
        """Return the surprisal of every "symbol", "word", "line" or "sentence" of a text: one row a unit.

        The columns are unique_id, unit (its number in the sequence), start and length (in characters, with the space
        after it), text, count (in these data), nats and bits. A corpus adds letters (the letters and digits of text)
        and frequency (in a million units of the corpus; of words without regard to case and to marks at their ends).

        Args:
            unit: What a row is.
            corpus: Anything that ``read`` takes as text, in which the units are counted. Not for symbols.

        Raises:
            ConfigError: The data are not text, or the unit is unknown.
            DataError: The corpus cannot be read, or holds no unit.
        """
        import polars as pl

        from ostinato.inference.units import units

        return pl.concat(units(self, unit, corpus))

    def _of(self, a: int, z: int) -> Iterator[Array]:
        """Yield the surprisals of steps a up to z in blocks."""
        return blocks(self.surprisal[a:z])

    def _spans(self) -> list[tuple[int, int]]:
        return list(zip(self.offsets[:-1].tolist(), self.offsets[1:].tolist(), strict=True))
