"""The truncation window that keeps the bias of the gradient under a bound, measured on stretches of the data."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ostinato.data.batching import WARM, Batch, Piece, whole
from ostinato.data.encoded import Encoded
from ostinato.diagnosis.gradient import norms_at_end
from ostinato.diagnosis.stretches import StretchBatch
from ostinato.emissions.emission import Support
from ostinato.gradients.decay import Decay
from ostinato.gradients.methods import AdaptiveBPTT
from ostinato.model import SequenceModel
from ostinato.numbers import counted
from ostinato.shapes import Array, State
from ostinato.training.objective import negative_log_likelihood

#: The steps of all stretches together, and the fewest stretches.
STEPS, FEWEST = 16_384, 4
#: The fewest steps of a stretch: the terms from before its start are lost.
SHORTEST = 1024
#: The number of groups of stretches, whose gradients are independent of one another.
GROUPS = 4
#: The number of lags at which the norm of the gradient is measured.
LAGS = 256


class Bias:
    """The relative bias of the gradient in chunks, ||E g_W - g|| / ||g||, with the present weights of a model.

    On stretches of L steps the bias is exact: the gradient in chunks of W steps is compared with that in a single
    chunk. The part from beyond a stretch is estimated by the decay of the norms of the gradient. Norms alone would
    overstate the bias, because the gradients of different steps partly cancel. Dropout is off.

    Near an optimum the random choice of the stretches adds more to a norm than the bias does, and ``norm`` removes it.

    Args:
        model: The model, in evaluation mode.
        data: The encoded data.
        spans: The spans that the stretches are drawn from: (sequence, first, stop).
        length: The number of steps of a stretch.
        rng: The generator of the draw.
        steps: The number of steps of all stretches together.
        groups: The number of groups of stretches.
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
        """Return the relative bias with a window; 0 if no sequence is longer than the window."""
        if window >= self.longest:
            return 0.0
        direct = min(window, max(self.length // 2, 1))
        if direct not in self._found:
            self._found[direct] = self.decay.without_end(self.share(direct), direct, self.length)
        lost = self.decay.lost(direct)
        return self._found[direct] * (self.decay.lost(window) / lost if lost else 1.0)

    def share(self, window: int, offsets: int = 2) -> float:
        """Return the relative bias on the stretches, from chunks that end at several offsets in each group."""
        # if the gradient is hidden by chance, the observed norm is used, so that the bias is not divided by almost 0
        size = max(norm(self.whole, self.drawn), 0.5 * float(self.whole.mean(0).norm()))
        return norm(self.missed(window, offsets), self.drawn) / size if size else 0.0

    def missed(self, window: int, offsets: int = 2) -> Tensor:
        """Return E g_W - g of each group, (G, N): a mean over offsets of the chunks that differ from group to group."""
        ends = torch.arange(offsets * len(self.groups)).view(offsets, -1)
        ends = ((ends + 0.5) * window / ends.numel()).long().clamp(min=1)
        return torch.stack([self.gradient(window, row.tolist()) for row in ends]).mean(0) - self.whole

    def gradient(self, window: int, ends: list[int] | None = None) -> Tensor:
        """Return the gradient of each group's loss with respect to all N weights, computed in chunks.

        Args:
            window: The number of steps of a chunk.
            ends: The end of the first chunk of each group; the last chunk ends with the stretch.

        Returns:
            The gradients, (G, N).
        """
        ends = ends or [window] * len(self.groups)
        return torch.stack([self._gradient(*group, window, end) for group, end in zip(self.groups, ends, strict=True)])

    def _gradient(self, batch: Batch, state: State, window: int, end: int) -> Tensor:
        weights = [p for p in self.model.parameters() if p.requires_grad]
        total = torch.zeros(sum(p.numel() for p in weights), device=self.model.device)
        for first, stop in pairwise([0, *range(end, self.length, window), self.length]):
            loss, after = negative_log_likelihood(self.model, batch.steps(first, stop - first), state)
            found = torch.autograd.grad(loss / len(batch.rows), weights, allow_unused=True, materialize_grads=True)
            total += torch.cat([g.flatten() for g in found])
            state = tuple(s.detach() for s in after)
        return total

    def _norms(self) -> Array:
        """Return the mean norm of dL_t/dh_{t-k} at the last steps of the stretches, all layers together, (K,)."""
        found = []
        for batch, _ in self.groups:
            lengths = torch.full((len(batch.rows),), self.length, device=batch.x.device)
            support = Support(batch.unit, batch.low, batch.high)
            rows = StretchBatch(
                batch.x, lengths, batch.weight, torch.zeros_like(batch.weight, dtype=batch.unit.dtype), support
            )
            layers = torch.stack(norms_at_end(self.model, rows, min(self.length, LAGS)))
            found.append(layers.double().square().sum(0).sqrt())
        return np.asarray(torch.cat(found, dim=1).nanmean(1).nan_to_num(0.0).cpu().numpy())


def norm(vectors: Tensor, drawn: float) -> float:
    """Return the norm of the mean over all stretches, estimated from the stretches that were drawn.

    The squared norm of the mean of the drawn stretches contains the variance of the draw, unless all were drawn. The
    mean inner product of two different groups contains none of it (a negative one counts as 0). The correction for a
    finite population lies between the two.

    Args:
        vectors: The mean of each group of drawn stretches, (G, N).
        drawn: The share of all stretches that was drawn.
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
    """Return the smallest window that keeps the bias under the bound, and its bias.

    Args:
        model: The model, which is in training mode again afterwards.
        data: The encoded data.
        spans: The spans of the training part: (sequence, first, stop).
        method: The bound of the bias and the bounds of the window.
        window: The present window, which is doubled and halved.
        rng: The generator of the stretches.
    """
    model.eval()
    found = Bias(model, data, spans, max(4 * window, SHORTEST), rng)
    # a gradient that explodes over a stretch would explode with a longer window too
    finite = bool(found.whole.isfinite().all())
    while finite and found.at(window) > method.bias and window < method.longest:
        window = min(2 * window, method.longest)
    while finite and window > method.shortest and found.at(max(window // 2, method.shortest)) <= method.bias:
        window = max(window // 2, method.shortest)
    bias = found.at(window) if finite else 1.0
    model.train()
    return window, bias


def describe(name: str, method: AdaptiveBPTT, windows: list[tuple[int, int, float]]) -> str:
    """Return the truncation windows of a training in a sentence.

    Args:
        name: The backbone.
        method: The method, with its first window and the bound of the bias.
        windows: (step, window, bias) of each measurement.
    """
    if not windows:
        trained = f"{name} was trained with a truncation window of {counted(method.window, 'step')}"
        return f"{trained}, too briefly to measure its bias"
    path = [method.window, *(window for _, window, _ in windows)]
    turns = [w for i, w in enumerate(path) if i == 0 or w != path[i - 1]]
    step, _, bias = windows[-1]
    over = f", over the bound of {method.bias:.1%}" if bias > method.bias else ""
    return (
        f"{name} was trained with a truncation window of {', then '.join(str(w) for w in turns)} steps. At step {step} "
        f"it left an estimated bias of {bias:.1%} in the gradient{over}"
    )


def _draw(
    spans: list[tuple[int, int, int]], length: int, rows: int, rng: np.random.Generator
) -> tuple[list[tuple[int, int, int]], float]:
    """Draw stretches that do not overlap, in random order.

    Args:
        spans: The spans of the data: (sequence, first, stop).
        length: The number of steps of a stretch.
        rows: The greatest number of stretches.
        rng: The generator of the draw.

    Returns:
        (sequence, first step of its span, start) of each stretch, and the share of all stretches that was drawn.
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
    """Return the stretches that begin at ``starts`` as a batch, and the state before each."""
    warm = max(WARM, model.front.reach)
    before = whole(data, [Piece(row, max(first, a - warm), a, a) for row, first, a in starts]).to(model.device)
    state = model.initial_state(len(starts))
    if len(before.x):
        lengths = torch.tensor([min(warm, a - first) for _, first, a in starts], device=model.device)
        with torch.no_grad():
            state = model.unroll(before.x, state, lengths)[1]
    return whole(data, [Piece(row, a, a, a + length) for row, _, a in starts]).to(model.device), state
