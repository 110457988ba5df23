"""Exponential smoothing as a recurrence: its state is what is known of level, trend and seasons, and how well.

The innovations state space model with additive errors (Hyndman, Koehler, Ord and Snyder 2008, table 2.2) has one
source of error, e_t:

    y_t = w' x_{t-1} + e_t,   x_t = F x_{t-1} + g e_t,   e_t ~ N(0, sigma^2).

The state x is (l, b, s_1 .. s_m), the season of the next step first. In the book the first state is a parameter of each
series. Here it is drawn, so that one model serves every series, also those that it was not fitted to. What a series
tells of its own level, trend and season follows from its values by the filter of Kalman.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple, final

import numpy as np
import torch
from torch import Tensor

from ostinato.layers.recurrence import Recurrence
from ostinato.numbers import counted
from ostinato.ops.ets.ring import Ring
from ostinato.shapes import Array, State

#: A first state is known when no variance of it is above this, in squared standard deviations of an innovation: from
#: then on the gains are constant.
KNOWN = 1e-12


class Parameters(NamedTuple):
    """The parameters of C models: one for each channel, or one for each form that a fit tries.

    Attributes:
        smoothing: alpha, beta, gamma and phi, (C, 4). Without a trend beta and the spread of b are 0, without a season
            gamma and the spread of s. A trend that never changes, a drift, has beta = 0 and phi = 1.
        spread: The standard deviations of l, b and each s before the first step, (C, 3), as multiples of sigma.
    """

    smoothing: Tensor
    spread: Tensor


def first_state(parameters: Parameters, season: int) -> State:
    """Return the mean (C, 2 + m) of the state before the first step, which is 0, and its covariance (C, 2 + m, 2 + m).

    Args:
        parameters: The parameters.
        season: The length m of the season in steps; 0 without one.
    """
    level, trend, one = parameters.spread.square().unbind(-1)
    variance = torch.stack([level, trend, *[one] * season], -1)
    return torch.zeros_like(variance), torch.diag_embed(variance)


def predict(parameters: Parameters, state: State) -> tuple[Tensor, Tensor]:
    """Return the mean of the next value and its variance over sigma^2, (..., C): mu = w' a and v = 1 + w' P w.

    Args:
        parameters: The parameters.
        state: The mean a (..., C, 2 + m) and the covariance P (..., C, 2 + m, 2 + m) of the state.
    """
    mean, covariance = state
    phi = parameters.smoothing[..., 3]
    seen = _seen(covariance, phi[..., None])  # w' P
    return _seen(mean[..., None], phi[..., None])[..., 0], 1 + _seen(seen[..., None], phi[..., None])[..., 0]


def step(parameters: Parameters, state: State, y: Tensor) -> State:
    """Return the state after a value y (..., C), NaN if it is missing.

    With D = F - g w', an observed value moves the state by a = F a + (g + D P w / v) (y - mu), P = D (P - P w w' P / v)
    D': no difference of near numbers, so P stays a covariance, and 0 once it is 0. A missing value moves it by a = F a,
    P = F P F' + g g'.

    Args:
        parameters: The parameters.
        state: The mean a (..., C, 2 + m) and the covariance P (..., C, 2 + m, 2 + m) of the state.
        y: The value.
    """
    mean, covariance = state
    gain, phi = gains(parameters, mean.shape[-1]), parameters.smoothing[..., 3, None]
    observed = ~torch.isnan(y)
    whole = bool(observed.all())
    moved = _moved(mean[..., None], parameters)[..., 0]
    mu = _seen(mean[..., None], phi)[..., 0]
    e = (y - mu if whole else torch.where(observed, y - mu, 0.0))[..., None]
    if whole and not covariance.any():
        return moved + gain * e, covariance
    row = _seen(covariance, phi)  # w' P, which is (P w)' too
    v = 1 + _seen(row[..., None], phi)
    learned = gain + (_moved(row[..., None], parameters)[..., 0] - gain * (v - 1)) / v
    left = covariance - row[..., None] * row[..., None, :] / v[..., None]
    after = _through(_through(left, parameters, gain), parameters, gain)
    if not whole:
        free = torch.zeros_like(gain)
        unseen = _through(_through(covariance, parameters, free), parameters, free)
        unseen = unseen + gain[..., None] * gain[..., None, :]
        after = torch.where(observed[..., None, None], after, unseen)
    known = (after.diagonal(dim1=-2, dim2=-1) <= KNOWN).all(-1)[..., None, None]
    return moved + learned * e, torch.where(known, 0.0, after)


def _through(covariance: Tensor, parameters: Parameters, gain: Tensor) -> Tensor:
    """Return (D P)' = P' D' with D = F - g w', for P (..., 2 + m, 2 + m); twice gives D P D'."""
    seen = _seen(covariance, parameters.smoothing[..., 3, None])
    return (_moved(covariance, parameters) - gain[..., None] * seen[..., None, :]).transpose(-1, -2)


