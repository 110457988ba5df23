"""The adaptive filter, step by step: the reference.

At every step each logistic of the mixture has predicted the value before it is seen. Then, in this order, learn:

- the weights of the logistics, by Bayes' rule with a share handed out equally (Herbster and Warmuth 1998, fixed share);
- their scales, running means of the absolute error (the scale of a Laplace distribution that forgets);
- the coupling: recursive least squares of the channel's error on those of the channels before it at this step;
- the stack: recursive least squares of the value on all predictions;
- the cascade of normalised least mean squares (Haykin 2014, chapter 7), as lossless coders of sound have it;
- recursive least squares with forgetting (Haykin 2014, chapter 10) on the last values of all channels.

A grounded filter counts values from their running mean, which begins at the first value. That value says nothing of how
well anything predicts, so nothing else learns from it. Then the scales are plain means of the errors at first, and
where a value is much louder than all before it, the least squares begin anew, with the variance of a weight that suits
such values. So the first values may lie anywhere and have any scale.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ostinato.ops.filter.form import FilterForm
from ostinato.shapes import Array

#: The mean variance of a weight from which a filter starts anew: it grows without bound while the values are constant.
LARGEST = 1e7
#: The ratio of the scales of two wide logistics.
APART = 64.0
#: Among the first ``EARLY`` values, how much louder than all before it a value must be for the least squares to begin
#: anew. Later, they would lose what is known of the spectrum.
LOUDER, EARLY = 8.0, 16
#: How far beyond the greatest distance from the level a prediction may be.
BEYOND = 4.0
#: The least weight of a value in the running mean.
SLOWEST = 0.002


def fresh(form: FilterForm) -> Array:
    """Return the memory of every channel before the first step of a filter that has learned nothing, (D, N)."""
    memory, at = np.zeros((form.channels, form.size)), form.places()
    for where, square in zip(at["weights"], at["variances"], strict=True):
        memory[:, where.start] = 0.9
        n = where.stop - where.start
        memory[:, square] = (form.prior * np.eye(n)).ravel()
    memory[:, at["stack"][0]] = 1 / form.stacked
    memory[:, at["stack_variances"][0]] = (form.prior * np.eye(form.stacked)).ravel()
    memory[:, at["scales"][0]] = form.scale
    memory[:, at["mixture"][0]] = 1 / form.mixed
    for d in range(form.channels):
        memory[d, at["coupling_variances"][0]][: d * d] = (form.prior * np.eye(d)).ravel()
    return memory


def unroll(
    form: FilterForm, x: Array, memory: Array, rate: NDArray[np.float32], lengths: NDArray[np.int64] | None
) -> Array:
    """Move memory on in place and return what is predicted before each step and after the last, (T + 1, B, D, W).

    Args:
        form: The form.
        x: The values in model space, (T, B, D). NaN where a value is missing.
        memory: The memory, (B, D, N); it is replaced by that after the steps.
        rate: 1 for a row that learns, 0 for a row that only remembers the values, (B,).
        lengths: The steps of each row, (B,); None means T for all.
    """
    T, B, D = x.shape
    out = np.empty((T + 1, B, D, form.width_out))
    for b in range(B):
        row = _Row(form, memory[b])
        out[0, b] = row.predicted()
        for t in range(T):
            if lengths is None or t < lengths[b]:
                row.step(x[t, b], learns=bool(rate[b]))
            out[t + 1, b] = row.predicted()
    return out


def _learn(w: Array, variances: Array, x: Array, error: float, forget: float, prior: float) -> None:
    """Recursive least squares: w and its variances (n, n) move on in place."""
    gain = variances @ x
    power = forget + gain @ x
    w += gain / power * error
    variances[:] = (variances - np.outer(gain / power, gain)) / forget
    if not (np.trace(variances) < LARGEST * len(w)) or not power > 0:
        variances[:] = prior * np.eye(len(w))


@dataclass
class _Row:
    """One sequence: its memory (D, N), which is moved on in place."""

    form: FilterForm
    memory: Array
    at: dict[str, list[slice]] = field(init=False)

    def __post_init__(self) -> None:
        self.at = self.form.places()

    def part(self, d: int, name: str, i: int = 0) -> Array:
        """Return a part of the memory of a channel, as a view."""
        return self.memory[d, self.at[name][i]]

    def locations(self, d: int) -> Array:
        """Return the location of each logistic, in units, (M,)."""
        each, R = self.part(d, "locations"), len(self.form.orders)
        levels = [*each[:R], each[self.form.stacked - 1], each[-1]]
        latest = np.full(self.form.wider, self.part(d, "history")[0])
        return np.concatenate([np.repeat(levels, len(self.form.decays)), each[-1:], latest])

    def scales(self, d: int) -> Array:
        """Return the scale of each logistic, in units, (M,)."""
        grid = self.part(d, "grid")[0] or 1.0
        wide = self.form.wide * APART ** np.arange(1 + self.form.wider)
        return np.append(np.maximum(self.form.width * self.part(d, "scales"), 0.05 * grid), wide)

    def level(self, d: int) -> float:
        """Return what the values of a channel are counted from, in units."""
        return float(self.part(d, "ground")[0]) if self.form.grounded else 0.0

    def prior(self, d: int) -> float:
        """Return the variance of a weight of the least squares that nothing is known of."""
        loudness = self.part(d, "ground")[2] if self.form.grounded else 0.0
        return self.form.prior * min(1.0, (self.form.scale / max(loudness, self.form.scale)) ** 2)

    def spread(self, d: int) -> float:
        """Return the scale that the innovation of a channel is measured in, in units: that of the stack."""
        S = len(self.form.decays)
        return float(self.scales(d)[(len(self.form.orders) + 1) * S + (S > 1)])

    def predicted(self) -> Array:
        """Return what is predicted of the next step, (D, W)."""
        form, out = self.form, np.zeros((self.form.channels, self.form.width_out))
        for d in range(form.channels):
            loc, scale = self.part(d, "locations")[-1], self.spread(d)
            coupling = [g * self.spread(c) / scale for c, g in enumerate(self.part(d, "coupling")[:d])]
            out[d] = np.concatenate(
                [
                    [loc * form.unit, scale * form.unit],
                    np.log(self.part(d, "mixture")),
                    (self.locations(d) - loc) / scale,
                    np.log(self.scales(d) / scale),
                    coupling,
                    np.zeros(form.channels - d),
                ]
            )
        return out

    def step(self, x: Array, *, learns: bool) -> None:
        """Take in the values x (D,) of a step."""
        form, y = self.form, x / self.form.unit
        middle = self.memory[:, self.at["locations"][0]][:, -1].copy()
        missing = np.isnan(y)
        error = np.where(missing, 0.0, y - middle)
        for d in range(form.channels):
            if missing[d]:
                continue
            if learns:
                self.learn(d, float(y[d]), error)
            else:
                self.remember(d, float(y[d]))
        for d in range(form.channels):
            _push(self.part(d, "history"), middle[d] if missing[d] else y[d])
        for d in range(form.channels):
            self.predict(d)

    def learn(self, d: int, y: float, error: Array) -> None:
        """Learn from the value of a channel, in units: everything in the order of the module's list."""
        form = self.form
        if form.lattice:
            whole = abs(round(y))
            low = whole & -whole
            grid = self.part(d, "grid")
            if low and (grid[0] == 0 or low < grid[0]):
                grid[0] = low
        if form.grounded and self.part(d, "seen")[0] == 0:
            error[d] = 0.0
            self.begin(d, y)
            return
        self.part(d, "seen")[0] += 1
        coupling = self.part(d, "coupling")[:d]
        moved = float(coupling @ error[:d])
        self.learn_mixture(d, y - moved)
        if d:
            square = self.part(d, "coupling_variances")[: d * d].reshape(d, d)
            _learn(coupling, square, error[:d], float(error[d]) - moved, form.stack_forget, self.prior(d))
        self.learn_filters(d, y)
        if form.grounded:
            self.settle(d, y)

    def begin(self, d: int, y: float) -> None:
        """Take the first value of a channel as its level."""
        self.part(d, "seen")[0] = 1
        self.part(d, "ground")[0] = y
        self.part(d, "history")[:] = y

    def settle(self, d: int, y: float) -> None:
        """Move the level on, and begin the least squares anew where a value is much louder than all before it."""
        form, ground, seen = self.form, self.part(d, "ground"), self.part(d, "seen")[0]
        ground[0] += max(1 / seen, SLOWEST) * (y - ground[0])
        away = abs(y - ground[0])
        ground[1] = max(ground[1], away)
        if seen > EARLY or not away > LOUDER * max(ground[2], form.scale):
            return
        ground[2] = away
        squares = [self.part(d, "variances", r) for r in range(len(form.orders))]
        for square in [*squares, self.part(d, "stack_variances")]:
            square[:] = (self.prior(d) * np.eye(round(len(square) ** 0.5))).ravel()

    def learn_mixture(self, d: int, v: float) -> None:
        """Learn the weights and the scales of the logistics from a value less what earlier channels explain."""
        form = self.form
        away = np.abs(self.locations(d) - v)
        half, scales = 0.5 * (self.part(d, "grid")[0] or 1.0), self.scales(d)
        cell = _sigmoid((half - away) / scales) - _sigmoid((-half - away) / scales)
        mixture = self.part(d, "mixture")
        mixture *= np.maximum(cell, 1e-12)
        mixture[:] = mixture * ((1 - form.share) / mixture.sum()) + form.share / form.mixed
        decays = np.tile(form.decays, form.levels)
        if form.grounded:
            decays = np.minimum(decays, 1 - 1 / self.part(d, "seen")[0])
        running = self.part(d, "scales")
        running[:] = decays * running + (1 - decays) * away[: len(running)]

    def learn_filters(self, d: int, y: float) -> None:
        """Learn the stack, the cascade and the least squares from a value."""
        form, locations = self.form, self.part(d, "locations")
        stack, n = self.part(d, "stack"), form.stacked
        square = self.part(d, "stack_variances").reshape(n, n)
        predicted, prior = locations[:-1] - self.level(d), self.prior(d)
        _learn(stack, square, predicted, y - self.level(d) - float(stack @ predicted), form.stack_forget, prior)
        rest = y - locations[0]
        for c, rate in enumerate(form.rates):
            taps, line, left = self.part(d, "taps", c), self.part(d, "line", c), rest - self.part(d, "parts")[c]
            taps += rate * left / (1 + line @ line) * line
            _push(line, rest)
            rest = left
        for r, forget in enumerate(form.forgets):
            w, z = self.part(d, "weights", r), self.regressors(d, form.orders[r])
            square = self.part(d, "variances", r).reshape(len(w), len(w))
            _learn(w, square, z, y - locations[r], forget, prior)

    def remember(self, d: int, y: float) -> None:
        """Move the lines of the cascade on without learning."""
        rest = y - self.part(d, "locations")[0]
        for c in range(len(self.form.taps)):
            _push(self.part(d, "line", c), rest)
            rest -= self.part(d, "parts")[c]

    def regressors(self, d: int, order: int) -> Array:
        """Return the own last values, then those of the other channels, newest first, each from its level."""
        own, form = self.part(d, "history")[:order] - self.level(d), self.form
        others = [self.part(c, "history")[: form.cross] - self.level(c) for c in range(form.channels) if c != d]
        return np.concatenate([own, *others])

    def predict(self, d: int) -> None:
        """Predict the next value of a channel by every filter."""
        form, locations, parts = self.form, self.part(d, "locations"), self.part(d, "parts")
        level = self.level(d)
        R = len(form.orders)
        for r, order in enumerate(form.orders):
            locations[r] = self.within(d, level + float(self.part(d, "weights", r) @ self.regressors(d, order)))
        total = float(locations[0])
        for c in range(len(form.taps)):
            parts[c] = self.part(d, "taps", c) @ self.part(d, "line", c)
            total = self.within(d, total + float(parts[c]))
            locations[R + c] = total
        locations[-1] = self.within(d, level + float(self.part(d, "stack") @ (locations[:-1] - level)))

    def within(self, d: int, x: float) -> float:
        """Return a prediction that is not far beyond every value: an accident of the first steps would be."""
        level, most = self.level(d), 100 * self.form.wide
        if self.form.grounded:
            most += BEYOND * float(self.part(d, "ground")[1])
        return min(max(x, level - most), level + most) if x == x else level  # noqa: PLR0124


def _push(line: Array, x: float) -> None:
    line[1:] = line[:-1].copy()
    line[0] = x


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -700, 700))))
