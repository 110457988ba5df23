"""A model's own gradient on data: its norm by lag at sampled steps, and the Lyapunov exponent of its hidden state."""

from __future__ import annotations

import copy
import math
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from ostinato.diagnosis.result import LayerFlow
from ostinato.diagnosis.stretches import Source, StretchBatch, draw
from ostinato.emissions.emission import Support
from ostinato.gradients.flow import gradient_norms, lyapunov
from ostinato.layers.conv import CausalConv
from ostinato.layers.front import InnovationFront, SmoothingFront
from ostinato.layers.stack import Stack
from ostinato.model import SequenceModel
from ostinato.shapes import Array

#: The greatest number of values in the hidden states of one batch, which backpropagation through time holds in RAM.
MOST_VALUES = 1_000_000
#: The number of trajectories of a Lyapunov exponent, and the least and the greatest length of each, in steps.
TRAJECTORIES, SHORTEST, LONGEST = 8, 128, 1024


def in_float64(model: SequenceModel) -> SequenceModel:
    """Return a copy of a model that computes in float64, which measures gradients that would be 0 in float32.

    Args:
        model: The model, which is not changed.
    """
    return copy.deepcopy(model).double().eval()


def order_of_closed_form(model: SequenceModel) -> int | None:
    """Return the number of past values that the closed form of a model depends on.

    It is 0 without a closed form, and None if the closed form depends on all past values.

    Args:
        model: The model.
    """
    front = model.front
    changing = isinstance(front, InnovationFront) and front.ar.volatility is not None
    endless = front.adaptive or changing or isinstance(front, SmoothingFront)
    return None if endless else front.reach


def backbone_window(model: SequenceModel) -> int | None:
    """Return the farthest lag that the prediction of a model depends on; None if its state depends on all past values.

    Args:
        model: The model.
    """
    order = order_of_closed_form(model)
    if model.backbone is None or order is None:
        return order
    layers = model.backbone.each() if isinstance(model.backbone, Stack) else [model.backbone]
    reaches = [layer.reach for layer in layers if isinstance(layer, CausalConv)]
    # the oldest input that the kernels reach is itself the error of a prediction from ``order`` values
    return 1 + sum(reaches) + order if len(reaches) == len(layers) else None


