"""A model's own gradient on data: its norm by lag at sampled steps, and the Lyapunov exponent of its hidden state."""

from __future__ import annotations

import copy
import math
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.diagnosis.result import LayerFlow
from ostinato.diagnosis.stretches import Source, StretchBatch, draw
from ostinato.emissions.emission import Support
from ostinato.gradients.flow import gradient_norms, lyapunov
from ostinato.layers.conv import CausalConv
from ostinato.layers.front import InnovationFront, SymbolFront
from ostinato.layers.stack import Stack
from ostinato.model import SequenceModel

#: Hidden states of one batch, in numbers: what backpropagation through time holds at once.
ROOM = 1_000_000
#: Of the trajectories that a Lyapunov exponent is taken along: how many, and their least and greatest length.
TRAJECTORIES, SHORTEST, LONGEST = 8, 128, 1024


def in_float64(model: SequenceModel) -> SequenceModel:
    """A copy that computes in float64: what has vanished in float32 can still be measured."""
    return copy.deepcopy(model).double().eval()


def order_of_closed_form(model: SequenceModel) -> int | None:
    """How many values back the closed form sees that the model stands on; 0 where there is none, None for all."""
    match model.front:
        case InnovationFront(ar=ar):
            return ar.order if ar.volatility is None else None
        case SymbolFront(markov=markov) if markov is not None:
            return markov.order
        case _:
            return 0


def backbone_window(model: SequenceModel) -> int | None:
    """The farthest lag that the model's prediction depends on; None where a state is carried on without end."""
    order = order_of_closed_form(model)
    if model.backbone is None or order is None:
        return order
    layers = model.backbone.each() if isinstance(model.backbone, Stack) else [model.backbone]
    reaches = [layer.reach for layer in layers if isinstance(layer, CausalConv)]
    # the oldest input that the kernels reach is itself the error of a prediction from ``order`` values
    return 1 + sum(reaches) + order if len(reaches) == len(layers) else None


def norms(source: Source, cuts: list[int], count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(layers, K, S): the norm of dL_t/dh_{t-k} at S held-out steps t, NaN where the sequence is not so long."""
    model, spans, far = in_float64(source.model), source.spans("held-out"), cuts[-1]
    assert model.backbone is not None
    asked = []
    for i, t in draw(spans, count, rng):
        if t >= spans[i][1]:
            back = max(c for c in cuts if c <= t)
            asked.append((back, spans[i][0], t))
    found = []
    rows = max(1, ROOM // (far * model.backbone.output_size))
    for back, same in groupby(sorted(asked), key=lambda a: a[0]):
        group = list(same)
        for at in range(0, len(group), rows):
            some = source.rows([(row, max(0, t - back - far), t + 1) for _, row, t in group[at : at + rows]])
            each = torch.stack(norms_at_end(model, _double(some), back))
            some_far = torch.full((len(each), far - back, each.shape[2]), math.nan, dtype=each.dtype)
            found.append(torch.cat([each, some_far], dim=1))
    layers = len(model.backbone.each()) if isinstance(model.backbone, Stack) else 1
    return torch.cat(found, dim=2).numpy() if found else np.zeros((layers, far, 0))


def norms_at_end(model: SequenceModel, rows: StretchBatch, back: int) -> tuple[Tensor, ...]:
    """(back, B) a layer: of the last step of each row, over ``back`` steps; what is older only warms the state."""
    assert model.backbone is not None
    warm, B = rows.lengths - back, len(rows.lengths)
    with torch.no_grad():
        state = model.unroll(rows.x[: int(warm.max())], None, warm)[1] if int(warm.max()) else model.initial_state(B)
        front, backbone = model.parts(state)
        steps = rows.x[warm + torch.arange(back)[:, None], torch.arange(B)]
        inputs, loc, scale, _ = model.front.unroll(steps, front)
    observed = rows.observed[rows.lengths - 1, torch.arange(B)]

    def loss(h: Tensor) -> Tensor:
        ahead = model.conditional(
            h, None if loc is None else loc[-1], None if scale is None else scale[-1], h.shape[:1]
        )
        nats = ahead.log_prob(steps[-1], rows.support)
        return -torch.where(observed, nats, 0.0).sum(-1)

    found = gradient_norms(model.backbone, inputs, backbone, loss)
    return tuple(torch.where(observed.any(-1), norm, math.nan) for norm in found)


def flows(source: Source, found: NDArray[np.float64]) -> tuple[LayerFlow, ...]:
    """The quartiles over the steps of norms (layers, K, S)."""
    name = source.model.description.name
    out = []
    for i, layer in enumerate(found):
        seen = np.where(np.isfinite(layer).any(axis=1, keepdims=True), layer, 0.0)  # a lag that no sequence has
        lower, median, upper = (tuple(np.nanquantile(seen, q, axis=1).tolist()) for q in (0.25, 0.5, 0.75))
        out.append(LayerFlow(f"{name} {i + 1}" if len(found) > 1 else name, median, lower, upper))
    return tuple(out)


def effective_memory(found: NDArray[np.float64]) -> int | None:
    """The lag by which 99 % of the gradient's mass, the mean norm of all layers summed over lags, has come back.

    None where the mass is still coming at the last lag that the sequences have: where that much lies in its last tenth.
    """
    whole = np.sqrt((found**2).sum(axis=0))  # (K, S)
    there = np.isfinite(whole)
    mass = np.where(there, whole, 0.0).sum(axis=1) / max(there.any(axis=0).sum(), 1)
    if not mass.sum():
        return None
    lag = int(np.searchsorted(mass.cumsum(), 0.99 * mass.sum())) + 1
    open_end = there[-1].mean() > 0.5 if there.size else False
    return None if open_end and lag > 0.9 * len(mass) else lag


def exponent(source: Source, rng: np.random.Generator, seed: int) -> tuple[float, float] | None:
    """The largest Lyapunov exponent in nats a step and its standard error, along real held-out sequences."""
    model = in_float64(source.model)
    spans = source.spans("held-out")
    steps = min(LONGEST, max(stop for *_, stop in spans))
    if model.backbone is None or backbone_window(model) is not None or steps < SHORTEST:
        return None
    long = [(row, max(first, steps), stop + 1) for row, first, stop in spans if stop >= steps]
    chosen = [(long[i][0], t - steps, t) for i, t in draw(long, TRAJECTORIES, rng)]
    rows = _double(source.rows(chosen))
    with torch.no_grad():
        front, backbone = model.parts(model.initial_state(len(chosen)))
        inputs = model.front.unroll(rows.x, front)[0]
    growth = lyapunov(model.backbone, inputs, backbone, seed=seed)
    # at one end the vector is still turning to where it grows most, at the other the state is not yet a usual one
    edge = len(growth) // 8
    kept = growth[edge : len(growth) - edge]
    if not bool(kept.isfinite().all()):
        return None
    return float(kept.mean()), float(kept.std() / math.sqrt(kept.numel()))


def _double(rows: StretchBatch) -> StretchBatch:
    support = Support(*(s.double() for s in (rows.support.unit, rows.support.low, rows.support.high)))
    x = rows.x if rows.x.dtype == torch.int64 else rows.x.double()
    return StretchBatch(x, rows.lengths, rows.observed, rows.measure, support)
