"""The verb forecast by a local method, over the series of a part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from ostinato.arguments import horizon_count, levels
from ostinato.data.sequences import SequenceSet
from ostinato.local.forecast import by_method, method_of
from ostinato.scale.columns import forecast_schema
from ostinato.scale.series import Failure
from ostinato.scale.work import PartResult


@dataclass(frozen=True)
class ForecastLocal:
    """A verb: the forecast of every series by a method that is fitted to it, in the columns of ``ostinato.forecast``.

    What a method shares between series, such as how often a form was chosen, is shared between the series of one part
    and of one frequency. The parts follow from the files alone, so the number of workers does not change a forecast.

    Attributes:
        model: The name of the method.
        season: The number of steps of a season; by the calendar of each series if None.
        horizon: The number of steps to forecast.
        level: The levels of the intervals in percent.
    """

    model: str
    season: int | None
    horizon: int
    level: tuple[float, ...]

    def __post_init__(self) -> None:
        method_of(self.model)
        object.__setattr__(self, "horizon", horizon_count(self.horizon))
        object.__setattr__(self, "level", levels(self.level))

    def __call__(self, data: SequenceSet, number: int) -> PartResult:
        """Return the result for the series of part ``number``; see ``Verb``."""
        schema = pl.Schema(forecast_schema(data, self.level))
        seen = [bool(np.isfinite(x).any(axis=0).all()) for x in data]
        bad = [
            Failure(key, "the series has no value to forecast from")
            for key, some in zip(data.ids, seen, strict=True)
            if not some
        ]
        data = data.take(np.flatnonzero(seen))
        if not len(data):
            return PartResult(pl.DataFrame(schema=schema), bad)
        ahead, local = by_method(data, self.horizon, self.level, model=self.model, season=self.season)
        made, far = ahead.frame.cast(schema), local.outliers.reshape(len(data), -1).any(axis=1)
        rows = self.horizon * len(data.channels)
        finite = made.select(pl.all_horizontal(pl.col(pl.Float64).is_finite())).to_series().to_numpy()
        whole = finite.reshape(len(data), rows).all(axis=1)
        bad += [Failure(data.ids[b], "the forecast is not finite") for b in np.flatnonzero(~whole).tolist()]
        return PartResult(made.filter(pl.Series(np.repeat(whole, rows))), bad, set_aside=int(far.sum()))
