"""The time of the peers' predict; this file runs in their environment without ostinato.

python -m forecast.peer_speed FOLDER HORIZON reads FOLDER/speed.npy (one series, then many) and writes
speed.peers.json.
"""

from __future__ import annotations

import json
import logging
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch


def measured(name: str, one: Callable[[], object], many: Callable[[], object], count: int) -> dict[str, object]:
    """Return a row: the median of 20 runs of one series after a warm-up, and one run of many series."""
    one()
    found = []
    for _ in range(20):
        begun = time.perf_counter()
        one()
        found.append(time.perf_counter() - begun)
    begun = time.perf_counter()
    many()
    each = count / (time.perf_counter() - begun)
    return {"who": name, "what": "predict", "ms": 1e3 * statistics.median(found), "series a second": each}


def frame(rows: np.ndarray) -> pd.DataFrame:
    """Return the series in Nixtla's long format."""
    count, steps = rows.shape
    columns = {
        "unique_id": np.repeat(np.arange(count), steps),
        "ds": np.tile(np.arange(steps), count),
        "y": rows.ravel(),
    }
    return pd.DataFrame(columns)


def main() -> None:
    """Measure LSTM and DeepAR of neuralforecast, and DeepAR of GluonTS with 200 paths."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    folder, horizon = Path(sys.argv[1]).resolve(), int(sys.argv[2])
    y = np.load(folder / "speed.npy")
    one, all_ = frame(y[:1]), frame(y[1:])
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        from gluonts.dataset.common import ListDataset
        from gluonts.torch import DeepAREstimator
        from neuralforecast import NeuralForecast, models

        quiet = {"enable_progress_bar": False, "logger": False, "enable_checkpointing": False}
        for name in ("LSTM", "DeepAR"):
            runner = NeuralForecast(models=[getattr(models, name)(h=horizon, max_steps=5, **quiet)], freq=1)
            runner.fit(df=one)
            rows.append(
                measured(
                    f"neuralforecast {name}",
                    partial(runner.predict, df=one),
                    partial(runner.predict, df=all_),
                    len(y) - 1,
                )
            )
        small, large = (
            ListDataset([{"start": pd.Period("1949-01", "M"), "target": row} for row in part], freq="M")
            for part in (y[:1], y[1:])
        )
        trainer = {"max_epochs": 1, "enable_progress_bar": False, "logger": False}
        estimator = DeepAREstimator(
            freq="M",
            prediction_length=horizon,
            num_batches_per_epoch=5,
            num_parallel_samples=200,
            trainer_kwargs=trainer,
        )
        predictor = estimator.train(small)
        rows.append(
            measured(
                "GluonTS DeepAR, 200 paths",
                lambda: list(predictor.predict(small)),
                lambda: list(predictor.predict(large)),
                len(y) - 1,
            )
        )
        os.chdir(folder)
    (folder / "speed.peers.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
