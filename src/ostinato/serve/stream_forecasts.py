"""Forecasts and samples from the present state of one stream, which take longer than a push."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato.arguments import levels
from ostinato.data.alphabet import Alphabet
from ostinato.data.sequences import SequenceSet
from ostinato.emissions.choice import Choice
from ostinato.emissions.emission import Support
from ostinato.errors import ConfigError
from ostinato.forecasting.table import ends
from ostinato.inference.ahead import StepsAhead, missing_at_the_end, steps_ahead
from ostinato.inference.clock import Clock
from ostinato.inference.live.rows import Rows
from ostinato.inference.parameter_uncertainty import MOST, note_of, small_sample, uncertain, with_uncertainty
from ostinato.inference.rollout import generators, paths
from ostinato.inference.writing import Writing, stop_strings
from ostinato.model import SequenceModel
from ostinato.numbers import counted
from ostinato.serve.schema import ForecastAsked, SampleAsked, numbers
from ostinato.shapes import Array, State

#: The most multiplications of one forecast or sample, about ten seconds of a core: nothing can stop it once it runs.
_MOST = 200_000_000_000
#: The steps of sample paths that count as one event against the rate of a token: many are made at a time. This holds
#: for a model of so many weights and numbers of state; a larger one counts for more in proportion.
_TOGETHER, _USUAL = 100, 20_000


def events(model: SequenceModel, state: int, paths: int, steps: int) -> int:
    """Return the number of events that a request for sample paths counts as.

    Args:
        model: The model.
        state: The numbers in the state of a stream.
        paths: The paths.
        steps: The steps of each.
    """
    return math.ceil(paths * steps * max(_size(model, state), _USUAL) / (_TOGETHER * _USUAL))


def _size(model: SequenceModel, state: int) -> int:
    """Return the multiplications of a step; an adaptive model steps its state, which is larger than its weights."""
    return sum(w.numel() for w in model.parameters()) + state


@dataclass(frozen=True)
class StreamForecasts:
    """The state of a stream that is not changed by later pushes.

    Attributes:
        unique_id: The stream.
        rows: The steps of the model.
        state: The state, (1, ...) each.
        last: The last prices that are observed, (D,); empty without prices.
        seq: The number of the last event.
        clock: The clock, or None.
        seen: The last values that are remembered, (T, D), where the coefficients of the model are in doubt (see
            ``inference.parameter_uncertainty``); otherwise None.
        steps: The number of steps of the stream.
    """

    unique_id: str
    rows: Rows
    state: State
    last: Array
    seq: int
    clock: Clock | None
    seen: Array | None = None
    steps: int = 0

    def _data(self) -> SequenceSet:
        """Return the last rows, from which prices go on."""
        values = self.last[None] if self.last.size else np.zeros((0, self.rows.model.channels))
        if not self.rows.model.description.traits.numeric:
            values = np.zeros((0, 1), dtype=np.int32)
        return self._set_of(values)

    def _set_of(self, values: NDArray[Any]) -> SequenceSet:
        """Return rows of the stream (T, D) as one sequence."""
        return self.rows.set_of([self.unique_id], values, np.array([len(values)], dtype=np.int64))

    def _check_work(self, paths: int, steps: int, name: str) -> None:
        """Check that this number of paths and steps takes seconds, and not minutes.

        Raises:
            ConfigError: They take longer.
        """
        size = _size(self.rows.model, sum(s.numel() for s in self.state))
        if paths * steps * size > _MOST:
            raise ConfigError(
                f"{counted(paths, 'path')} of {counted(steps, 'step')} take too long with this model",
                fix=f"lower {name}: with so many steps, at most {max(1, _MOST // (steps * size)):,}",
            )

    def forecast(self, asked: ForecastAsked) -> dict[str, Any]:
        """Return a forecast.

        Raises:
            ConfigError: The model is one of text, prices have nothing to go on from, or it would take too long.
        """
        model = self.rows.model
        if not model.description.traits.numeric:
            raise ConfigError("text has no mean to forecast", fix="use sample, which continues the stream")
        if self.last.size and np.isnan(self.last).any():
            raise ConfigError("the stream has no price to go on from", fix="push a price first")
        self._check_work(asked.n_paths, asked.horizon, "n_paths")
        wanted = ends("", levels(asked.level))
        made = steps_ahead(
            model,
            self._data(),
            asked.horizon,
            np.array(list(wanted.values())),
            n_paths=asked.n_paths,
            seed=asked.seed,
            state=self.state,
        )
        (one,), notes = self._with_uncertainty(made)
        found = {name.removeprefix("-"): q for name, q in zip(wanted, one.quantiles, strict=True)}
        return {
            "unique_id": self.unique_id,
            "seq": self.seq,
            "ds": None if self.clock is None else self.clock.ahead(asked.horizon),
            "forecast": [numbers(row) for row in one.point],
            "intervals": {name: [numbers(row) for row in q] for name, q in found.items()},
            "notes": notes,
        }

    def _with_uncertainty(self, made: list[StepsAhead]) -> tuple[list[StepsAhead], list[str]]:
        """Return the steps ahead, which allow for the same as those of ``ostinato.forecast``, and the notes on them."""
        count = small_sample(self.rows.model)
        if self.seen is None or count is None:
            return made, []
        known = len(self.seen)
        if not known:
            fitted = uncertain(count)
            return made, [f"{fitted}; the forecast does not allow for it, because no value of the stream is remembered"]
        notes = [note_of(count)]
        # without a clock no step was left out between two events
        if known < self.steps and (known < MOST or self.clock is not None):
            steps = counted(self.steps, "step")
            notes.append(f"this is computed from the {known:,} that are remembered of the {steps} of the stream")
        seen = self._set_of(self.seen)
        gaps = missing_at_the_end(seen)
        return with_uncertainty(self.rows.model, seen.cut(np.zeros_like(gaps), seen.lengths - gaps), gaps, made), notes

    @torch.inference_mode()
    def sample(self, asked: SampleAsked) -> dict[str, Any]:
        """Return samples.

        Raises:
            ConfigError: The options cannot be used with the model, or it would take too long.
        """
        self._check_work(asked.n_samples, asked.length, "n_samples")
        model, data = self.rows.model, self._data()
        encoding, numeric = model.encoding, model.description.traits.numeric
        choice = Choice.of(asked.temperature, asked.top_p, asked.top_k, asked.min_p, symbols=not numeric)
        strings = stop_strings(asked.stop, symbols=not numeric)
        encoded = encoding.encode(data)
        support = Support(*(s[:1] for s in (encoded.unit, encoded.low, encoded.high)))
        drawn = paths(
            model,
            model.repeated(self.state, asked.n_samples),
            support,
            asked.length,
            generators(model, asked.seed, asked.n_samples),
            choice=choice,
            writing=Writing(encoding, strings) if isinstance(encoding, Alphabet) else None,
        ).transpose(0, 1)
        steps = drawn.double().numpy() if drawn.is_floating_point() else drawn.numpy()
        found = encoding.samples(steps, data, "")
        samples = [one if isinstance(one, str) else [numbers(row) for row in np.asarray(one, float)] for one in found]
        return {"unique_id": self.unique_id, "seq": self.seq, "samples": samples}