def norms(source: Source, cuts: list[int], count: int, rng: np.random.Generator) -> Array:
    """Return the norm of dL_t/dh_{t-k} for every layer and lag at sampled held-out steps, (layers, K, S).

    The norm is NaN at a lag that reaches before the start of the sequence.

    Args:
        source: A model with a backbone, and its data.
        cuts: The measured lags, ascending; the last one is K.
        count: The number of steps that are drawn. S is less if some of them lie outside the held-out part.
        rng: The random generator that draws the steps.
    """
    model, spans, far = in_float64(source.model), source.spans("held-out"), cuts[-1]
    assert model.backbone is not None
    steps = []
    for i, t in draw(spans, count, rng):
        if t >= spans[i][1]:
            back = max(c for c in cuts if c <= t)
            steps.append((back, spans[i][0], t))
    measured = []
    rows = max(1, MOST_VALUES // (far * model.backbone.output_size))
    for back, same in groupby(sorted(steps), key=lambda step: step[0]):
        group = list(same)
        for at in range(0, len(group), rows):
            batch = source.rows([(row, max(0, t - back - far), t + 1) for _, row, t in group[at : at + rows]])
            each = torch.stack(norms_at_end(model, _double(batch), back))
            beyond = torch.full((len(each), far - back, each.shape[2]), math.nan).to(each)
            measured.append(torch.cat([each, beyond], dim=1).cpu())
    layers = len(model.backbone.each()) if isinstance(model.backbone, Stack) else 1
    return torch.cat(measured, dim=2).numpy() if measured else np.zeros((layers, far, 0))


def norms_at_end(model: SequenceModel, rows: StretchBatch, back: int) -> tuple[Tensor, ...]:
    """Return the norms of the gradient of the last step of each row, (back, B) for each layer.

    Args:
        model: A model with a backbone.
        rows: B rows. The steps before the last ``back`` ones only bring the hidden state to its usual values.
        back: The number of lags.
    """
    assert model.backbone is not None
    warm, B = rows.lengths - back, len(rows.lengths)
    at = torch.arange(B, device=rows.x.device)
    with torch.no_grad():
        state = model.unroll(rows.x[: int(warm.max())], None, warm)[1] if int(warm.max()) else model.initial_state(B)
        front, backbone = model.parts(state)
        steps = rows.x[warm + torch.arange(back, device=warm.device)[:, None], at]
        given, _ = model.front.unroll(steps, front)
    observed = rows.observed[rows.lengths - 1, at]

    def loss(h: Tensor) -> Tensor:
        ahead = model.conditional(h, given.last(), h.shape[:1])
        nats = ahead.log_prob(steps[-1], rows.support)
        return -torch.where(observed, nats, 0.0).sum(-1)

    layers = gradient_norms(model.backbone, given.inputs, backbone, loss)
    return tuple(torch.where(observed.any(-1), norm, math.nan) for norm in layers)


def flows(source: Source, measured: Array) -> tuple[LayerFlow, ...]:
    """Return the quartiles of the norms over the sampled steps, for every layer and lag.

    Args:
        source: The model and its data.
        measured: The norms of ``norms``, (layers, K, S).
    """
    name = source.model.description.name
    out = []
    for i, layer in enumerate(measured):
        # 0 at a lag that no sampled sequence is long enough for, because NaN has no quartiles
        known = np.where(np.isfinite(layer).any(axis=1, keepdims=True), layer, 0.0)
        lower, median, upper = (tuple(np.nanquantile(known, q, axis=1).tolist()) for q in (0.25, 0.5, 0.75))
        out.append(LayerFlow(f"{name} {i + 1}" if len(measured) > 1 else name, median, lower, upper))
    return tuple(out)


def effective_memory(measured: Array) -> int | None:
    """Return the lag within which 99 % of the sum of the gradient norms lies.

    The norm at a lag is taken over all layers and averaged over the sampled steps. The result is None if the sum is
    still growing at the last lag of most sequences, so that the 99 % lie in the last tenth of the lags.

    Args:
        measured: The norms of ``norms``, (layers, K, S).
    """
    whole = np.sqrt((measured**2).sum(axis=0))  # (K, S)
    known = np.isfinite(whole)
    mass = np.where(known, whole, 0.0).sum(axis=1) / max(known.any(axis=0).sum(), 1)
    if not mass.sum():
        return None
    lag = int(np.searchsorted(mass.cumsum(), 0.99 * mass.sum())) + 1
    open_end = known[-1].mean() > 0.5 if known.size else False
    return None if open_end and lag > 0.9 * len(mass) else lag


def exponent(source: Source, rng: np.random.Generator, seed: int) -> tuple[float, float] | None:
    """Return the largest Lyapunov exponent in nats a step and its standard error, along sampled held-out sequences.

    The result is None if the model has no hidden state that depends on all past values, or if the sequences are too
    short.

    Args:
        source: The model and its data.
        rng: The random generator that draws the sequences.
        seed: The seed of the first direction in which two hidden states differ.
    """
    model = in_float64(source.model)
    spans = source.spans("held-out")
    steps = min(LONGEST, max(stop for *_, stop in spans))
    if model.backbone is None or model.adaptive or backbone_window(model) is not None or steps < SHORTEST:
        return None
    long = [(row, max(first, steps), stop + 1) for row, first, stop in spans if stop >= steps]
    chosen = [(long[i][0], t - steps, t) for i, t in draw(long, TRAJECTORIES, rng)]
    rows = _double(source.rows(chosen))
    with torch.no_grad():
        front, backbone = model.parts(model.initial_state(len(chosen)))
        inputs = model.front.unroll(rows.x, front)[0].inputs
    growth = lyapunov(model.backbone, inputs, backbone, seed=seed)
    # the first and the last eighth are left out: at one end the vector has not yet turned to the direction of the
    # greatest growth, and at the other the hidden state is still close to the initial one
    edge = len(growth) // 8
    kept = growth[edge : len(growth) - edge]
    if not bool(kept.isfinite().all()):
        return None
    return float(kept.mean()), float(kept.std() / math.sqrt(kept.numel()))


def _double(rows: StretchBatch) -> StretchBatch:
    """Return a batch with its values in float64."""
    support = Support(*(s.double() for s in (rows.support.unit, rows.support.low, rows.support.high)))
    x = rows.x if rows.x.dtype == torch.int64 else rows.x.double()
    return StretchBatch(x, rows.lengths, rows.observed, rows.measure, support)
