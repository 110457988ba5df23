"""Stretches that are sampled from sequences of any length; only these stretches are read, encoded and unrolled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ostinato.data.encoded import Encoded
from ostinato.data.sequences import SequenceSet
from ostinato.data.split import Part, Split
from ostinato.emissions.emission import Support
from ostinato.model import SequenceModel
from ostinato.shapes import Span, State

#: The greatest number of emission parameters of a batch that are held in RAM at one time.
MOST_PARAMETERS = 4_000_000


@dataclass(frozen=True)
class StretchBatch:
    """A batch of B stretches of sequences.

    Attributes:
        x: The values in model space, (T, B, D). Shorter stretches are padded with 0.
        lengths: The length of each stretch in steps, (B,).
        observed: Whether a value is observed, (T, B, D); False in the padding.
        measure: The nats to add to a log density in model space to get it in the units of the data, (T, B, D). See
            ``Encoded.log_measure``.
        support: The support of the values of each stretch.
    """

    x: Tensor
    lengths: Tensor
    observed: Tensor
    measure: Tensor
    support: Support

    def to(self, device: torch.device) -> StretchBatch:
        """Return the batch on a device."""
        x, lengths = self.x.to(device), self.lengths.to(device)
        return StretchBatch(x, lengths, self.observed.to(device), self.measure.to(device), self.support.to(device))


@dataclass(frozen=True)
class Source:
    """A model and data that fit it, with the split of the data.

    Attributes:
        model: The model.
        data: The sequences.
        cut: The training, validation and held-out parts, in steps of model space.
    """

    model: SequenceModel
    data: SequenceSet
    cut: Split

    def spans(self, part: Part) -> list[Span]:
        """Return the stretches that make up a part.

        Args:
            part: The name of the part.
        """
        ends = self.model.encoding.end_symbol is not None and self.data.terminated
        return self.cut.spans(part, self.data.lengths, self.data.lengths + int(ends))

    def encode(self, span: Span) -> Encoded:
        """Return one stretch in model space, without encoding any other data.

        Args:
            span: The stretch.
        """
        (row, first, stop), data = span, self.data
        # a log return needs the price of the step before
        before = int(data.traits.log_returns and first > 0)
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
        """Return stretches as one batch.

        Args:
            spans: The B stretches.
        """
        # of a short series, the same stretch is drawn many times
        distinct = {span: self.encode(span) for span in dict.fromkeys(spans)}
        parts = [distinct[span] for span in spans]
        width = max(len(p.values) for p in parts)
        x = torch.zeros(width, len(parts), parts[0].values.shape[1], dtype=parts[0].values.dtype)
        observed, measure = torch.zeros_like(x, dtype=torch.bool), torch.zeros(x.shape)
        for b, part in enumerate(parts):
            x[: len(part.values), b] = part.values[:]
            observed[: len(part.values), b] = part.observed[:]
            measure[: len(part.values), b] = part.log_measure[:]
        support = Support(*(torch.cat([getattr(p, name) for p in parts]) for name in ("unit", "low", "high")))
        lengths = torch.tensor([len(p.values) for p in parts])
        return StretchBatch(x, lengths, observed, measure, support).to(self.model.device)


@torch.no_grad()
def log_probs(model: SequenceModel, rows: StretchBatch) -> Tensor:
    """Return log P(x_t | x_<t) in nats and in the units of the data, (T, B); NaN if no channel of a step is observed.

    The hidden state at the first step of every stretch is the initial state.

    Args:
        model: The model.
        rows: The B stretches.
    """
    state: State = model.initial_state(rows.x.shape[1])
    window = max(16, MOST_PARAMETERS // (rows.x.shape[1] * model.constant.numel()))
    out = []
    for start in range(0, len(rows.x), window):
        x = rows.x[start : start + window]
        conditional, state = model.unroll(x, state)
        out.append(conditional.log_prob(x, rows.support))
    nats = torch.where(rows.observed, torch.cat(out).double() + rows.measure, 0.0).sum(-1)
    return torch.where(rows.observed.any(-1), nats, torch.nan)


def draw(spans: Sequence[Span], count: int, rng: np.random.Generator, *, before: int = 0) -> list[tuple[int, int]]:
    """Return random steps that have a past, each as the index of its span and the step.

    Args:
        spans: The stretches to draw from.
        count: The number of steps to draw, with replacement.
        rng: The random generator.
        before: The number of steps before each span that may be drawn too.
    """
    firsts = np.array([max(1, first - before) for _, first, _ in spans])
    widths = np.maximum(np.array([stop for *_, stop in spans]) - firsts, 0)
    ends = widths.cumsum()
    if not len(ends) or not ends[-1]:
        return []
    at = np.sort(rng.integers(ends[-1], size=count))
    which = np.searchsorted(ends, at, side="right")
    steps = at - (ends[which] - widths[which]) + firsts[which]
    return list(zip(which.tolist(), steps.tolist(), strict=True))
