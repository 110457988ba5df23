"""Steps drawn from sequences of any length: only what is drawn is read, encoded and unrolled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ostinato.data.alphabet import Alphabet
from ostinato.data.encoded import Encoded
from ostinato.data.sequences import SequenceSet
from ostinato.data.split import Part, Split
from ostinato.emissions.emission import Support
from ostinato.model import SequenceModel
from ostinato.shapes import State

#: Numbers of a batch's emission parameters at one time.
ROOM = 4_000_000

#: sequence, first step, stop
Span = tuple[int, int, int]


@dataclass(frozen=True)
class StretchBatch:
    """Spans of sequences side by side: x (T, B, D) in model space, padded with 0 beyond lengths (B,).

    observed (T, B, D) is False there and where a value is missing; measure (T, B, D): see Encoded.log_measure.
    """

    x: Tensor
    lengths: Tensor
    observed: Tensor
    measure: Tensor
    support: Support


@dataclass(frozen=True)
class Source:
    """A model with data that it can take, cut as ``fit`` cuts them; steps are those of model space."""

    model: SequenceModel
    data: SequenceSet
    cut: Split

    def spans(self, part: Part) -> list[Span]:
        """(sequence, first, stop) of a part."""
        encoding = self.model.encoding
        ends = isinstance(encoding, Alphabet) and encoding.terminated and self.data.terminated
        return self.cut.spans(part, self.data.lengths, self.data.lengths + int(ends))

    def encode(self, span: Span) -> Encoded:
        """One span in model space, and nothing else of the data."""
        (row, first, stop), data = span, self.data
        before = int(data.traits.log_returns and first > 0)  # a return needs the price before it
        start, end = (int(data.offsets[row]) + i for i in (first - before, min(stop, int(data.lengths[row]))))
        piece = replace(
            data,
            values=data.values[start:end],
            offsets=np.array([0, end - start], dtype=np.int64),
            ids=(data.ids[row],),
            times=None,
            step=None if data.step is None else data.step[row : row + 1],
            terminated=data.terminated and stop > int(data.lengths[row]),
        )
        out = self.model.encoding.encode(piece)
        return replace(out, values=out.values[before:], log_measure=out.log_measure[before:])

    def rows(self, spans: Sequence[Span]) -> StretchBatch:
        """Spans as one batch."""
        parts = [self.encode(span) for span in spans]
        width = max(len(p.values) for p in parts)
        x = torch.zeros(width, len(parts), parts[0].values.shape[1], dtype=parts[0].values.dtype)
        observed, measure = torch.zeros_like(x, dtype=torch.bool), torch.zeros(x.shape)
        for b, part in enumerate(parts):
            x[: len(part.values), b] = part.values
            observed[: len(part.values), b] = part.observed
            measure[: len(part.values), b] = part.log_measure
        support = Support(*(torch.cat([getattr(p, name) for p in parts]) for name in ("unit", "low", "high")))
        return StretchBatch(x, torch.tensor([len(p.values) for p in parts]), observed, measure, support)


@torch.no_grad()
def log_probs(model: SequenceModel, rows: StretchBatch) -> Tensor:
    """Log P(x_t | x_<t) (T, B) in nats and the data's own units, NaN where nothing is observed; from initial states."""
    state: State = model.initial_state(rows.x.shape[1])
    window = max(16, ROOM // (rows.x.shape[1] * model.constant.numel()))
    out = []
    for start in range(0, len(rows.x), window):
        x = rows.x[start : start + window]
        conditional, state = model.unroll(x, state)
        out.append(conditional.log_prob(x, rows.support))
    nats = torch.where(rows.observed, torch.cat(out).double() + rows.measure, 0.0).sum(-1)
    return torch.where(rows.observed.any(-1), nats, torch.nan)


def draw(spans: Sequence[Span], count: int, rng: np.random.Generator, *, before: int = 0) -> list[tuple[int, int]]:
    """Count steps (index into spans, step) at random among those with a past; ``before``: also so far before a span."""
    firsts = np.array([max(1, first - before) for _, first, _ in spans])
    widths = np.maximum(np.array([stop for *_, stop in spans]) - firsts, 0)
    ends = widths.cumsum()
    if not len(ends) or not ends[-1]:
        return []
    at = np.sort(rng.integers(ends[-1], size=count))
    which = np.searchsorted(ends, at, side="right")
    steps = at - (ends[which] - widths[which]) + firsts[which]
    return list(zip(which.tolist(), steps.tolist(), strict=True))