def gains(parameters: Parameters, size: int) -> Tensor:
    """Return g = (alpha, beta, 0, .., 0, gamma), (C, 2 + m): the season of a step is the last one to come again.

    Args:
        parameters: The parameters.
        size: The size 2 + m of the state.
    """
    alpha, beta, gamma, _ = parameters.smoothing.unbind(-1)
    if size == 2:
        return torch.stack([alpha, beta], -1)
    zeros = [torch.zeros_like(alpha)] * (size - 3)
    return torch.stack([alpha, beta, *zeros, gamma], -1)


def _seen(columns: Tensor, phi: Tensor) -> Tensor:
    """Return w' X for the columns X (..., 2 + m, k): level, damped trend and the season of the next step, (..., k)."""
    total = columns[..., 0, :] + phi * columns[..., 1, :]
    return total if columns.shape[-2] == 2 else total + columns[..., 2, :]


def _moved(columns: Tensor, parameters: Parameters) -> Tensor:
    """Return F X for the columns X (..., 2 + m, k): the level rises by the damped trend, and the seasons move up."""
    trend = parameters.smoothing[..., 3, None, None] * columns[..., 1:2, :]
    return torch.cat([columns[..., :1, :] + trend, trend, columns[..., 3:, :], columns[..., 2:3, :]], -2)


def _steps(values: Array) -> Any:
    """Return the values (T, R) step by step, as a ring takes them."""
    return values[:, 0].tolist() if values.shape[1] == 1 else values


#: The longest season: the covariance of the state holds the square of its steps.
LONGEST = 1_000


