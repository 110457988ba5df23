"""The combination of methods: quantiles averaged with weights from held-out windows, and calibrated.

The best entries of forecasting competitions are combinations (Makridakis et al. 2020), and quantiles, not densities,
are averaged (Vincentization; Lichtendahl, Grushka-Cockayne and Winkler 2013), which leaves their distribution as
sharp as its members.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

from ostinato.emissions.quantiles import MEDIAN
from ostinato.local.calibrate import Factors, calibrate, log_error_ratio
from ostinato.local.held_out import Windows, hold_out
from ostinato.local.panel import Ahead, Fit, Fitted, Panel
from ostinato.local.positions import shares, with_shares
from ostinato.local.weights import finite_losses, in_units, relative_losses, weigh, weigh_without
from ostinato.numbers import counted
from ostinato.shapes import Array

#: The greatest number of held-out windows of a series.
_WINDOWS = 5
#: The doubt in a single window: what a relative loss of N windows may be off by beyond two standard errors, times N.
_DOUBT = 2.0


@dataclass(frozen=True)
class Judged:
    """What the held-out windows say for one horizon.

    Attributes:
        weights: The weights of the members, (S, M); the weights of a series sum to 1.
        factors: The factors of the intervals.
        shares: The size of errors at each position of the season from the end of each series on, (S, m).
        windows: The number of windows of each series, (S,).
        verdict: Why the members have these weights.
    """

    weights: Array
    factors: Factors
    shares: Array
    windows: NDArray[np.int64]
    verdict: str


@final
@dataclass(frozen=True)
class Combination:
    """Members that were fitted to a panel, whose weights and intervals follow from held-out windows of the horizon.

    Attributes:
        panel: The series.
        members: The methods by name.
        fitted: The members, fitted to the whole panel.
    """

    panel: Panel
    members: Mapping[str, Fit]
    fitted: tuple[Fitted, ...]
    _judged: dict[int, Judged] = field(default_factory=dict, repr=False)

    def judged(self, horizon: int) -> Judged:
        """Return the weights and factors for a horizon.

        Args:
            horizon: The number of steps H to forecast.
        """
        if horizon not in self._judged:
            self._judged[horizon] = _judge(self.panel, self.members, horizon)
        return self._judged[horizon]

    def ahead(self, horizon: int, probabilities: Array) -> Ahead:
        """Forecast from the end of every series.

        Args:
            horizon: The number of steps H to forecast.
            probabilities: The increasing probabilities of the quantiles, (Q,).
        """
        judged = self.judged(horizon)
        asked = np.union1d(probabilities, [0.5])
        said = [fitted.ahead(horizon, asked) for fitted in self.fitted]
        point = mix(np.stack([one.point[..., None] for one in said]), judged.weights)[..., 0]
        quantiles = mix(np.stack([one.quantiles for one in said]), judged.weights)
        median = quantiles[..., int(np.searchsorted(asked, 0.5))]
        wide = judged.factors.widen(with_shares(quantiles, median, judged.shares), median, asked)
        return Ahead(point, wide[..., np.isin(asked, probabilities)])

    def description(self, s: int) -> str:
        """Return the members of series ``s`` with their weights, and the number of windows that these stand on."""
        # of several members the form is named, not the parameters: ETS(A,N,N), but DOT for DOT(theta 1, alpha 0.99)
        # two members may differ in their seasons alone, so these stay: seasons(24, 168)
        names = [re.sub(r" moving [^,)]+", "", one.description(s)) for one in self.fitted]
        names = [re.sub(r"(?<!seasons)\([^()]* [^()]*\)", "", name) for name in names]
        names = [f"({name})" if " + " in name else name for name in names]  # a sum of its own, such as seasons + AR
        if not self._judged:
            return "the combination of " + ", ".join(names)
        judged = next(reversed(self._judged.values()))
        order = np.argsort(-judged.weights[s], kind="stable")
        parts = [f"{judged.weights[s, m]:.2f} {names[m]}" for m in order if judged.weights[s, m] >= 0.005]
        windows = counted(int(judged.windows[s]), "held-out window")
        return f"{' + '.join(parts)}, by {windows} of this series; {judged.verdict}"


def combine(panel: Panel, members: Mapping[str, Fit]) -> Combination:
    """Fit members to a panel.

    Args:
        panel: The series.
        members: The methods by name, the simplest first.
    """
    return Combination(panel, members, tuple(fit(panel) for fit in members.values()))


@final
@dataclass(frozen=True)
class Parts:
    """A panel whose series are of several kinds, each kind with a combination, or a method, of its own.

    Attributes:
        rows: The indices of the series of each part.
        parts: The combinations and methods.
    """

    rows: tuple[NDArray[np.int64], ...]
    parts: tuple[Fitted, ...]

    def ahead(self, horizon: int, probabilities: Array) -> Ahead:
        """Forecast from the end of every series: see ``Combination.ahead``."""
        S = sum(len(rows) for rows in self.rows)
        point, quantiles = np.empty((S, horizon)), np.empty((S, horizon, len(probabilities)))
        for rows, part in zip(self.rows, self.parts, strict=True):
            said = part.ahead(horizon, probabilities)
            point[rows], quantiles[rows] = said.point, said.quantiles
        return Ahead(point, quantiles)

    def description(self, s: int) -> str:
        """Return what its part says of series ``s``."""
        for rows, part in zip(self.rows, self.parts, strict=True):
            at = int(np.searchsorted(rows, s))
            if at < len(rows) and rows[at] == s:
                return part.description(at)
        raise IndexError(s)


def combine_by_kind(
    panel: Panel, kind: Callable[[Array, Sequence[int]], str], members: Mapping[str, Mapping[str, Fit]]
) -> Parts:
    """Fit the members of its kind to each series. Series of one kind share nothing with those of another.

    A single member is used as it is: there is nothing to weigh, and its intervals are its own.

    Args:
        panel: The series.
        kind: A function from a series and the seasons of the panel to the name of its kind.
        members: The methods of each kind, by name.
    """
    kinds = np.array([kind(y, panel.seasons) for y in panel.values])
    found = [(key, np.flatnonzero(kinds == key)) for key in members]
    used = [(key, rows) for key, rows in found if len(rows)]
    parts: list[Fitted] = []
    for key, rows in used:
        part, methods = Panel(tuple(panel.values[s] for s in rows), panel.seasons), members[key]
        parts.append(combine(part, methods) if len(methods) > 1 else next(iter(methods.values()))(part))
    return Parts(tuple(rows for _, rows in used), tuple(parts))


def mix(said: Array, weights: Array) -> Array:
    """Return the weighted mean of the members' quantiles, between the least and the greatest of them, (..., H, Q).

    A member whose forecast of a series is not finite loses its weight there.

    Args:
        said: The quantiles of the members, (M, S, H, Q).
        weights: The weights of the members, (S, M).
    """
    usable = np.isfinite(said).all(axis=(-2, -1)).T
    share = np.where(usable, weights, 0.0)
    share = np.where(share.sum(axis=1, keepdims=True) > 0, share, usable)
    share /= share.sum(axis=1, keepdims=True)
    counts = share.T[..., None, None] > 0
    used, low, high = (said,) * 3 if counts.all() else (np.where(counts, said, x) for x in (0.0, np.inf, -np.inf))
    mean = np.einsum("sm,mshq->shq", share, used)
    return np.asarray(np.clip(mean, low.min(axis=0), high.max(axis=0)))


def _judge(panel: Panel, members: Mapping[str, Fit], horizon: int) -> Judged:
    """Return the weights and the factors that held-out windows give."""
    S, windows = len(panel), hold_out(panel, list(members.values()), horizon, _WINDOWS)
    if len(windows):
        weights, held = weigh(windows, S), weigh_without(windows)
        said = mix(windows.quantiles, held)
        best, verdict = compare(windows, said, tuple(members))
        if best is not None:
            weights, held = (np.broadcast_to(np.eye(len(members))[best], w.shape) for w in (weights, held))
            said = mix(windows.quantiles, held)
    else:
        weights, held = np.full((S, len(members)), 1 / len(members)), np.empty((0, len(members)))
        verdict = "equal weights, because no series has room for a held-out window"
        said = mix(windows.quantiles, held)
    said = with_shares(said, said[..., MEDIAN], windows.shares)
    lengths = np.array([len(y) for y in panel.values], dtype=np.int64)
    factors = calibrate(windows, said, S, log_error_ratio(windows, said, held, lengths))
    count = np.bincount(windows.series, minlength=S).astype(np.int64)
    return Judged(weights, factors, shares(panel.values, panel.seasons), count, verdict)


def compare(windows: Windows, said: Array, names: tuple[str, ...]) -> tuple[int | None, str]:
    """Return the member that is better than the combination beyond doubt, or None, and what the windows say.

    Few windows do not outweigh the experience that combinations are better, so a member must be better by two standard
    errors and by ``_DOUBT`` / N. The sum is what the difference may be off by, and what the words name.

    Args:
        windows: The N held-out windows.
        said: The quantiles of the combination for them, with weights found without the window, (N, H, Q).
        names: The names of the M members.
    """
    N, relative = len(windows), relative_losses(windows)
    best = int(relative.mean(axis=1).argmin())
    combined = in_units(windows.loss(said), finite_losses(windows).mean(axis=0))
    gain = relative[best] - combined
    off = float(2 * np.sqrt(gain.var() / N) + _DOUBT / N)
    loss = relative[best].mean()
    if loss == 0:
        return None, f"{names[best]} makes no error (windows: {N})"
    share, doubt = gain.mean() / loss, off / loss
    kind = "better" if share >= 0 else "worse"
    words = f"the combination is {abs(share):.1%} {kind} than {names[best]} (give or take {doubt:.0%}, windows: {N})"
    if doubt > 1 and share > -doubt:
        words = f"held-out windows are too few to tell whether {names[best]} alone is better (windows: {N})"
    elif doubt > 1:
        words = f"the combination is {kind} than {names[best]} (windows: {N})"
    return (best, words) if gain.mean() < -off else (None, words)
