"""Sample paths of continuous values in plain numbers, with torch only if a layer of the backbone has no live step."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.emissions.conditional import Conditional
from ostinato.emissions.draws import PlainSource, in_torch
from ostinato.emissions.emission import Floats, PlainDraws, Support
from ostinato.inference.live.layers import array_of, bind
from ostinato.inference.live.step import places, steps_of
from ostinato.layers.ar import AR
from ostinato.layers.front import InnovationFront
from ostinato.layers.volatility import FARTHEST
from ostinato.model import SequenceModel
from ostinato.shapes import State


class KeptSteps(list[Conditional]):
    """The distributions of the first steps of sample paths, (B, ...) each.

    Args:
        most: The number of steps to keep.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    @property
    def open(self) -> bool:
        """Whether another step is kept."""
        return len(self) < self._most


def plain_paths(model: SequenceModel) -> PlainPaths | None:
    """Return the paths of a model in plain numbers; None for symbols, counts, sound, and all but float32 on the CPU."""
    match model.front:
        case InnovationFront(ar=ar) if model.encoding.continuous and (draws := model.emission.plain_draws) is not None:
            here = model.constant.dtype == torch.float32 and model.device.type == "cpu"
            return PlainPaths(model, ar, draws) if here else None
        case _:
            return None


@final
class PlainPaths:
    """The steps of ``predict``, ``sample`` and ``observe`` in plain numbers, on rows (B, ...) of float32."""

    def __init__(self, model: SequenceModel, ar: AR, draws: PlainDraws) -> None:
        self._model, self._order, self._draws, self._at = model, ar.order, draws, places(ar)
        self._lags = np.array(ar.lags, dtype=np.int64)
        self._constant = array_of(model.constant)
        self._head = None if model.head is None else array_of(model.head.weight).T
        self._weight = np.ascontiguousarray(array_of(ar.weight).transpose(1, 0, 2))  # (L + 1, D, L)
        self._bias, self._slope = array_of(ar.bias).T, array_of(ar.slope).T  # (L + 1, D)
        self._sigma = np.exp(array_of(ar.log_sigma).T)
        coupling = model.coupling
        # independent draws u (B, D) times this matrix are the innovations of coupled channels
        self._coupling = None if coupling is None else array_of(coupling.together(torch.eye(coupling.channels)))
        self._volatility = (
            None if ar.volatility is None else (array_of(ar.volatility.shock), array_of(ar.volatility.decay))
        )

    def draw(
        self,
        state: State,
        horizon: int,
        rng: PlainSource,
        support: Support,
        temperature: float,
        keep: KeptSteps | None = None,
    ) -> Tensor:
        """Return sample paths x_{t+1} .. x_{t+horizon} in model space, (T, B, D).

        Args:
            state: The state after x_t, (B, ...) each.
            horizon: The number T of steps.
            rng: The source of randomness: one generator, or one of each row.
            support: The support of the values, which are continuous, (B, D) each.
            temperature: Below 1 the draws keep to likely values; above 1 they vary more.
            keep: What takes the distributions of the first steps.
        """
        parts = self._model.parts(state)
        inputs, loc, sd, past, steps = (array_of(t) for t in parts.front)
        inputs = inputs.copy()
        run_backbone = self._bound_backbone(parts.backbone, inputs)
        (B, D), K = loc.shape, self._order
        seen, bound = steps.astype(np.int64), self._bound(support, rng, temperature)
        # newest first: the window of the last K values moves to the front by one step at a time
        values = np.empty((B, D, K + horizon), dtype=np.float32)
        values[:, :, horizon:] = past.transpose(0, 2, 1)
        for t in range(horizon):
            params: Floats = np.broadcast_to(self._constant, (B, *self._constant.shape))
            if self._head is not None:
                params = self._constant + (run_backbone() @ self._head).reshape(params.shape)
            if keep is not None and keep.open:
                keep.append(self._conditional(params, loc, np.broadcast_to(sd, (B, D))))
            drawn = self._draws(params, rng, temperature)
            z = bound(drawn, params, loc, sd)
            values[:, :, horizon - 1 - t] = z
            e = np.asarray((z - loc) / self._sigma[self._used(seen)], dtype=np.float32)
            sd = np.asarray(self._changed(e, sd, seen), dtype=np.float32)
            seen = seen + 1
            row = len(self._lags) if (seen >= K).all() else self._used(seen)
            newest = values[:, :, horizon - 1 - t : horizon - 1 - t + K]
            ahead: Floats = np.vecdot(self._weight[row], newest[:, :, self._at])
            loc = ahead + self._bias[row] + self._slope[row] * (seen + 1).astype(np.float32)[:, None]
            sd = np.asarray(self._sigma[row] * sd, dtype=np.float32)
            np.concatenate([z, np.ones_like(z), loc, np.arcsinh(e)], axis=-1, out=inputs)
        return torch.from_numpy(values[:, :, horizon - 1 :: -1].transpose(2, 0, 1).copy())

    def _bound(
        self, support: Support, rng: PlainSource, temperature: float
    ) -> Callable[[Floats, Floats, Floats, Floats], Floats]:
        """Return a function of draws (B, D), parameters, location and scale that returns the values in the support."""
        low = array_of(support.low)
        again = in_torch(rng) if np.isfinite(low).any() else None

        def values(drawn: Floats, params: Floats, loc: Floats, sd: Floats) -> Floats:
            e = drawn if self._coupling is None else drawn @ self._coupling
            z = np.asarray(loc + sd * e, dtype=np.float32)
            if again is None or not (z < low).any():
                return z
            # a channel that is drawn again moves the channels after it, so the whole step is
            given = self._conditional(params, loc, np.broadcast_to(sd, loc.shape))
            e = array_of(given.innovations_of(torch.from_numpy(drawn), support, again, temperature))
            return np.maximum(np.asarray(loc + sd * e, dtype=np.float32), low)

        return values

    def _conditional(self, params: Floats, loc: Floats, sd: Floats) -> Conditional:
        """Return the distribution of a step from its parameters (B, D, P), location and scale (B, D)."""
        held, at, scale = (torch.tensor(part) for part in (params, loc, sd))
        return Conditional(self._model.emission, held, at, scale, self._model.coupling)

    def _bound_backbone(self, state: State, inputs: Floats) -> Callable[[], Floats]:
        """Return a function that runs the backbone on the current content of inputs (B, F) and returns h (B, H)."""
        steps, backbone = steps_of(self._model), self._model.backbone
        if steps is not None:
            stack = bind(steps, [array_of(s).copy() for s in state], inputs)

            def bound() -> Floats:
                for run in stack.runs:
                    run()
                return stack.h

            return bound

        def through_torch() -> Floats:
            nonlocal state
            assert backbone is not None
            state, out = backbone.step(state, torch.from_numpy(inputs))
            return array_of(out)

        return through_torch

    def _used(self, seen: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many of the lags are used after ``seen`` (B,) steps, (B,)."""
        return np.searchsorted(self._lags, seen, side="right")

    def _changed(self, e: Floats, sd: Floats, seen: NDArray[np.int64]) -> Floats | float:
        """Return the scale of the next step over the everyday scale, (B, D)."""
        if self._volatility is None:
            return 1.0
        a, b = self._volatility
        v = np.square(sd / self._sigma[self._used(seen)])
        return np.asarray(np.sqrt(1 - a - b + a * np.square(np.clip(e, -FARTHEST, FARTHEST)) + b * v))
