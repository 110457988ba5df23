"""The fronts in a graph: what the state of a model holds for the next step, and how a value moves it on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato.errors import ConfigError
from ostinato.export.backbones import array
from ostinato.export.graph import Wire, clip, concat, lookup, where
from ostinato.layers.ar import AR
from ostinato.layers.contexts import NOTHING
from ostinato.layers.front import Front, InnovationFront, SmoothingFront, SymbolFront
from ostinato.layers.markov import Markov
from ostinato.layers.volatility import FARTHEST
from ostinato.numbers import counted
from ostinato.wording import either, option

#: The most bytes that the tables of a Markov chain may take in a graph.
MOST_BYTES = 512 * 2**20


@dataclass(frozen=True)
class Pending:
    """What a front gives for the next step: the backbone's input, and the prediction, as in ``Front.pending``."""

    inputs: Wire
    loc: Wire | None
    scale: Wire | None


@singledispatch
def pending(front: Front, state: list[Wire]) -> Pending:
    """Return what the front gives for the next step.

    Raises:
        ConfigError: The front is that of exponential smoothing.
        NotImplementedError: Another front has no graph.
    """
    raise NotImplementedError(f"the graph of {type(front).__name__} is not written")


@pending.register
def _(front: SmoothingFront, state: list[Wire]) -> Pending:
    raise ConfigError(
        "exponential smoothing has no graph: its state has a matrix for each channel",
        fix=f"fit another model, such as {option('--model', 'ar')} or {option('--model', 'gru')}; or stream with "
        + either("ostinato stream", "ostinato.Stream"),
    )


@singledispatch
def observed(front: Front, state: list[Wire], x: Wire) -> list[Wire]:
    """Return the state of the front after the values x (B, D) in model space.

    Raises:
        NotImplementedError: The front has no graph.
    """
    raise NotImplementedError(f"the graph of {type(front).__name__} is not written")


@pending.register
def _(front: InnovationFront, state: list[Wire]) -> Pending:
    return Pending(state[0], state[1], state[2])


@observed.register
def _(front: InnovationFront, state: list[Wire], x: Wire) -> list[Wire]:
    (_, loc, sd, values, seen), ar = state, front.ar
    missing, lags, after = x.is_nan(), np.array(ar.lags, dtype=np.float32), seen + 1.0
    row = _row(after, lags)
    innovation, scale = _innovation(ar, (loc, sd), x, _row(seen, lags), row)
    ahead = lookup(array(ar.bias).T, row) + lookup(array(ar.slope).T, row) * (after + 1.0).expand()
    if ar.order:
        values = concat([where(missing, loc, x).expand(1), values], 1).slice(0, ar.order, 1)
        at = values if len(ar.lags) == ar.order else values.take([lag - 1 for lag in ar.lags], 1)
        weight = np.ascontiguousarray(array(ar.weight).transpose(1, 2, 0))  # (L + 1, L, D)
        ahead = ahead + (lookup(weight, row) * at).sum(1)
    value, error = where(missing, 0.0, x), where(missing, 0.0, innovation.asinh())
    inputs = concat([value, (~missing).cast(np.float32), ahead, error])
    return [inputs, ahead, scale, values, after]


def _innovation(ar: AR, before: tuple[Wire, Wire], x: Wire, row: Wire, after: Wire) -> tuple[Wire, Wire]:
    """Return the innovation over its everyday scale, and the scale of the next step, (B, D) each.

    Args:
        ar: The autoregression.
        before: The prediction of x and its scale.
        x: The values, NaN where one is missing.
        row: How many of the lags were used.
        after: How many are used for the next step.
    """
    (loc, sd), sigma = before, np.exp(array(ar.log_sigma).T)
    everyday, scale = lookup(sigma, row), lookup(sigma, after)
    innovation = (x - loc) / everyday
    if ar.volatility is not None:
        a, b = array(ar.volatility.shock), array(ar.volatility.decay)
        clipped = clip(innovation, -FARTHEST, FARTHEST)
        squared = where(x.is_nan(), 1.0, clipped * clipped)
        v = (sd / everyday) * (sd / everyday)
        scale = scale * (v * b + (squared * a + (1 - a - b))).sqrt()
    return innovation, scale


def _row(seen: Wire, lags: NDArray[np.float32]) -> Wire:
    """Return how many of the lags are used after ``seen`` (B,) steps, (B,)."""
    return (seen.expand() >= lags).cast(np.int64).sum(-1) if len(lags) else seen.cast(np.int64) * 0


@pending.register
def _(front: SymbolFront, state: list[Wire]) -> Pending:
    before = state[0].squeeze(-1)
    width = max(front.features, 1)
    table = (
        np.zeros((front.vocabulary + 1, width), np.float32)
        if front.embedding is None
        else array(front.embedding.weight)
    )
    return Pending(lookup(table, before), state[1].expand(1) if front.markov is not None else None, None)


@observed.register
def _(front: SymbolFront, state: list[Wire], x: Wire) -> list[Wire]:
    before = where(x < 0, front.vocabulary, x)
    if front.markov is None:
        return [before]
    return [before, *_markov(front.markov, state[2:], x)]


def _markov(chain: Markov, state: list[Wire], x: Wire) -> list[Wire]:
    """Return the log probabilities of the next symbol (B, V) and the last symbols (B, K) after the symbols x (B, 1)."""
    V, K, total = chain.output_size, chain.order, sum(chain.contexts)
    size = 4 * total * (2 * V + 1)
    if size > MOST_BYTES:
        raise ConfigError(
            f"the Markov chain has {counted(total, 'context')} of {counted(V, 'symbol')}, whose tables take "
            f"{size / 2**20:,.0f} MiB",
            fix=f"fit a chain of a lower order; the tables may take {MOST_BYTES // 2**20} MiB",
        )
    child = np.zeros((total, V + 1), dtype=np.int32)
    edges = chain.edges.numpy()
    child[edges // (V + 1), edges % (V + 1)] = np.arange(1, total)
    logs = chain._table(torch.arange(total)).numpy()
    symbol = where(x < 0, NOTHING, x)
    last = concat([symbol, state[0]]).slice(0, K) if K else state[0]
    context = (x * 0).squeeze(-1)
    alive = context.equals(0)
    for k in range(K):
        newest = last.take(k, 1)
        key = context * (V + 1) + where(newest > NOTHING, newest + 1, 0)
        found = lookup(child.reshape(-1), key).cast(np.int64)
        alive = alive & (found > 0) & (newest > NOTHING)
        context = where(alive, found, context)
    return [lookup(logs, context), last]
