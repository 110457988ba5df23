"""The truncation window that keeps the gradient's bias under a bound, measured on stretches of the training data."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.data.batching import Batch, Piece, whole
from ostinato.data.encoded import Encoded
from ostinato.emissions.emission import Support
from ostinato.gradients.decay import Decay
from ostinato.gradients.methods import AdaptiveBPTT
from ostinato.inference.backward import norms_at_end
from ostinato.inference.samples import Rows
from ostinato.model import SequenceModel
from ostinato.shapes import State
from ostinato.training.objective import negative_log_likelihood

#: Steps of all stretches together, and the least number of them; steps before each that warm its state.
STEPS, FEWEST, WARM = 16_384, 4, 64
#: Lags at which the gradient's norm is measured.
LAGS = 256


class Bias:
    """The relative bias of the weights' gradient in chunks, ||E g_W - g|| / ||g||, of a model as it is now.

    On stretches of L steps it is exact: their gradient in chunks of W steps against the one in a single chunk. What a
    stretch is too short to show is added by how the gradient's norms decay. From norms alone the bias is overstated,
    for what comes back from different steps partly cancels. Dropout is left out.

    spans (sequence, first, stop) of ``data``: where stretches are drawn from.
    """

    def __init__(
        self,
        model: SequenceModel,
        data: Encoded,
        spans: list[tuple[int, int, int]],
        length: int,
        rng: np.random.Generator,
        steps: int = STEPS,
    ) -> None:
        self.model = model
        self.longest = max(stop - first for _, first, stop in spans)
        self.length = min(length, self.longest)
        self.batch, self.state = _draw(model, data, spans, self.length, max(FEWEST, steps // self.length), rng)
        self.whole = self.gradient(self.length)
        self.decay = Decay.fit(self._norms())
        self._found: dict[int, float] = {}

    def at(self, window: int) -> float:
        """The relative bias with this window; 0 where no sequence is longer."""
        if window >= self.longest:
            return 0.0
        direct = min(window, max(self.length // 2, 1))
        if direct not in self._found:
            self._found[direct] = self.decay.without_end(self.share(direct), direct, self.length)
        lost = self.decay.lost(direct)
        return self._found[direct] * (self.decay.lost(window) / lost if lost else 1.0)

    def share(self, window: int, offsets: int = 4) -> float:
        """The relative bias on the stretches: that of the mean over chunks that end at so many offsets."""
        chunks = [self.gradient(window, max(1, (2 * i + 1) * window // (2 * offsets))) for i in range(offsets)]
        size = float(self.whole.norm())
        return float((torch.stack(chunks).mean(0) - self.whole).norm()) / size if size else 0.0

    def gradient(self, window: int, offset: int = 0) -> Tensor:
        """(N,): the gradient of the stretches' loss with respect to all N weights, in chunks.

        Chunks end at offset, offset + window, ..., and with the stretch.
        """
        weights = [p for p in self.model.parameters() if p.requires_grad]
        total, state = torch.zeros(sum(p.numel() for p in weights)), self.state
        for first, stop in pairwise([0, *range(offset or window, self.length, window), self.length]):
            loss, after = negative_log_likelihood(self.model, _steps(self.batch, first, stop), state)
            found = torch.autograd.grad(loss, weights, allow_unused=True, materialize_grads=True)
            total += torch.cat([g.flatten() for g in found])
            state = tuple(s.detach() for s in after)
        return total

    def _norms(self) -> NDArray[np.float64]:
        """(K,): the mean norm of dL_t/dh_{t-k} over the stretches' last steps, all layers together."""
        batch = self.batch
        lengths = torch.full((len(batch.rows),), self.length)
        support = Support(batch.unit, batch.low, batch.high)
        rows = Rows(batch.x, lengths, batch.weight, torch.zeros_like(batch.weight, dtype=batch.unit.dtype), support)
        layers = torch.stack(norms_at_end(self.model, rows, min(self.length, LAGS)))
        return np.asarray(layers.double().square().sum(0).sqrt().nanmean(1).nan_to_num(0.0).numpy())


def choose(
    model: SequenceModel,
    data: Encoded,
    spans: list[tuple[int, int, int]],
    method: AdaptiveBPTT,
    window: int,
    rng: np.random.Generator,
) -> tuple[int, float]:
    """The least window that keeps the bias under ``method.bias``, by doubling and halving; and its bias."""
    model.eval()
    found = Bias(model, data, spans, max(4 * window, 128), rng)
    # where it explodes over a stretch, it would with a longer window too
    finite = bool(found.whole.isfinite().all())
    while finite and found.at(window) > method.bias and window < method.longest:
        window = min(2 * window, method.longest)
    while finite and window > method.shortest and found.at(max(window // 2, method.shortest)) <= method.bias:
        window = max(window // 2, method.shortest)
    bias = found.at(window) if finite else 1.0
    model.train()
    return window, bias


def describe(name: str, method: AdaptiveBPTT, windows: list[tuple[int, int, float]]) -> str:
    """A history of (step, window, bias) in a sentence."""
    if not windows:
        return f"{name} was trained with a truncation window of {method.window} steps: too briefly to measure its bias"
    path = [method.window, *(window for _, window, _ in windows)]
    turns = [w for i, w in enumerate(path) if i == 0 or w != path[i - 1]]
    step, _, bias = windows[-1]
    over = f", over the {method.bias:.1%} asked for" if bias > method.bias else ""
    return (
        f"{name} was trained with a truncation window of {', then '.join(str(w) for w in turns)} steps; "
        f"the bias that it left in the gradient was {bias:.1%}, estimated at step {step}{over}"
    )


def _draw(
    model: SequenceModel,
    data: Encoded,
    spans: list[tuple[int, int, int]],
    length: int,
    rows: int,
    rng: np.random.Generator,
) -> tuple[Batch, State]:
    """At most so many stretches of the spans, and the state before each; no two overlap, for that would be noise."""
    sizes = np.array([stop - first for _, first, stop in spans])
    ends, shift = (sizes // length).cumsum(), rng.random()
    starts = []
    for place in np.sort(rng.choice(ends[-1], size=min(rows, ends[-1]), replace=False)):
        i = int(np.searchsorted(ends, place, side="right"))
        row, first, _ = spans[i]
        slack = int(shift * (sizes[i] % length + 1))
        starts.append((row, first, first + slack + int(place - ends[i] + sizes[i] // length) * length))
    before = whole(data, [Piece(row, max(first, a - WARM), a, a) for row, first, a in starts])
    state = model.initial_state(len(starts))
    if len(before.x):
        lengths = torch.tensor([min(WARM, a - first) for _, first, a in starts])
        with torch.no_grad():
            state = model.unroll(before.x, state, lengths)[1]
    return whole(data, [Piece(row, a, a, a + length) for row, _, a in starts]), state


def _steps(batch: Batch, first: int, stop: int) -> Batch:
    return Batch(
        batch.x[first:stop],
        batch.weight[first:stop],
        batch.reset,
        batch.unit,
        batch.low,
        batch.high,
        batch.rows,
        batch.starts,
    )
