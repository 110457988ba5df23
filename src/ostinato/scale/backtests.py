"""Backtests of the series of a part, with sums that are added up over all parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from ostinato.arguments import levels
from ostinato.data.ids import META, dtype_of
from ostinato.data.sequences import SequenceSet
from ostinato.evaluation.backtest import cross_validation
from ostinato.evaluation.baselines import BASELINES
from ostinato.evaluation.choice import names
from ostinato.evaluation.windows import BacktestPlan
from ostinato.forecasting.table import ends
from ostinato.model_file import Model
from ostinato.scale.columns import time_type
from ostinato.scale.models import possible
from ostinato.scale.series import Failure
from ostinato.scale.work import PartResult


@dataclass(frozen=True)
class BacktestPart:
    """A verb: the backtest of every series by a model and the baselines. Its sums are the tallies by model.

    Attributes:
        name: The digest of a fitted model or the name of a local method, for the fingerprint of a run; "" without any.
        model: The fitted model, the name of a local method, or None for the baselines alone.
        windows: The windows of the backtest.
        season: The number of steps of a season, for the baselines and the measures.
        own_season: The season that was given, for a local method; None to follow the calendar of each series.
        level: The levels of the intervals in percent.
        n_paths: The number of sample paths.
    """

    name: str
    model: Model | str | None = field(repr=False)
    windows: BacktestPlan
    season: int
    own_season: int | None
    level: tuple[float, ...]
    n_paths: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "level", levels(self.level))

    def __call__(self, data: SequenceSet, number: int) -> PartResult:
        """Return the result for the series of part ``number``; see ``Verb``."""
        bad: list[Failure] = []
        if self.model and not isinstance(self.model, str):
            data, bad = possible(self.model, data)
        long = self.windows.fits(data, 0)
        bad += [
            Failure(key, "the series is too short for the backtest windows")
            for key, fits in zip(data.ids, long, strict=True)
            if not fits
        ]
        schema = pl.Schema(self._schema(data))
        if not long.any():
            return PartResult(pl.DataFrame(schema=schema), bad)
        made = cross_validation(
            data.take(np.flatnonzero(long)),
            [self.model] if self.model else (),
            horizon=self.windows.horizon,
            n_windows=self.windows.count,
            step_size=self.windows.step,
            level=self.level,
            season=self.season,
            own_season=self.own_season,
            n_paths=self.n_paths,
        )
        sums = {name: tally.sums() for name, tally in made.tallies.items()}
        far = {key for tally in made.tallies.values() for key in tally.set_aside}
        return PartResult(made.frame.cast(schema), bad, sums, len(far))

    def _schema(self, data: SequenceSet) -> dict[str, Any]:
        times = time_type(data)
        channel = {"channel": pl.String()} if len(data.channels) > 1 else {}
        models = (*names([self.model] if self.model else []), *BASELINES)
        columns = [column for name in models for column in (name, *ends(name, self.level))]
        whole = {"unique_id": dtype_of(data.meta.get(META)), "ds": times, "cutoff": times, **channel}
        return {**whole, **dict.fromkeys(("y", *columns), pl.Float64())}
