"""Exponential smoothing, step by step, in the symbols of the book: the reference.

Hyndman, Koehler, Ord and Snyder (2008), Forecasting with Exponential Smoothing: The State Space Approach, tables 2.2
(additive errors) and 2.3 (multiplicative errors). The state is a flat tuple (l, b, s_1 .. s_m), the season of the next
step first.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ostinato.ops.ets.form import SMOOTHING, Batch, Form, Unrolled
from ostinato.shapes import Array, State


def predict(form: Form, state: State, phi: Tensor) -> Tensor:
    """Return the mean mu of the next value, (B,).

    Args:
        form: The form.
        state: Level, trend and seasons, (B,) each.
        phi: The damping of the trend, (B,).
    """
    l, b, *season = state  # noqa: E741
    q = l + phi * b
    return {"N": lambda: q, "A": lambda: q + season[0], "M": lambda: q * season[0]}[form.season]()


def error(form: Form, y: Tensor, mu: Tensor) -> Tensor:
    """Return the innovation of each row, (B,): 0 where the value is missing, so that the state moves on by itself."""
    observed = ~torch.isnan(y)
    e = torch.where(observed, y, mu) - mu
    return e if form.error == "A" else e / mu


def step(form: Form, state: State, e: Tensor, parameters: tuple[Tensor, Tensor, Tensor, Tensor]) -> State:
    """Return the state after a step.

    Args:
        form: The form.
        state: Level, trend and seasons before the step, (B,) each.
        e: The innovation, (B,).
        parameters: alpha, beta, gamma and phi, (B,) each.

    Returns:
        Level, trend and seasons after the step.
    """
    alpha, beta, gamma, phi = parameters
    l, b, *season = state  # noqa: E741
    q, s = l + phi * b, (season[0] if season else torch.zeros_like(l))
    if form.error == "A":
        level, trend, seasonal = {
            "N": (alpha * e, beta * e, s),
            "A": (alpha * e, beta * e, gamma * e),
            "M": (alpha * e / s, beta * e / s, gamma * e / q),
        }[form.season]
    else:
        level, trend, seasonal = {
            "N": (alpha * q * e, beta * q * e, s),
            "A": (alpha * (q + s) * e, beta * (q + s) * e, gamma * (q + s) * e),
            "M": (alpha * q * e, beta * q * e, gamma * s * e),
        }[form.season]
    following = (*season[1:], s + seasonal) if form.seasonal else ()
    return q + level, phi * b + trend, *following


def unroll(batch: Batch, form: Form, theta: Array, *, gradient: bool = False, path: bool = False) -> Unrolled:
    """Unroll models of one form, one in each row.

    Args:
        batch: The series and the rows.
        form: The form of every row.
        theta: The parameters of each row, (B, 6 + m): alpha, beta, gamma, phi, the initial level, the initial trend and
            the m initial seasons, that of the first step first. A form without a season has m = 0. A form without a
            trend has beta = 0 and an initial trend of 0; an undamped trend has phi = 1.
        gradient: Whether the gradient is wanted.
        path: Whether the predictions and the last states are wanted.
    """
    free = torch.from_numpy(theta).requires_grad_(gradient)
    with torch.set_grad_enabled(gradient):
        log_likelihood, mean, last = follow(batch, form, free)
        slope = torch.autograd.grad(log_likelihood.nan_to_num(0, 0, 0).sum(), free)[0].numpy() if gradient else None
    value = log_likelihood.detach().nan_to_num(nan=-math.inf, posinf=math.inf, neginf=-math.inf).numpy()
    return Unrolled(value, slope, *((mean.detach().numpy(), last.detach().numpy()) if path else (None, None)))


def follow(batch: Batch, form: Form, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the log-likelihood (B,), the predictions (B, T) and the last states (B, 2 + m), with gradients."""
    y = torch.from_numpy(batch.y)[torch.from_numpy(batch.series)]
    lengths, floor = torch.from_numpy(batch.lengths), torch.from_numpy(batch.floor)
    count = len(SMOOTHING)
    parameters = (theta[:, 0], theta[:, 1], theta[:, 2], theta[:, 3])
    state: State = tuple(theta[:, count:].unbind(1))
    squares = observed = torch.zeros_like(floor)
    log_mean = 0 * theta[:, 0]  # without a step the gradient is 0, and it exists
    means, last = [], torch.stack(state, 1)
    for t in range(max(batch.lengths.tolist(), default=0)):
        mu = predict(form, state, parameters[3])
        seen = ~torch.isnan(y[:, t]) & (t < lengths)
        e = error(form, torch.where(seen, y[:, t], math.nan), mu)
        if form.error == "M":
            squares = squares + torch.where(seen & (mu <= 0), math.inf, 0.0)
            log_mean = log_mean + torch.where(seen & (mu > 0), mu, 1.0).log()
        squares, observed = squares + e**2, observed + seen
        state = step(form, state, e, parameters)
        last = torch.where((lengths == t + 1)[:, None], torch.stack(state, 1), last)
        means.append(mu)
    variance = squares / observed.clamp(min=1) + floor
    seen_any = observed > 0
    nats = -observed / 2 * (math.log(2 * math.pi) + 1 + torch.where(seen_any, variance, 1.0).log()) - log_mean
    rest = y.new_zeros(len(y), y.shape[1] - len(means))
    return torch.where(seen_any, nats, 0.0), torch.cat([*(m[:, None] for m in means), rest], 1), last
