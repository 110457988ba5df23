"""DirectModel: quantiles of every step up to the horizon at once, from the last K values of a series.

Unlike a SequenceModel it asserts no P(x_t | x_<t): it draws no paths and scores no sequence. It forecasts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato.description import Description
from ostinato.direct.effects import Effects
from ostinato.direct.inputs import SeriesInputs
from ostinato.direct.network import SegmentNetwork
from ostinato.direct.ridge import design
from ostinato.direct.windows import Windows, WindowSpec
from ostinato.emissions.quantiles import MEDIAN, calibrated
from ostinato.errors import ConfigError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ClosedForm:
    """The closed form: a linear map of the window for the middle, and how its errors were distributed.

    weights     (K + 1, H), of the whole panel;  own: by series, (K + 1, H) float32, where it has weights of its own
    typical     (H): mean absolute error of cross-fitted forecasts, in model space;  deviation: by series, (H)
    shape       (H, Q): quantiles at LEVELS of those errors, over the series' deviation
    effects     of known covariates and the clock, taken out of the windows;  groups: by static words, (K + 1, H)
    """

    window: WindowSpec
    weights: Array
    own: dict[str, NDArray[np.float32]]
    typical: Array
    deviation: dict[str, Array]
    shape: Array
    effects: Effects | None = None
    groups: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    @property
    def horizon(self) -> int:
        """H."""
        return int(self.weights.shape[1])

    def middle(self, windows: Windows, series: str, static: tuple[str, ...] = ()) -> Array:
        """(n, H): the forecast in model space. A series without weights of its own has those of its static words."""
        weights = self.own.get(series, self.groups.get(group(static), self.weights))
        return np.asarray(design(windows.inputs) @ weights)

    def last(self, key: str, y: Array, beside: SeriesInputs | None) -> Windows:
        """The window at the end of y (T,)."""
        if beside is None:
            if self.effects:
                raise ConfigError(
                    "this model has effects of covariates or the clock", fix="use forecast on data with them"
                )
            return self.window.last(y)
        effect = self.effects.of(key, y, beside) if self.effects else None
        return self.window.last(y, effect, beside.past)

    def quantiles(self, middle: Array, series: str, moves: Array | float = 0.0) -> Array:
        """(n, H, Q) in model space, in order; moves (n, H, Q) are the networks'."""
        deviation = self.deviation.get(series, self.typical)
        return np.sort(middle[..., None] + deviation[:, None] * self.shape + moves, axis=-1)


@dataclass(frozen=True)
class DirectModel:
    """The closed form, the networks that move its quantiles, and the calibration of its intervals.

    name      "naive", "seasonal naive", "least squares", or the memory of the networks, such as "gru"
    ids       the series fitted, in the order of the networks' embeddings, from 1
    factors   (Q // 2): see ``quantiles.calibration``
    description  called "direct"; how its data were read and how it was made: the table of candidates, coverage, ...
    """

    name: str
    base: ClosedForm
    networks: tuple[SegmentNetwork, ...]
    ids: tuple[str, ...]
    factors: Array
    description: Description

    @property
    def horizon(self) -> int:
        """H: the farthest step that it forecasts."""
        return self.base.horizon

    def predict(self, series: dict[str, Array], beside: dict[str, SeriesInputs] | None = None) -> tuple[Array, Array]:
        """Point forecasts (B, H) and quantiles (B, H, Q) at LEVELS of what follows each series (T,), in its units.

        The point is the median where there are networks, and the least-squares forecast where there are none. Of a
        series that never goes below 0, neither does. beside: its covariates, where the model has any.
        """
        known = beside or {}
        ends = {key: self.base.last(key, y, known.get(key)) for key, y in series.items()}
        statics = {key: one.static for key, one in known.items()}
        q = calibrated(predicted(self.base, self.networks, self.ids, ends, statics), self.factors)
        points, out = [], []
        for b, (key, w) in enumerate(ends.items()):
            middle = q[b, :, MEDIAN] if self.networks else self.base.middle(w, key, statics.get(key, ()))[0]
            least = 0.0 if self.floored(series[key]) else -np.inf
            points.append(np.maximum(self.base.window.restore(middle[None], w)[0], least))
            out.append(np.maximum(self.base.window.restore(q[b][None], w)[0], least))
        return np.stack(points), np.stack(out)

    def floored(self, y: Array) -> bool:
        """Whether the forecast of what follows y (T,) is kept from going below 0, where nothing else does."""
        return not self.base.window.log and bool(np.nanmin(y) >= 0)


def group(static: tuple[str, ...]) -> str:
    """Static words as one, the key of ``ClosedForm.groups``."""
    return "\x1f".join(static)


def predicted(
    base: ClosedForm,
    networks: tuple[SegmentNetwork, ...],
    ids: tuple[str, ...],
    windows: dict[str, Windows],
    statics: dict[str, tuple[str, ...]],
) -> Array:
    """(N, H, Q): quantiles in model space of these windows, series after series, by the networks' mean moves."""
    number = {key: i + 1 for i, key in enumerate(ids)}
    middles = {key: base.middle(w, key, statics.get(key, ())) for key, w in windows.items()}
    moves: dict[str, Any] = dict.fromkeys(windows, 0.0)
    if networks:
        counts = [len(w.inputs) for w in windows.values()]
        rows = np.repeat([number.get(key, 0) for key in windows], counts)
        given = (
            np.concatenate([w.inputs for w in windows.values()]),
            np.concatenate(list(middles.values())),
            np.concatenate([w.scale[:, 0] for w in windows.values()]),
        )
        parts = np.split(_moves(networks, given, rows), np.cumsum(counts)[:-1])
        moves = dict(zip(windows, parts, strict=True))
    return np.concatenate([base.quantiles(middles[key], key, moves[key]) for key in windows])


@torch.inference_mode()
def _moves(networks: tuple[SegmentNetwork, ...], given: tuple[Array, Array, Array], rows: NDArray[np.int64]) -> Array:
    """(N, H, Q), the mean over the networks, a block at a time."""
    out = []
    for first in range(0, len(rows), 4096):
        some = slice(first, first + 4096)
        tensors = [torch.from_numpy(x[some].astype(np.float32)) for x in given]
        each = [network(*tensors, torch.from_numpy(rows[some])) for network in networks]
        out.append(torch.stack(each).mean(0).double().numpy())
    return np.concatenate(out)
