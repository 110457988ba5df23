"""The steps ahead of every sequence: sample paths, and the quantiles that they or the model's distributions give."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato.data.encoded import Encoded, Encoding
from ostinato.data.sequences import SequenceSet
from ostinato.device import placed
from ostinato.emissions.emission import Support
from ostinato.inference.live.paths import KeptSteps
from ostinato.inference.mixture import mixture_quantiles
from ostinato.inference.parameter_uncertainty import with_uncertainty
from ostinato.inference.rollout import one_step, paths, state_after
from ostinato.model import SequenceModel
from ostinato.numbers import plain
from ostinato.shapes import Array, State
from ostinato.wording import option

#: Rows that are rolled out together: this bounds memory, whatever the size of a panel.
ROWS = 8192
#: Missing steps at the end of a history that are drawn too; the rest of a longer gap is filled by predictions.
GAP = 512
#: A tail with fewer paths than this is read from the mixture of the distributions, and not from the paths alone.
CARRIED = 10
#: The distributions of this many steps are kept for the mixture.
KEPT = 10_000


@dataclass(frozen=True)
class StepsAhead:
    """The steps ahead of one sequence, in the units of the data.

    Attributes:
        paths: The sample paths, (S, T, D).
        point: The mean of each step, or for prices the median, (T, D). One step ahead it is the model's own.
        quantiles: The quantiles, (P, T, D). One step ahead they are the model's own.
        carried: The least effective number of paths in a tail that is read from the mixture; infinity without one.
    """

    paths: Array
    point: Array
    quantiles: Array
    carried: float


@torch.inference_mode()
def steps_ahead(
    model: SequenceModel,
    data: SequenceSet,
    horizon: int,
    p: Array,
    *,
    n_paths: int,
    seed: int,
    state: State | None = None,
) -> list[StepsAhead]:
    """Return the steps after the end of every sequence.

    Args:
        model: A model of numbers.
        data: The B sequences. A series that is new to the model is scaled by its own history.
        horizon: The number T of steps.
        p: The probabilities of the quantiles, (P,).
        n_paths: The number S of sample paths of each sequence.
        seed: The seed of the paths.
        state: The states that the paths go on from, (B, ...) each. Then data are only the last rows before them, in
            which no value is missing at the end, and no series is scaled again.
    """
    encoding, gaps = model.encoding.with_own(data) if state is None else model.encoding, missing_at_the_end(data)
    history = data.cut(np.zeros_like(gaps), data.lengths - gaps)
    encoded, generator = encoding.encode(history), torch.Generator().manual_seed(seed)
    histories = _Histories(history, encoding, encoded, gaps)
    out: list[StepsAhead] = []
    group = max(1, ROWS // n_paths)
    model = placed(model, one_step(group * n_paths), horizon * len(history) / group)
    for first in range(0, len(history), group):
        rows = list(range(first, min(first + group, len(history))))
        begun = state_after(model, encoded, rows) if state is None else tuple(s[rows] for s in state)
        drawn = _Group(model, histories, rows, n_paths, begun)
        out += drawn.ahead(horizon, p, generator)
    return with_uncertainty(model, history, gaps, out) if state is None else out


def missing_at_the_end(data: SequenceSet) -> NDArray[np.int64]:
    """Return the number of steps at the end of each sequence that have no value, at most GAP, (B,)."""
    seen = np.asarray((~np.isnan(data.values.astype(np.float64))).any(axis=1))
    last = [np.flatnonzero(seen[a:z]) for a, z in zip(data.offsets[:-1], data.offsets[1:], strict=True)]
    gaps = [int(n) - (int(at[-1]) + 1 if len(at) else 0) for n, at in zip(data.lengths, last, strict=True)]
    return np.minimum(np.array(gaps, dtype=np.int64), GAP)


def level_notes(level: tuple[float, ...], made: list[StepsAhead], horizon: int, n_paths: int) -> list[str]:
    """Return a note if fewer than five paths carry a tail, with the number of paths that would do."""
    if not level or not made or horizon < 2:
        return []
    tail, name = (1 - max(level) / 100) / 2, plain(max(level))
    least = min(one.carried for one in made)
    if horizon > KEPT and tail * n_paths < CARRIED:
        least = tail * n_paths
    if least >= CARRIED / 2:
        return []
    more = math.ceil(n_paths * CARRIED / max(least, 1e-3) / 1000) * 1000
    return [
        f"at some step, the ends of the {name} % interval rest on about {max(1, round(least))} of {n_paths} sample "
        f"paths (with {option('--n-paths', min(more, 1_000_000))} they are more exact)"
    ]


class _Histories(NamedTuple):
    """All sequences up to their last values.

    Attributes:
        data: The sequences.
        encoding: The map from their raw values to model space.
        encoded: The same in model space.
        gaps: The number of missing steps after the end of each, (B,).
    """

    data: SequenceSet
    encoding: Encoding
    encoded: Encoded
    gaps: NDArray[np.int64]


class _Drawn(NamedTuple):
    """What was drawn of the T steps after the end of one sequence, in model space.

    Attributes:
        z: The sample paths, (S, T, D).
        exact: The quantiles of the distributions, (P, T, D), NaN where the paths alone give them.
        share: The effective number of paths in the tail of each quantile, (P, T, D).
        mean: The mean of the first step, (D,).
    """

    z: Array
    exact: Array
    share: Array
    mean: Array


class _Group:
    """Some sequences that are drawn together: each of B rows has S paths, one after the other."""

    def __init__(
        self, model: SequenceModel, histories: _Histories, rows: list[int], n_paths: int, state: State
    ) -> None:
        self._model, self._encoding, self._history = model, histories.encoding, histories.data
        self._rows, self._gaps, self._n_paths = rows, histories.gaps[rows], n_paths
        self._state = model.repeated(state, n_paths)
        parts = (histories.encoded.unit, histories.encoded.low, histories.encoded.high)
        self._support = Support(*(s[rows].repeat_interleave(n_paths, 0) for s in parts)).to(model.device)

    def ahead(self, horizon: int, p: Array, generator: torch.Generator) -> list[StepsAhead]:
        """Return the steps after the gap of each row; see ``steps_ahead``."""
        steps, far = horizon + int(self._gaps.max()), np.minimum(p, 1 - p) * self._n_paths < CARRIED
        kept = KeptSteps(min(steps, KEPT) if far.any() else 1)
        drawn = paths(self._model, self._state, self._support, steps, generator, keep=kept).double()
        z = drawn.numpy().reshape(steps, len(self._rows), self._n_paths, -1).transpose(1, 2, 0, 3)
        carried = np.stack(
            [self._encoding.carried(one, self._history.ids[b]) for one, b in zip(z, self._rows, strict=True)]
        )
        exact = np.full((len(self._rows), len(p), steps, z.shape[-1]), np.nan)
        share, device = np.full(exact.shape, np.inf), self._model.device
        for t, conditional in enumerate(kept):
            which = np.flatnonzero(far) if t else np.arange(len(p))
            if not len(which):
                continue
            earlier = torch.from_numpy(carried[:, :, t].reshape(-1, z.shape[-1]))
            found, weight = mixture_quantiles(
                conditional,
                self._support,
                drawn[t].to(device),
                earlier.to(device),
                torch.from_numpy(p[which]).to(device),
                len(self._rows),
            )
            exact[:, which, t] = found.cpu().numpy().swapaxes(1, 2)
            if t:
                share[:, which, t] = weight.cpu().numpy().swapaxes(1, 2)
        means = kept[0].mean(self._support)[:: self._n_paths].cpu().double().numpy()
        each = (_Drawn(*one) for one in zip(z, exact, share, means, strict=True))
        return [self._one(i, one, horizon, p) for i, one in enumerate(each)]

    def _one(self, i: int, drawn: _Drawn, horizon: int, p: Array) -> StepsAhead:
        """Return the steps of row i from what was drawn of it."""
        row, gap, (z, exact, share, mean) = self._rows[i], int(self._gaps[i]), drawn
        raw = np.asarray(self._encoding.decode(z, self._history, row), dtype=np.float64)[:, gap : gap + horizon]
        exact, share = exact[:, gap : gap + horizon], share[:, gap : gap + horizon]
        quantiles = np.quantile(raw, p, axis=0) if len(p) else np.zeros((0, *raw.shape[1:]))
        if exact.size:
            steps = np.nan_to_num(exact).reshape(-1, 1, exact.shape[-1])
            own = np.asarray(self._encoding.decode(steps, self._history, row), dtype=np.float64).reshape(exact.shape)
            quantiles = np.where(np.isnan(exact), quantiles, own)
            order = np.argsort(p, kind="stable")
            quantiles[order] = np.sort(quantiles[order], axis=0)
        returns = self._history.traits.log_returns
        # counted from one of them, so that the mean of equal values is exactly that value
        point = np.median(raw, axis=0) if returns else raw[0] + (raw - raw[0]).mean(axis=0)
        # for a share, the mean is that of the sample paths at every step, because the model's own mean is not bounded
        if not gap and not returns and not np.isfinite(self._encoding.greatest()).any():
            point[0] = self._encoding.expected(mean[None], self._history.take([row]))[0]
        return StepsAhead(raw, point, quantiles, float(share.min(initial=np.inf)))
