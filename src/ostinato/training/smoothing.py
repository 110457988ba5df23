"""The likeliest exponential smoothing of some sequences: every form is fitted at once, and AICc chooses."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit, logit

from ostinato.arguments import whole
from ostinato.data.seasons import season_length
from ostinato.data.sequences import SequenceSet
from ostinato.errors import ConfigError
from ostinato.fits.quasi_newton import minimise
from ostinato.layers.smoothing import Parameters, Smoothing
from ostinato.numbers import counted
from ostinato.ops.ets.choice import unroll_in_use
from ostinato.ops.ets.form import GREATEST, LEAST, PHI, Batch, Form
from ostinato.shapes import Array
from ostinato.wording import option

#: The longest season: the state of a series has 2 + m numbers, and a matrix of them.
LONGEST = 60
#: The steps of each sequence that the parameters are searched on, at least, and the seasons.
STEPS, SEASONS = 400, 12
#: The greatest number of sequences that the parameters are searched on.
ROWS = 60
#: The change of a coordinate that a slope is measured over.
NEAR = 1e-4
#: The first spreads of level, trend and season, as multiples of an innovation, and the greatest logarithm of one.
SPREADS, WIDEST = (5.0, 0.3, 2.0), 9.0
#: The points to start from: alpha, beta / alpha and gamma / (1 - alpha).
STARTS = ((0.1, 0.1, 0.05), (0.4, 0.1, 0.05), (0.4, 0.3, 0.3), (0.8, 0.05, 0.3), (0.95, 0.02, 0.5))
#: What counts as rounding in values of about 1.
ROUNDING = 1e-12


@dataclass(frozen=True)
class SearchedForm:
    """A form of exponential smoothing with additive errors.

    Attributes:
        name: The form in words.
        free: Whether each of alpha, beta, gamma, phi, and the spread of level, trend and season is free, (7,).
    """

    name: str
    free: tuple[bool, ...]

    @property
    def seasonal(self) -> bool:
        """Whether the state has seasons."""
        return self.free[6]

    @property
    def count(self) -> int:
        """The number of parameters, with the variance."""
        return sum(self.free) + 1


def _form(trend: str, *, seasonal: bool) -> SearchedForm:
    """Return the form of a trend: "N", "A", "Ad", or "drift", a trend that never changes."""
    rises, moves, damped = trend != "N", trend in ("A", "Ad"), trend == "Ad"
    name = f"ETS(A,{trend},{'A' if seasonal else 'N'})"
    if trend == "drift":
        name = "SES with drift" + " and season" * seasonal
    return SearchedForm(name, (True, moves, seasonal, damped, True, rises, seasonal))


#: The forms of each model, the simplest first. The Theta method is simple exponential smoothing with a drift (Hyndman
#: and Billah 2003).
FORMS = {
    "ets": tuple(_form(trend, seasonal=seasonal) for seasonal in (False, True) for trend in ("N", "A", "Ad")),
    "theta": (_form("drift", seasonal=False), _form("drift", seasonal=True)),
}


class _Rows(NamedTuple):
    """Sequences of one channel that have the same length and the same steps without a value.

    Attributes:
        y: The values, (R, T). NaN where a value is missing.
        observed: Whether a step has a value, (T,).
    """

    y: Array
    observed: NDArray[np.bool_]


def season_of(data: SequenceSet, season: int | None) -> tuple[int, str]:
    """Return the length of the season, 0 for none, and a note if that of the data is too long; an empty one if not.

    Args:
        data: The sequences as read.
        season: The given length, or None.

    Raises:
        ConfigError: The given season is too long.
    """
    if season is not None and whole("season", season) > LONGEST:
        raise ConfigError(
            f"exponential smoothing has seasons of up to {counted(LONGEST, 'step')}, got {season}",
            fix=f"use {option('--season', 1)} for no season, or a season of at most {counted(LONGEST, 'step')}",
        )
    m, why = season_length(data, season)
    if m > LONGEST:
        longest = f"exponential smoothing takes at most {counted(LONGEST, 'step')}"
        return 0, f"the season of {counted(m, 'step')} {why} is left out: {longest}"
    return (m if m > 1 else 0), ""


def fit_smoothing(name: str, values: Array, offsets: NDArray[np.int64], season: int) -> tuple[Smoothing, list[str]]:
    """Return the likeliest form of exponential smoothing, with parameters for each channel, and notes.

    The likelihood is that of all sequences together: they share the parameters, and each has a level, a trend and
    seasons of its own. The form is the one with the least AICc (Hurvich and Tsai 1989), summed over the channels.

    Args:
        name: "ets" or "theta".
        values: The values of all sequences joined, (N, D), about 1 in size. NaN where a value is missing.
        offsets: Where the sequences begin and end in values, (B + 1,).
        season: The length m of the season in steps; 0 without one.
    """
    lengths = np.diff(offsets)
    m = season if int(lengths.max(initial=0)) > 2 * season else 0
    forms = [form for form in FORMS[name] if m or not form.seasonal]
    steps, notes = max(STEPS, SEASONS * m), []
    sequences = [values[a:z] for a, z in pairwise(offsets) if z - a > 1]
    if any(len(y) > steps for y in sequences):
        notes.append(f"the parameters of smoothing were searched on the newest {counted(steps, 'step')} of a series")
    each = [_rows([y[-steps:, d] for y in sequences]) for d in range(values.shape[1])]
    if left := max(aside for _, aside in each):
        kept = f"{len(sequences) - left:,} of {len(sequences):,} series"
        notes.append(f"the parameters of smoothing were searched on {kept}")
    found = [_fit_forms(rows, forms, m) for rows, _ in each]
    criterion = np.sum([[fit.aicc for fit in fits] for fits in found], axis=0)
    best = int(criterion.argmin())
    chosen = [fits[best] for fits in found]
    form, period = forms[best], m * forms[best].seasonal
    table = torch.from_numpy(np.stack([fit.parameters for fit in chosen]))
    parameters = Parameters(table[:, :4], table[:, 4:])
    sigma = torch.tensor([fit.sigma for fit in chosen], dtype=torch.float64)
    if season and not m:
        short = f"no series is longer than two seasons of {counted(season, 'step')}"
        notes.append(f"{short}, so the smoothing has no season")
    return Smoothing.of(form.name, period, parameters, sigma), notes


class _Fit(NamedTuple):
    """The likeliest parameters (7,) of one form for one channel, with their corrected criterion of Akaike."""

    parameters: Array
    sigma: float
    aicc: float


def _rows(sequences: list[Array]) -> tuple[list[_Rows], int]:
    """Return sequences (T_r,) of one channel, alike ones together, and how many are left out."""
    seen = [y[np.flatnonzero(np.isfinite(y))[0] :] for y in sequences if np.isfinite(y).any()]
    kept = [seen[i] for i in np.unique(np.linspace(0, len(seen) - 1, ROWS).astype(int))] if seen else []
    alike: dict[bytes, list[Array]] = defaultdict(list)
    for y in kept:
        alike[np.isfinite(y).tobytes()].append(y)
    return [_Rows(np.stack(some), np.isfinite(some[0])) for some in alike.values()], len(seen) - len(kept)


def _fit_forms(rows: list[_Rows], forms: list[SearchedForm], m: int) -> list[_Fit]:
    """Return the likeliest parameters of each form for the sequences of one channel.

    Forms without a season are searched apart from those with one, because their states are smaller.
    """
    out: dict[int, _Fit] = {}
    for seasonal in (False, True):
        at = [i for i, form in enumerate(forms) if form.seasonal == seasonal]
        if at:
            out |= zip(at, _fit_alike(rows, [forms[i] for i in at], m * seasonal), strict=True)
    return [out[i] for i in range(len(forms))]


def _fit_alike(rows: list[_Rows], forms: list[SearchedForm], m: int) -> list[_Fit]:
    """Return the likeliest parameters of forms whose states have the same size."""
    free = np.array([form.free for form in forms])
    starts = np.stack([np.tile(_coordinates(start), (len(forms), 1)) for start in STARTS])
    at_start = np.stack([_nats(rows, _parameters(x, free), m)[0] for x in starts])
    first = starts[at_start.argmin(0), np.arange(len(forms))]

    def objective(chosen: NDArray[np.int64], x: Array) -> tuple[Array, Array]:
        """Return minus the log-likelihoods (b,) and their slopes (b, 7) by central differences, in one call."""
        b, p = x.shape
        moves = np.concatenate([np.zeros((1, p)), NEAR * np.eye(p), -NEAR * np.eye(p)])
        points = (x[None] + moves[:, None]).reshape(-1, p)
        nats, _ = _nats(rows, _parameters(points, np.tile(free[chosen], (len(moves), 1))), m)
        there, up, down = np.split(nats.reshape(len(moves), b), [1, 1 + p])
        return there[0], np.ascontiguousarray((up - down).T / (2 * NEAR))

    found = minimise(objective, first, tolerance=1e-3, steps=60)
    parameters = _parameters(found.x, free)
    nats, variance = _nats(rows, parameters, m)
    n = sum(len(part.y) * int(part.observed.sum()) for part in rows)
    out = []
    for i, form in enumerate(forms):
        k = form.count
        penalty = 2.0 * k * n / (n - k - 1) if n > k + 1 else 1e6 * k
        out.append(_Fit(parameters[i], float(np.sqrt(variance[i])), 2 * float(nats[i]) + penalty))
    return out


def _coordinates(start: tuple[float, float, float]) -> Array:
    """Return the coordinates of a start, (7,)."""
    damping = (0.95 - PHI[0]) / (PHI[1] - PHI[0])
    return np.concatenate([logit([*start, damping]), np.log(SPREADS)])


def _parameters(x: Array, free: NDArray[np.bool_]) -> Array:
    """Return alpha, beta, gamma, phi, and the spread of level, trend and season, (C, 7).

    Args:
        x: The coordinates of forms, (C, 7).
        free: Which parameters are free, (C, 7). Else the damping is 1, and all others are 0.
    """
    share = expit(x[:, :4])
    alpha = LEAST + (GREATEST - LEAST) * share[:, 0]
    beta = LEAST + (alpha - LEAST) * share[:, 1]
    gamma = LEAST + (1 - alpha - LEAST) * share[:, 2]
    phi = PHI[0] + (PHI[1] - PHI[0]) * share[:, 3]
    spread = np.exp(np.clip(x[:, 4:], -WIDEST, WIDEST))
    all_of = np.column_stack([alpha, beta, gamma, phi, spread])
    return np.where(free, all_of, [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0])


def _nats(rows: list[_Rows], parameters: Array, m: int) -> tuple[Array, Array]:
    """Return minus the log-likelihood of all sequences at the likeliest variance, and that variance, (C,) each.

    Given the parameters, the errors are linear in the first state x: they are e - Z x. Here e are those after a state
    of 0, and the columns of Z are the predictions for values of 0 after each unit vector. With x ~ N(0, sigma^2 S^2)
    the errors have the covariance sigma^2 (I + Z S^2 Z'), whose determinant and inverse follow from a matrix of the
    size of x (the lemma of Woodbury). A missing value counts as its prediction here; the recurrence that is fitted is
    exact.

    Args:
        rows: The sequences.
        parameters: The parameters of C forms, (C, 7).
        m: The length of the season in steps, or 0.
    """
    spread = np.repeat(parameters[:, 4:], [1, 1, m], axis=1)
    squares, logs, count = np.zeros(len(parameters)), np.zeros(len(parameters)), 0
    for part in rows:
        mean = _predictions(part, parameters, m)
        R, y = len(part.y), part.y[:, part.observed]
        count += y.size
        e, z = y - mean[:, :R], mean[:, R:] * spread[:, :, None]
        lower = np.linalg.cholesky(np.eye(2 + m) + z @ z.transpose(0, 2, 1))
        explained = np.linalg.solve(lower, z @ e.transpose(0, 2, 1))
        squares += (e**2).sum((1, 2)) - (explained**2).sum((1, 2))
        logs += 2 * R * np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(1)
    variance = np.maximum(squares / max(count, 1), 0.0) + ROUNDING
    return 0.5 * (count * (np.log(2 * np.pi * variance) + 1) + logs), variance


def _predictions(part: _Rows, parameters: Array, m: int) -> Array:
    """Return the predictions after a first state of 0, and then those of zeros after unit vectors, (C, R + 2 + m, T).

    The T steps are those with a value.
    """
    C, R, n, T = len(parameters), len(part.y), 2 + m, len(part.observed)
    theta = np.zeros((C, R + n, 6 + m))
    theta[..., :4] = parameters[:, None, :4]
    theta[:, R:, 4:] = np.eye(n)
    y = np.concatenate([part.y, np.where(part.observed, 0.0, np.nan)[None]])
    series = np.tile(np.minimum(np.arange(R + n), R), C)
    batch = Batch(y, series, np.full(len(series), T), np.zeros(len(series)))
    form = Form("A", "Ad", "A" if m else "N")
    found = unroll_in_use()(batch, form, theta.reshape(-1, 6 + m), path=True).mean
    return np.asarray(found.reshape(C, R + n, -1)[..., :T][..., part.observed])
