"""Exponential smoothing as a layer: its states are a memory that streams like every other."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from ostinato.layers.recurrence import Recurrence
from ostinato.ops.ets.form import Form
from ostinato.ops.ets.reference import error, predict, step
from ostinato.ops.masking import keep, running
from ostinato.shapes import State


@final
class ExponentialSmoothing(Recurrence):
    """The innovations form of exponential smoothing (Hyndman et al. 2008, chapter 2), for each channel on its own.

    An output is the mean of the next value. A missing value (NaN) counts as its own prediction. The state is
    a flat tuple (level, trend, season_1 .. season_m), (B, D) each, the season of the next step first.

    The smoothing parameters are alpha = sigmoid(a), beta = alpha sigmoid(b), gamma = (1 - alpha) sigmoid(c) and phi =
    .8 + .18 sigmoid(d), so that every weight is within the usual bounds.

    Args:
        input_size: The number of channels, D.
        form: The form of every channel.
        period: The length m of the season in steps; it counts only if the form has one.
    """

    def __init__(self, input_size: int, form: Form, period: int = 1) -> None:
        super().__init__()
        self.input_size = self.output_size = input_size
        self.form, self.seasons = form, period * form.seasonal
        self.smoothing = nn.Parameter(torch.tensor([-1.0, -2.0, -2.0, 1.5])[:, None].repeat(1, input_size))
        first = torch.zeros(2 + self.seasons, input_size)
        if form.positive:
            first[0] = 1
        if form.season == "M":
            first[2:] = 1
        self.first = nn.Parameter(first)

    @torch.no_grad()
    def set_parameters(self, theta: Tensor) -> None:
        """Set the parameters and the initial state.

        Args:
            theta: alpha, beta, gamma, phi, level, trend and seasons of each channel, (D, 6 + m), as ``fit_ets`` finds
                them, within the bounds of the layer.
        """
        alpha, beta, gamma, phi = theta[:, :4].T
        shares = torch.stack([alpha, beta / alpha, gamma / (1 - alpha), (phi - 0.8) / 0.18])
        self.smoothing.copy_(torch.logit(shares.clamp(0, 1), eps=1e-12))
        self.first.copy_(theta[:, 4:].T)

    def initial_state(self, batch: int) -> State:
        """Return the learned state before the first step, (B, D) each."""
        return tuple(s.expand(batch, -1) for s in self._first())

    def step(self, state: State, x: Tensor) -> tuple[State, Tensor]:
        """Return the next state and the mean of the next value (see ``Recurrence.step``)."""
        h, state = self.unroll(x[None], state)
        return state, h[0]

    def unroll(self, x: Tensor, state: State | None = None, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """Return the mean of each next value and the last state (see ``Recurrence.unroll``)."""
        now = self.initial_state(x.shape[1]) if state is None else state
        parameters, out = self._bounded(), []
        for t in range(len(x)):
            e = error(self.form, x[t], predict(self.form, now, parameters[3]))
            after, still = step(self.form, now, e, parameters), running(t, lengths, x[t])
            now = tuple(keep(still, new, old) for new, old in zip(after, now, strict=True))
            out.append(predict(self.form, now, parameters[3]))
        return torch.stack(out) if out else x.new_zeros(0, *x.shape[1:]), now

    def _first(self) -> tuple[Tensor, ...]:
        level, trend, *seasons = self.first
        return level, (torch.zeros_like(trend) if self.form.trend == "N" else trend), *seasons

    def _bounded(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return alpha, beta, gamma and phi, (D,) each."""
        a, b, c, d = torch.sigmoid(self.smoothing)
        none, one = torch.zeros_like(a), torch.ones_like(a)
        return (
            a,
            none if self.form.trend == "N" else a * b,
            (1 - a) * c if self.form.seasonal else none,
            0.8 + 0.18 * d if self.form.trend == "Ad" else one,
        )
