"""The verbs score and forecast of a fitted model, over the series of a part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import singledispatch

import numpy as np
import polars as pl

from ostinato.arguments import levels
from ostinato.arguments import seed as checked_seed
from ostinato.data.ids import id_column
from ostinato.data.sequences import SequenceSet
from ostinato.direct.model import DirectModel
from ostinato.forecasting.inputs import horizon_of
from ostinato.inference.forecast import check_forecast, forecast
from ostinato.inference.score import score
from ostinato.model import SequenceModel
from ostinato.model_file import Model
from ostinato.scale.columns import forecast_schema
from ostinato.scale.series import Failure, without
from ostinato.scale.work import PartResult


@dataclass(frozen=True)
class ScorePart:
    """A verb: the surprisal of every step. Its sums are the log-likelihood in nats and the number of scored steps.

    The columns are unique_id, step (from 1) and surprisal (in nats).

    Attributes:
        name: The digest of the model, for the fingerprint of a run.
        model: The fitted model.
    """

    name: str
    model: SequenceModel = field(repr=False)

    def __call__(self, data: SequenceSet, number: int) -> PartResult:
        """Return the result for the series of part ``number``; see ``Verb``."""
        data, bad = possible(self.model, data)
        scores = score(self.model, data)
        lengths = np.diff(scores.offsets)
        steps = np.arange(len(scores.surprisal)) - np.repeat(scores.offsets[:-1], lengths) + 1
        names = id_column(data.ids, lengths, data.meta)
        sums = {"log_prob": float(scores.log_prob.sum()), "scored": int(scores.steps.sum())}
        return PartResult(pl.DataFrame({"unique_id": names, "step": steps, "surprisal": scores.surprisal}), bad, sums)


@dataclass(frozen=True)
class ForecastPart:
    """A verb: the forecast of every series from the end of its history, in the columns of ``ostinato.forecast``.

    Each part draws its own sample paths, from the seed and its number.

    Attributes:
        name: The digest of the model, for the fingerprint of a run.
        model: The fitted model.
        horizon: The number of steps to forecast.
        level: The levels of the intervals in percent.
        n_paths: The number of sample paths.
        seed: The seed of the whole run.
    """

    name: str
    model: SequenceModel = field(repr=False)
    horizon: int
    level: tuple[float, ...]
    n_paths: int
    seed: int

    def __call__(self, data: SequenceSet, number: int) -> PartResult:
        """Return the result for the series of part ``number``; see ``Verb``."""
        data, bad = possible(self.model, data)
        schema = forecast_schema(data, self.level)
        if not len(data):
            return PartResult(pl.DataFrame(schema=schema), bad)
        seed = int(np.random.SeedSequence((self.seed, number)).generate_state(1)[0])
        made = forecast(self.model, data, self.horizon, self.level, n_paths=self.n_paths, seed=seed)
        return PartResult(made.frame.cast(pl.Schema(schema)), bad)


@dataclass(frozen=True)
class ForecastDirectPart:
    """A verb: the forecast of every series by a direct model, in the columns of ``ostinato.forecast``.

    The matrix products have one row for each series of the part. With networks, the last bits (float32) may therefore
    differ from a forecast of the whole panel at once.

    Attributes:
        name: The digest of the model, for the fingerprint of a run.
        model: The fitted model.
        horizon: The number of steps to forecast.
        level: The levels of the intervals in percent.
    """

    name: str
    model: DirectModel = field(repr=False)
    horizon: int
    level: tuple[float, ...]

    def __call__(self, data: SequenceSet, number: int) -> PartResult:
        """Return the result for the series of part ``number``; see ``Verb``."""
        data, bad = possible(self.model, data)
        schema = forecast_schema(data, self.level)
        if not len(data):
            return PartResult(pl.DataFrame(schema=schema), bad)
        return PartResult(forecast(self.model, data, self.horizon, self.level).frame.cast(pl.Schema(schema)), bad)


def possible(model: Model, data: SequenceSet) -> tuple[SequenceSet, list[Failure]]:
    """Split off the series that the model cannot continue from, or whose values have no probability under it."""
    return without(data, model.unusable(data), model.check_values)


@singledispatch
def forecast_part(
    model: Model, name: str, horizon: int | None, level: Sequence[float], n_paths: int, seed: int
) -> ForecastPart | ForecastDirectPart:
    """Return the forecast of a part by a model, after checks of the options; each type of model has its own below.

    Args:
        model: A fitted model.
        name: The name of the model in a fingerprint.
        horizon: The number of steps; None for the default of the model.
        level: The coverage of the intervals, in percent.
        n_paths: The number of sample paths, if the model draws any.
        seed: The seed of the sample paths.

    Raises:
        ConfigError: An option is out of range.
        TypeError: The model has another type.
    """
    raise TypeError(f"model must be a SequenceModel or a DirectModel, got {type(model).__name__}")


@forecast_part.register(SequenceModel)
def _paths_part(
    model: SequenceModel, name: str, horizon: int | None, level: Sequence[float], n_paths: int, seed: int
) -> ForecastPart:
    """Return the forecast of a part by sample paths."""
    horizon, level, n_paths = check_forecast(model, horizon, level, n_paths)
    return ForecastPart(name, model, horizon, level, n_paths, checked_seed(seed))


@forecast_part.register(DirectModel)
def _direct_part(
    model: DirectModel, name: str, horizon: int | None, level: Sequence[float], n_paths: int, seed: int
) -> ForecastDirectPart:
    """Return the forecast of a part by the quantiles of a direct model."""
    return ForecastDirectPart(name, model, horizon_of(model, horizon), levels(level))
