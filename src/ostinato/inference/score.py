"""score: the log-likelihood of sequences under a model, step by step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato.data.alphabet import Alphabet
from ostinato.data.batching import Piece, aligned
from ostinato.data.encoded import Encoded
from ostinato.data.sequences import SequenceSet
from ostinato.emissions.emission import Support
from ostinato.inference.inputs import as_sequences
from ostinato.model import SequenceModel
from ostinato.shapes import State


@dataclass(frozen=True)
class Scores:
    """What a model says of data.

    surprisal  (N,): -log P(x_t | x_<t) of every step in nats, in the data's own units, NaN where nothing was observed;
               where the end of a sequence is an event it is a step too
    offsets    (B + 1): sequence b is surprisal[offsets[b]:offsets[b + 1]]
    """

    data: SequenceSet
    surprisal: NDArray[np.float64]
    offsets: NDArray[np.int64]

    @property
    def log_prob(self) -> NDArray[np.float64]:
        """(B,): log P of each sequence, in nats."""
        return np.array([-float(np.nansum(self.surprisal[a:z])) for a, z in self._spans()])

    @property
    def steps(self) -> NDArray[np.int64]:
        """(B,): scored steps of each sequence."""
        return np.array([int(np.isfinite(self.surprisal[a:z]).sum()) for a, z in self._spans()], dtype=np.int64)

    @property
    def nats_per_step(self) -> float:
        """-log P a step, over everything; NaN where nothing was scored."""
        total = int(self.steps.sum())
        return -float(self.log_prob.sum()) / total if total else math.nan

    @property
    def bits_per_step(self) -> float:
        """The same in bits."""
        return self.nats_per_step / math.log(2)

    def most_surprising(self, count: int = 5) -> list[tuple[str, int, float]]:
        """(unique_id, step from 0, nats) of the least likely steps, the worst first."""
        ranked = np.argsort(-np.nan_to_num(self.surprisal, nan=-np.inf), kind="stable")[:count]
        out = []
        for i in ranked.tolist():
            if np.isfinite(self.surprisal[i]):
                b = int(np.searchsorted(self.offsets, i, side="right")) - 1
                out.append((self.data.ids[b], i - int(self.offsets[b]), float(self.surprisal[i])))
        return out

    def label(self, row: int, step: int) -> str:
        """The value at a step of a sequence, for a person to read."""
        values = self.data[row]
        if step >= len(values):
            return "the end"
        if self.data.kind == "text":
            return repr(chr(int(values[step, 0])))
        return ", ".join(f"{v:.6g}" for v in values[step])

    def _spans(self) -> list[tuple[int, int]]:
        return list(zip(self.offsets[:-1].tolist(), self.offsets[1:].tolist(), strict=True))


@torch.inference_mode()
def score(model: SequenceModel, data: SequenceSet | Any) -> Scores:
    """Score data (a SequenceSet, or anything that ``read`` takes) by model; each sequence from its own start.

    Raises ModelFileError where the data are of another kind or have other channels than the model's.
    """
    data = as_sequences(model, data)
    encoded = model.encoding.encode(data)
    surprisal = np.full(len(encoded.values), np.nan)
    lengths = encoded.lengths
    # longest first, so that few rows idle at the end
    items = [Piece(b, 0, 0, int(lengths[b])) for b in np.argsort(lengths, kind="stable") if lengths[b]]
    rows = max(1, min(512, 16_384 // max(1, int(np.median(lengths[lengths > 0])) if items else 1), len(items) or 1))
    state: State | None = None
    for batch in aligned(encoded, items, rows, window_of(model)):
        initial = model.initial_state(len(batch.rows))
        if state is not None:
            state = tuple(
                torch.where(batch.reset.view(-1, *[1] * (s.dim() - 1)), i, s)
                for i, s in zip(initial, state, strict=True)
            )
        conditional, state = model.unroll(batch.x, state if state is not None else initial)
        x = batch.x if batch.x.dtype == torch.int64 else batch.x.nan_to_num(0.0)
        nats = conditional.log_prob(x, Support(batch.unit, batch.low, batch.high)).double()
        joint = torch.where(batch.weight, nats, torch.zeros_like(nats)).sum(-1).numpy()
        for b, (row, start) in enumerate(zip(batch.rows, batch.starts, strict=True)):
            if row >= 0:
                take = min(len(joint), int(lengths[row]) - start)
                at = int(encoded.offsets[row]) + start
                surprisal[at : at + take] = -joint[:take, b]
    return Scores(data, _in_units(surprisal, encoded), encoded.offsets)


def _in_units(surprisal: NDArray[np.float64], encoded: Encoded) -> NDArray[np.float64]:
    """From model space to the data's own units; NaN where nothing was observed."""
    observed = encoded.observed
    measure = torch.where(observed, encoded.log_measure, torch.zeros(())).sum(-1).double().numpy()
    return np.where(observed.any(-1).numpy(), surprisal - measure, np.nan)


def window_of(model: SequenceModel) -> int:
    """Steps to unroll at a time: memory is a window's, however long the sequence."""
    width = model.encoding.size if isinstance(model.encoding, Alphabet) else 64
    return max(64, min(1024, 131_072 // width))
