"""Calibration: whether intervals hold the share of values that they promise, by the probability integral transform."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ostinato.data.batching import Batch, Piece, bucketed, pieces, whole
from ostinato.data.encoded import Encoded
from ostinato.emissions.conditional import Conditional
from ostinato.emissions.emission import Support
from ostinato.model import SequenceModel
from ostinato.shapes import Array

#: (sequence, first, stop) of the judged steps, in model space.
Spans = list[tuple[int, int, int]]
#: The number of steps that is enough: a share then has an error of a quarter of a percent.
ENOUGH = 60_000


@dataclass(frozen=True)
class Calibration:
    """The PIT u of one-step predictions, which is uniform on [0, 1] and independent if P(x_t | x_<t) is true.

    Attributes:
        pit: P(X < x) + v P(X = x) with v uniform on [0, 1] (Brockwell 2007, eq. 1); P(X <= x) for a density, (N,). All
            channels together, without the missing values.
        ranked: Whether the values are symbols. They are ranked by falling probability, so u is near 1 for an unlikely
            symbol.
        steps: The number of judged steps, of which ``pit`` may be a part.
    """

    pit: Array
    ranked: bool
    steps: int

    def coverage(self, level: float) -> float:
        """Return the share of values in their central interval, or of symbols in the set of the likeliest ones.

        Args:
            level: The probability of the interval or the set, 0 to 1.
        """
        inside = self.pit <= level if self.ranked else np.abs(self.pit - 0.5) <= level / 2
        return float(inside.mean())

    def histogram(self, bins: int = 10) -> Array:
        """Return the share of values in each of equally wide bins, (bins,); about 1 / bins if calibrated.

        Args:
            bins: The number of bins.
        """
        return np.histogram(self.pit, bins, (0.0, 1.0))[0] / len(self.pit)


@torch.inference_mode()
def calibrate(model: SequenceModel, encoded: Encoded, spans: Spans, *, seed: int = 0) -> Calibration:
    """Return the PIT of the judged steps, which are unrolled in pieces as in a fit.

    Args:
        model: A model with a likelihood.
        encoded: The data in model space.
        spans: The judged steps.
        seed: The seed of the randomisation v.
    """
    steps = sum(z - a for _, a, z in spans)
    generator = torch.Generator().manual_seed(seed)
    out = [
        _pit(model.unroll(batch.x)[0], batch, generator).cpu()
        for batch in (whole(encoded, group).to(model.device) for group in bucketed(judged(spans), 16_384, None))
    ]
    pit = torch.cat(out).double().numpy() if out else np.zeros(0)
    return Calibration(pit, model.emission.symbolic, steps)


def judged(spans: Spans) -> list[Piece]:
    """Return pieces of the spans, each with the steps before it as its past.

    From ``ENOUGH`` steps on pieces are left out, evenly over the spans.

    Args:
        spans: The judged steps.
    """
    items = pieces(spans, 2048, 256)
    return items[:: max(1, sum(p.stop - p.counted for p in items) // ENOUGH)]


def _pit(conditional: Conditional, batch: Batch, generator: torch.Generator) -> Tensor:
    """Return the PIT of the counted values of a batch, (n,)."""
    support = Support(batch.unit, batch.low, batch.high)
    v = torch.rand(batch.x.shape, generator=generator, dtype=torch.float64).to(batch.x.device)
    if conditional.emission.symbolic:
        p = conditional.params.double().softmax(-1)
        own = p.gather(-1, batch.x.clamp(min=0).unsqueeze(-1))
        likelier = torch.where(p > own, p, 0.0).sum(-1)
        # equally likely symbols have a random order
        tied = torch.where(p == own, p, 0.0).sum(-1)
        u = likelier + v * tied
    else:
        upper = conditional.cdf(batch.x, support).double()
        lower = torch.where(support.unit > 0, conditional.cdf(batch.x - support.unit, support).double(), upper)
        u = lower + v * (upper - lower)
    return u[batch.weight].clamp(0.0, 1.0)
