"""A direct model as a forecaster for sktime, with fit, predict, predict_quantiles and update.

This module needs sktime and pandas: pip install 'ostinato[sktime]'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import polars as pl
from numpy.typing import NDArray
from sktime.forecasting.base import BaseForecaster, ForecastingHorizon

from ostinato.data.read import read
from ostinato.data.sequences import SequenceSet
from ostinato.direct_fit.fit import fit_direct
from ostinato.errors import ConfigError
from ostinato.fits.budget import Budget
from ostinato.inference.forecast import forecast
from ostinato.numbers import plain

#: The level of intervals that nobody asked for: a forecast has at least one.
_USUAL = (80.0,)


class DirectForecaster(BaseForecaster):  # type: ignore[misc]
    """A forecaster that predicts the quantiles of all steps ahead at once from the last values of a series.

    X holds future covariates, which are known for the steps ahead. ``update`` with update_params=False continues from
    the new values without a new fit.

    Args:
        season: The number of steps of a season; by the frequency of the index if left out.
        window: The number of past steps that the model sees; searched if left out.
        networks: The number of networks that are added to the least-squares model; 0 for none.
        steps: The largest number of training steps of each network.
        seed: The seed; the same seed gives the same result.

    >>> import pandas as pd
    >>> from ostinato.integrations.sktime import DirectForecaster
    >>> y = pd.Series([float(t % 4) for t in range(60)])
    >>> DirectForecaster(season=4, networks=0).fit(y, fh=[1, 2]).predict().round(3).tolist()
    [0.0, 1.0]
    """

    _tags: ClassVar[dict[str, Any]] = {
        "authors": ["ostinato"],
        "y_inner_mtype": "pd.Series",
        "X_inner_mtype": "pd.DataFrame",
        "scitype:y": "univariate",
        "capability:exogenous": True,
        "capability:missing_values": True,
        "capability:pred_int": True,
        "capability:pred_int:insample": False,
        "capability:insample": False,
        "requires-fh-in-fit": True,
        "enforce_index_type": None,
        "python_dependencies": "torch",
    }

    def __init__(
        self,
        season: int | None = None,
        window: int | None = None,
        networks: int = 1,
        steps: int | None = None,
        seed: int = 0,
    ) -> None:
        self.season, self.window, self.networks, self.steps, self.seed = season, window, networks, steps, seed
        super().__init__()
        self.set_config(remember_data=True)  # a forecast starts from all values so far

    def _fit(self, y: pd.Series, X: pd.DataFrame | None, fh: Any) -> DirectForecaster:
        ahead = self._steps(fh)
        if ahead.min() < 1:
            raise ConfigError(
                f"fh must be at least 1 step after the end, got {ahead.min()}", fix="use an fh of 1 or more"
            )
        budget = Budget(None, self.steps)
        options: dict[str, Any] = {"season": self.season, "window": self.window, "networks": self.networks}
        self.model_ = fit_direct(_read(y, X), int(ahead.max()), budget=budget, seed=self.seed, **options).model
        return self

    def _predict(self, fh: Any, X: pd.DataFrame | None) -> pd.Series:
        point = self._ahead(X, _USUAL)["ostinato"].to_numpy()
        index = fh.to_absolute_index(self.cutoff)
        return pd.Series(point[self._steps(fh) - 1], index=index, name=self._y.name)

    def _predict_quantiles(self, fh: Any, X: pd.DataFrame | None, alpha: Sequence[float]) -> pd.DataFrame:
        level = sorted({_level(p) for p in alpha} - {0.0})
        table, steps = self._ahead(X, level or _USUAL), self._steps(fh) - 1
        name = self._y.name if self._y.name is not None else 0
        columns = {}
        for p in alpha:
            side, one = ("lo" if p < 0.5 else "hi"), _level(p)
            # the point forecast is the median
            column = f"ostinato-{side}-{plain(one)}" if one else "ostinato"
            columns[name, p] = table[column].to_numpy()[steps]
        frame = pd.DataFrame(columns, index=fh.to_absolute_index(self.cutoff))
        frame.columns = pd.MultiIndex.from_tuples(list(columns))
        return frame

    def _update(self, y: pd.Series, X: pd.DataFrame | None = None, update_params: bool = True) -> DirectForecaster:
        if update_params:
            self._fit(self._y, self._X, self._fh)
        return self

    def _ahead(self, X: pd.DataFrame | None, level: Sequence[float]) -> pl.DataFrame:
        """Return the forecast of every step up to the horizon, from the last value so far."""
        history = _read(self._y, self._X)
        if history.covariates is None or X is None:
            return forecast(self.model_, history, None, level).frame
        # X may hold only the steps of fh: a step in between, which is not returned, gets the row before it
        at = np.asarray(ForecastingHorizon(X.index, is_relative=False).to_relative(self.cutoff).to_numpy(), dtype=int)
        rows = np.flatnonzero(at > 0)
        each = np.searchsorted(at[rows], np.arange(1, at.max(initial=0) + 1), side="right") - 1
        ahead = X.to_numpy(dtype=np.float64)[rows[np.maximum(each, 0)]]
        history = replace(history, covariates=replace(history.covariates, ahead=(ahead,)))
        return forecast(self.model_, history, min(self.model_.max_horizon or len(ahead), len(ahead)), level).frame

    def _steps(self, fh: Any) -> NDArray[np.int64]:
        return np.asarray(fh.to_relative(self.cutoff).to_numpy(), dtype=np.int64)

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Return quick settings for sktime's own tests."""
        return [{"networks": 0, "season": 1, "window": 4}, {"networks": 1, "steps": 2, "season": 2, "window": 4}]


def _read(y: pd.Series, X: pd.DataFrame | None) -> SequenceSet:
    frame = _frame(y, X)
    return read(frame, kind="series", time_col="ds", target="y", future_covariates=frame.columns[2:])


def _frame(y: pd.Series, X: pd.DataFrame | None) -> pl.DataFrame:
    """Return a frame of the times, y, and the columns of X at the times of y."""
    index = y.index.to_timestamp() if isinstance(y.index, pd.PeriodIndex) else y.index
    columns: dict[str, Any] = {"ds": index.to_numpy(), "y": y.to_numpy(dtype=np.float64)}
    if X is not None:
        X = X.loc[y.index]
        columns.update((f"x{i}", X.iloc[:, i].to_numpy(dtype=np.float64)) for i in range(X.shape[1]))
    return pl.DataFrame(columns)


def _level(p: float) -> float:
    """Return the coverage in percent of the interval that ends at the quantiles p and 1 - p; 0 for the median."""
    # p and 1 - p differ from each other by a rounding error
    return round(100 * abs(1 - 2 * p), 10)
