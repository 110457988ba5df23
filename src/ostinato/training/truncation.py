"""The truncation window that keeps the gradient's bias under a bound, measured on stretches of the training data."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.data.batching import WARM, Batch, Piece, whole
from ostinato.data.encoded import Encoded
from ostinato.diagnosis.gradient import norms_at_end
from ostinato.diagnosis.stretches import StretchBatch
from ostinato.emissions.emission import Support
from ostinato.gradients.decay import Decay
from ostinato.gradients.methods import AdaptiveBPTT
from ostinato.model import SequenceModel
from ostinato.shapes import State
from ostinato.training.objective import negative_log_likelihood

#: Steps of all stretches together, and the least number of them.
STEPS, FEWEST = 16_384, 4
#: Steps of a stretch, at least: where it is cut off from what was before, terms are lost.
SHORTEST = 1024
#: The stretches are dealt into so many groups, whose gradients are independent of one another.
GROUPS = 4
#: Lags at which the gradient's norm is measured.
LAGS = 256


class Bias:
    """The relative bias of the weights' gradient in chunks, ||E g_W - g|| / ||g||, of a model as it is now.

    On stretches of L steps it is exact: their gradient in chunks of W steps against the one in a single chunk. What a
    stretch is too short to show is added by how the gradient's norms decay. From norms alone the bias is overstated,
    for what comes back from different steps partly cancels. Dropout is left out.

    Near an optimum the chance of which stretches are drawn is greater than the bias, and would be taken for it: what it
    adds to a norm is removed (see ``norm``).

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
        groups: int = GROUPS,
    ) -> None:
        self.model = model
        self.longest = max(stop - first for _, first, stop in spans)
        self.length = min(length, self.longest)
        starts, self.drawn = _draw(spans, self.length, max(FEWEST, steps // self.length), rng)
        self.groups = [_stretches(model, data, starts[i::groups], self.length) for i in range(min(groups, len(starts)))]
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

    def share(self, window: int, offsets: int = 2) -> float:
        """The relative bias on the stretches, from chunks that end at so many offsets in each group."""
        # where the gradient is lost in chance, its bias is measured by what is seen of it, not by nothing
        size = max(norm(self.whole, self.drawn), 0.5 * float(self.whole.mean(0).norm()))
        return norm(self.missed(window, offsets), self.drawn) / size if size else 0.0

    def missed(self, window: int, offsets: int = 2) -> Tensor:
        """(G, N): E g_W - g of each group, the mean over chunks with so many ends, other ones in each group."""
        ends = torch.arange(offsets * len(self.groups)).view(offsets, -1)
        ends = ((ends + 0.5) * window / ends.numel()).long().clamp(min=1)
        return torch.stack([self.gradient(window, row.tolist()) for row in ends]).mean(0) - self.whole

    def gradient(self, window: int, ends: list[int] | None = None) -> Tensor:
        """(G, N): the gradient of each group's loss with respect to all N weights, in chunks.

        A group's chunks end at its own of ``ends``, every ``window`` steps from there, and with the stretch.
        """
        ends = ends or [window] * len(self.groups)
        return torch.stack([self._gradient(*group, window, end) for group, end in zip(self.groups, ends, strict=True)])

    def _gradient(self, batch: Batch, state: State, window: int, end: int) -> Tensor:
        weights = [p for p in self.model.parameters() if p.requires_grad]
        total = torch.zeros(sum(p.numel() for p in weights))
        for first, stop in pairwise([0, *range(end, self.length, window), self.length]):
            loss, after = negative_log_likelihood(self.model, batch.steps(first, stop - first), state)
            found = torch.autograd.grad(loss / len(batch.rows), weights, allow_unused=True, materialize_grads=True)
            total += torch.cat([g.flatten() for g in found])
            state = tuple(s.detach() for s in after)
        return total

    def _norms(self) -> NDArray[np.float64]:
        """(K,): the mean norm of dL_t/dh_{t-k} over the stretches' last steps, all layers together."""
        found = []
        for batch, _ in self.groups:
            lengths = torch.full((len(batch.rows),), self.length)
            support = Support(batch.unit, batch.low, batch.high)
            rows = StretchBatch(
                batch.x, lengths, batch.weight, torch.zeros_like(batch.weight, dtype=batch.unit.dtype), support
            )
            layers = torch.stack(norms_at_end(self.model, rows, min(self.length, LAGS)))
            found.append(layers.double().square().sum(0).sqrt())
        return np.asarray(torch.cat(found, dim=1).nanmean(1).nan_to_num(0.0).numpy())


def norm(vectors: Tensor, drawn: float) -> float:
    """The norm of the mean over all stretches, from G groups' means (G, N) of those drawn, a share ``drawn`` of all.

    The square of their mean's norm has in it what chance adds, but where all were drawn. The mean inner product of two
    different groups has none (0 where that is negative); between the two lies the correction for a finite population.
    """
    groups, total = len(vectors), vectors.double()
    seen = float(total.mean(0).square().sum())
    if groups == 1 or math.isnan(seen):
        return math.sqrt(seen)
    between = (groups**2 * seen - float(total.square().sum())) / (groups * (groups - 1))
    return math.sqrt(max(drawn * seen + (1 - drawn) * between, 0.0))


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
    found = Bias(model, data, spans, max(4 * window, SHORTEST), rng)
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
    spans: list[tuple[int, int, int]], length: int, rows: int, rng: np.random.Generator
) -> tuple[list[tuple[int, int, int]], float]:
    """Where at most so many stretches begin, (sequence, first of its span, start), in random order; their share of all.

    No two overlap, for that would be noise.
    """
    sizes = np.array([stop - first for _, first, stop in spans])
    ends, shift = (sizes // length).cumsum(), rng.random()
    starts = []
    for place in rng.choice(ends[-1], size=min(rows, ends[-1]), replace=False):
        i = int(np.searchsorted(ends, place, side="right"))
        row, first, _ = spans[i]
        slack = int(shift * (sizes[i] % length + 1))
        starts.append((row, first, first + slack + int(place - ends[i] + sizes[i] // length) * length))
    return starts, len(starts) / int(ends[-1])


def _stretches(
    model: SequenceModel, data: Encoded, starts: list[tuple[int, int, int]], length: int
) -> tuple[Batch, State]:
    """The stretches that begin there, and the state before each."""
    before = whole(data, [Piece(row, max(first, a - WARM), a, a) for row, first, a in starts])
    state = model.initial_state(len(starts))
    if len(before.x):
        lengths = torch.tensor([min(WARM, a - first) for _, first, a in starts])
        with torch.no_grad():
            state = model.unroll(before.x, state, lengths)[1]
    return whole(data, [Piece(row, a, a, a + length) for row, _, a in starts]), state
