"""The peers with their default settings; this file runs in their environment without ostinato.

python -m forecast.peers FOLDER CASE MODEL [MINUTES] reads CASE.parquet and CASE.json in FOLDER and writes
CASE.MODEL.parquet and .json. The training of networks ends after MINUTES, if given. A peer is asked for the deciles
and the ends of the intervals. If a peer forecasts only points by default, the loss of these quantiles replaces its
default loss. Local methods are fitted again to each history, and networks once.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

LEVELS = [0.005, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975, 0.995]
INTERVALS = [20, 40, 60, 80, 90, 95, 99]

#: The forecasts of a window: points (B, H) and quantiles (B, H, Q) at LEVELS.
Said = tuple[np.ndarray, np.ndarray]
#: A function from a cutoff (in steps from the end) to the forecasts of its window.
Predict = Callable[[int], Said]
CORES = os.cpu_count() or 1
#: The arguments of every Lightning trainer.
TRAINER: dict[str, Any] = {"enable_progress_bar": False, "logger": False}


class Task:
    """A case as files.py writes it: frames with unique_id, ds (a number), y and future covariates."""

    def __init__(self, folder: Path, name: str) -> None:
        self.frame = pd.read_parquet(folder / f"{name}.parquet")
        told = json.loads((folder / f"{name}.json").read_text())
        self.horizon, self.season, self.seasons = told["horizon"], told["season"], told["seasons"]
        self.backs, self.freq, self.start = told["backs"], told["freq"], told["start"]
        self.known: list[str] = told["known"]
        self.ids = list(dict.fromkeys(self.frame["unique_id"]))
        self._left = self.frame.groupby("unique_id", sort=False)["ds"].transform("max") - self.frame["ds"]

    def before(self, back: int) -> pd.DataFrame:
        """Return the rows up to a cutoff."""
        return self.frame[self._left >= back]

    def ahead(self, back: int) -> pd.DataFrame:
        """Return the future covariates of the steps after a cutoff."""
        inside = (self._left < back) & (self._left >= back - self.horizon)
        rows: pd.DataFrame = self.frame.loc[inside, ["unique_id", "ds", *self.known]]
        return rows

    def shaped(self, column: pd.Series) -> np.ndarray:
        """Return a column as (B, H), in the order of the series."""
        return column.to_numpy(dtype=np.float64).reshape(len(self.ids), self.horizon)


def _of_intervals(task: Task, frame: pd.DataFrame, name: str, middle: str) -> Said:
    """Make forecasts from Nixtla's columns, in any order of rows."""
    frame = frame.set_index("unique_id").loc[task.ids]
    columns = [f"{name}-lo-{i}" for i in reversed(INTERVALS)] + [middle] + [f"{name}-hi-{i}" for i in INTERVALS]
    found = [next(c for c in (column, f"{column}.0") if c in frame) for column in columns]
    return task.shaped(frame[found[len(INTERVALS)]]), np.stack([task.shaped(frame[c]) for c in found], -1)


def statsforecast(name: str, task: Task) -> Predict:
    """Return SeasonalNaive, AutoETS, AutoTheta and MSTL; a history that is too short repeats its last value."""
    from statsforecast import StatsForecast, models

    season = task.seasons if name == "MSTL" else 1 if name == "SeasonalNaive" and task.season == 1 else task.seasons[0]
    model = getattr(models, name)(season_length=season)
    runner = StatsForecast(
        models=[model], freq=1, n_jobs=min(CORES, len(task.ids)), fallback_model=models.Naive(alias=name)
    )

    def predict(back: int) -> Said:
        history = task.before(back)[["unique_id", "ds", "y"]]
        return _of_intervals(task, runner.forecast(df=history, h=task.horizon, level=INTERVALS), name, name)

    return predict


def neuralforecast(name: str, task: Task) -> Predict:
    """Return LSTM and GRU of neuralforecast, or DeepAR."""
    from neuralforecast import NeuralForecast, models
    from neuralforecast.losses.pytorch import DistributionLoss, MQLoss

    loss = MQLoss(level=INTERVALS)
    if name == "DeepAR":
        loss = DistributionLoss("StudentT", level=INTERVALS, return_params=False)
    options = {**TRAINER, "enable_checkpointing": False}
    model = getattr(models, name)(h=task.horizon, loss=loss, futr_exog_list=task.known or None, **options)
    runner = NeuralForecast(models=[model], freq=1)
    runner.fit(df=task.before(task.backs[0]))

    def predict(back: int) -> Said:
        known = {"futr_df": task.ahead(back)} if task.known else {}
        return _of_intervals(task, runner.predict(df=task.before(back), **known).reset_index(), name, f"{name}-median")

    return predict


def gluonts(name: str, task: Task) -> Predict:
    """Return DeepAR of GluonTS."""
    from gluonts.dataset.common import ListDataset
    from gluonts.torch import DeepAREstimator

    def given(back: int, unknown: int) -> ListDataset:
        """Return the rows up to a cutoff; the last steps have only future covariates."""
        rows = []
        for key, one in task.before(back).groupby("unique_id", sort=False):
            y = one["y"].to_numpy(dtype=np.float32)
            row = {"item_id": key, "start": pd.Period(task.start, task.freq), "target": y[: len(y) - unknown]}
            if task.known:
                row["feat_dynamic_real"] = one[task.known].to_numpy(dtype=np.float32).T
            rows.append(row)
        return ListDataset(rows, freq=task.freq)

    estimator = DeepAREstimator(
        freq=task.freq,
        prediction_length=task.horizon,
        num_feat_dynamic_real=len(task.known),
        trainer_kwargs=TRAINER,
    )
    predictor = estimator.train(given(task.backs[0], 0))

    def predict(back: int) -> Said:
        said = predictor.predict(given(back - task.horizon, task.horizon))
        q = np.stack([np.stack([one.quantile(p) for p in LEVELS], -1) for one in said])
        return q[..., len(LEVELS) // 2], q

    return predict


FAMILIES: dict[str, Callable[[str, Task], Predict]] = {
    "statsforecast": statsforecast,
    "neuralforecast": neuralforecast,
    "gluonts": gluonts,
}


def main() -> None:
    """Run one peer on one case; see the module."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    folder, case, peer, *minutes = Path(sys.argv[1]).resolve(), *sys.argv[2:]
    if minutes:
        TRAINER["max_time"] = {"minutes": int(minutes[0])}
    family, name = peer.split("-")
    task = Task(folder, case)
    frames, spent = [], []
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)  # lightning leaves folders in the working directory
        begun = time.perf_counter()
        predict = FAMILIES[family](name, task)
        fit = time.perf_counter() - begun
        for window, back in enumerate(task.backs):
            begun = time.perf_counter()
            point, q = predict(back)
            spent.append(time.perf_counter() - begun)
            columns = {f"q{p:g}": q[..., i].ravel() for i, p in enumerate(LEVELS)}
            frames.append(pd.DataFrame({"window": window, "point": point.ravel(), **columns}))
        os.chdir(folder)
    pd.concat(frames).to_parquet(folder / f"{case}.{peer}.parquet")
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    processor = sum(u.ru_utime + u.ru_stime for u in used)
    facts = {"fit seconds": fit, "predict seconds": spent, "processor seconds": processor, "version": version(family)}
    if minutes and family != "statsforecast":
        facts["notes"] = [f"training ended after {minutes[0]} minutes at the latest"]
    (folder / f"{case}.{peer}.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
