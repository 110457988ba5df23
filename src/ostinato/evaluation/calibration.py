"""Calibration: whether what is said to happen in 80 of 100 cases does; by the probability integral transform (PIT)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.data.batching import Batch, Piece, bucketed, pieces, whole
from ostinato.data.encoded import Encoded
from ostinato.emissions.conditional import Conditional
from ostinato.emissions.emission import Support
from ostinato.model import SequenceModel

#: (sequence, first, stop) of the steps that are judged, in model space.
Spans = list[tuple[int, int, int]]
#: Steps that are enough: a share is then known to a quarter of a percent.
ENOUGH = 60_000


@dataclass(frozen=True)
class Calibration:
    """The PIT u of one-step predictions: uniform on [0, 1], and independent, where P(x_t | x_<t) is the truth.

    pit      (N,): P(X < x) + v P(X = x) with v uniform on [0, 1] (Brockwell 2007, eq. 1); of a density it is P(X <= x).
             All channels together; steps that miss their value are left out
    ranked   symbols have no order of their own: theirs is by falling probability, so that a u near 1 is a symbol that
             was thought unlikely
    steps    how many steps the judged spans hold, of which pit may be a part
    """

    pit: NDArray[np.float64]
    ranked: bool
    steps: int

    def coverage(self, level: float) -> float:
        """The share of values in their central interval of this level (0 to 1); of symbols, in the likeliest set."""
        inside = self.pit <= level if self.ranked else np.abs(self.pit - 0.5) <= level / 2
        return float(inside.mean())

    def histogram(self, bins: int = 10) -> NDArray[np.float64]:
        """(bins,): the share of values in each of equally wide bins; 1 / bins everywhere where calibrated."""
        return np.histogram(self.pit, bins, (0.0, 1.0))[0] / len(self.pit)


@torch.inference_mode()
def calibrate(
    model: SequenceModel, encoded: Encoded, spans: Spans, *, seed: int = 0, enough: int = ENOUGH
) -> Calibration:
    """The PIT of the steps in spans, in pieces as fit judges them; of many steps, of about ``enough``.

    The randomisation v is drawn from ``seed``.
    """
    steps = sum(z - a for _, a, z in spans)
    generator = torch.Generator().manual_seed(seed)
    out = [
        _pit(model.unroll(batch.x)[0], batch, generator)
        for batch in (whole(encoded, group) for group in bucketed(judged(spans, enough), 16_384, None))
    ]
    pit = torch.cat(out).double().numpy() if out else np.zeros(0)
    return Calibration(pit, model.emission.symbolic, steps)


def judged(spans: Spans, enough: int = ENOUGH) -> list[Piece]:
    """Pieces of the spans, each given the steps before it as its past; evenly taken of more than enough."""
    items = pieces(spans, 2048, 256)
    return items[:: max(1, sum(p.stop - p.counted for p in items) // enough)]


def _pit(conditional: Conditional, batch: Batch, generator: torch.Generator) -> Tensor:
    """(n,): the PIT of a batch's counted values."""
    support = Support(batch.unit, batch.low, batch.high)
    v = torch.rand(batch.x.shape, generator=generator, dtype=torch.float64)
    if conditional.emission.symbolic:
        p = conditional.params.double().softmax(-1)
        own = p.gather(-1, batch.x.clamp(min=0).unsqueeze(-1))
        likelier = torch.where(p > own, p, 0.0).sum(-1)
        # of symbols that are equally likely, each may come first
        tied = torch.where(p == own, p, 0.0).sum(-1)
        u = likelier + v * tied
    else:
        upper = conditional.cdf(batch.x, support).double()
        lower = torch.where(support.unit > 0, conditional.cdf(batch.x - support.unit, support).double(), upper)
        u = lower + v * (upper - lower)
    return u[batch.weight].clamp(0.0, 1.0)