@final
class Smoothing(Recurrence):
    """Exponential smoothing of each channel on its own; see the module.

    The output h (..., 2 D) of a step is the mean of the NEXT value of each channel, and then its standard deviation.
    A missing value adds to what is not known of the state, so the next intervals are wider, as they should be.

    The state is (mean, covariance), (B, D, 2 + m) and (B, D, 2 + m, 2 + m) in float64, the covariance in units of the
    variance of an innovation.

    Args:
        name: The form in words, such as "ETS(A,Ad,A)".
        channels: The number of channels, D.
        season: The length m of the season in steps; 0 without one.

    Raises:
        ValueError: The season is not a whole number of steps, or too long for a covariance of all its steps.

    Attributes:
        smoothing: A buffer, alpha, beta, gamma and phi of each channel, (D, 4), float64.
        spread: A buffer, the standard deviations of the first level, trend and seasons over sigma, (D, 3), float64.
        log_sigma: A buffer, the log standard deviation of an innovation, (D,), float64.
    """

    def __init__(self, name: str, channels: int, season: int) -> None:
        super().__init__()
        if not isinstance(season, int) or not 0 <= season <= LONGEST:
            raise ValueError(f"the season must be a whole number of steps from 0 to {LONGEST:,}, got {season!r}")
        self.name, self.season = name, season
        self.input_size, self.output_size = channels, 2 * channels
        self.smoothing: Tensor
        self.spread: Tensor
        self.log_sigma: Tensor
        self.register_buffer("smoothing", torch.zeros(channels, 4, dtype=torch.float64))
        self.register_buffer("spread", torch.ones(channels, 3, dtype=torch.float64))
        self.register_buffer("log_sigma", torch.zeros(channels, dtype=torch.float64))

    @classmethod
    def of(cls, name: str, season: int, parameters: Parameters, sigma: Tensor) -> Smoothing:
        """Return the recurrence of parameters that were fitted.

        Args:
            name: The form in words.
            season: The length m of the season in steps; 0 without one.
            parameters: The parameters of each channel.
            sigma: The standard deviation of an innovation, (D,).
        """
        out = cls(name, len(sigma), season)
        out.smoothing.copy_(parameters.smoothing)
        out.spread.copy_(parameters.spread)
        out.log_sigma.copy_(sigma.log())
        return out

    def describe(self) -> str:
        """Return what the closed form is, in words."""
        return f"exponential smoothing {self.name}" + f" of {counted(self.season, 'step')}" * (self.season > 0)

    def to_json(self) -> dict[str, object]:
        """Return the sizes, from which an empty recurrence is made."""
        return {"name": self.name, "channels": self.input_size, "season": self.season}

    @property
    def per_channel(self) -> Parameters:
        """The parameters of the channels, in float64."""
        return Parameters(self.smoothing.double(), self.spread.double())

    def initial_state(self, batch: int) -> State:
        """Return the mean (B, D, 2 + m) and the covariance (B, D, 2 + m, 2 + m) before the first step."""
        mean, covariance = first_state(self.per_channel, self.season)
        return mean.repeat(batch, 1, 1), covariance.repeat(batch, 1, 1, 1)

    def pending(self, state: State) -> tuple[Tensor, Tensor]:
        """Return the mean and the standard deviation of the next value, (B, D), in float64."""
        mu, v = predict(self.per_channel, state)
        return mu, self.log_sigma.double().exp() * v.sqrt()

    def ring(self, state: State) -> Ring:
        """Return a copy of a state as a ring of B D series, the channels of a row together; see ``ops.ets.ring``."""
        mean, covariance = (s.detach().double().flatten(0, 1).numpy() for s in state)
        table = self.smoothing.double().repeat(len(state[0]), 1).numpy()
        return Ring(table, mean, covariance, KNOWN)

    def step(self, state: State, x: Tensor) -> tuple[State, Tensor]:
        """Return the next state and the prediction of the next value, (B, 2 D), after x (B, D), NaN if missing."""
        state = step(self.per_channel, state, x.double())
        return state, torch.cat(self.pending(state), -1).to(x.dtype)

    def unroll(self, x: Tensor, state: State | None = None, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """Return the predictions after each step, (T, B, 2 D), and the last state (see ``Recurrence.unroll``)."""
        now = self.initial_state(x.shape[1]) if state is None else state
        wanted = x.requires_grad or any(s.requires_grad for s in now)
        said, last = self._differentiable(x, now, lengths) if wanted else self._by_ring(x, now, lengths)
        return said.to(x.dtype), last

    def _by_ring(self, x: Tensor, state: State, lengths: Tensor | None) -> tuple[Tensor, State]:
        """Return what ``unroll`` does, computed without torch. A row leaves the ring with its last step."""
        T, B, D = x.shape
        ring = self.ring(state)
        sizes = np.full(B * D, T) if lengths is None else lengths.repeat_interleave(D).numpy()
        values, said = x.detach().double().reshape(T, B * D).numpy(), np.empty((2, T, B * D))
        last, pending, rows = ring.state, np.stack([ring.mu, ring.v]).reshape(2, B * D), np.ones(B * D, dtype=bool)
        for begin, end in pairwise(sorted({0, T, *sizes.tolist()})):
            inside = sizes > begin
            said[:, begin:end] = pending[:, None]  # a row that has ended keeps the prediction of its next step
            if not inside.any():
                break
            ring, rows = (ring if inside[rows].all() else ring.some(inside[rows])), inside
            now = []
            for y in _steps(values[begin:end, rows]):
                ring.step(y)
                now.append((ring.mu, ring.v))
            said[:, begin:end, rows] = np.array(now).reshape(end - begin, 2, -1).transpose(1, 0, 2)
            pending[0, rows], pending[1, rows] = ring.mu, ring.v
            for whole, part in zip(last, ring.state, strict=True):
                whole[rows] = part
        mu, v = torch.from_numpy(said).reshape(2, T, B, D)
        after = tuple(torch.from_numpy(part).reshape(old.shape) for part, old in zip(last, state, strict=True))
        return torch.cat([mu, self.log_sigma.double().exp() * v.sqrt()], -1), after

    def _differentiable(self, x: Tensor, state: State, lengths: Tensor | None) -> tuple[Tensor, State]:
        """Return what ``unroll`` does, by the functions of the module, through which a gradient flows."""
        now, parameters, out = state, self.per_channel, []
        sigma, values = self.log_sigma.double().exp(), x.double()
        for t in range(len(x)):
            after = step(parameters, now, values[t])
            if lengths is not None:
                inside = t < lengths
                after = tuple(
                    torch.where(inside.view(-1, *[1] * (s.dim() - 1)), s, b) for s, b in zip(after, now, strict=True)
                )
            now = after
            mu, v = predict(parameters, now)
            out.append(torch.cat([mu, sigma * v.sqrt()], -1))
        return (torch.stack(out) if out else values.new_zeros(0, x.shape[1], self.output_size)), now

    def path(self, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, Tensor, State]:
        """Return the mean and the standard deviation of each step from the values before it, and the last state.

        Args:
            x: The values, (T, B, D). NaN where a value is missing.
            state: The state before the first step.
            lengths: The number of steps of each row, (B,); None means T for all rows.
        """
        first = torch.cat(self.pending(state), -1).to(x.dtype)[None]
        said, last = self.unroll(x, state, lengths)
        mu, deviation = torch.cat([first, said])[: len(x)].chunk(2, -1)
        return mu, deviation, last
