"""Series of a panel: good ones, and bad ones that must fail by themselves."""

from __future__ import annotations

import numpy as np
import polars as pl

#: The bad series of a panel, and words in the error of each.
POISON = {
    "p-infinite": "the infinite value",
    "p-missing": "every value in column 'y' is missing",
    "p-one": "at least 3 observed values, got 1",
    "p-twice": "occurs twice",
}


def series(name: str, n: int, rng: np.random.Generator) -> pl.DataFrame:
    """N days of an autoregression of order 2."""
    e, y = rng.standard_normal(n + 20), np.zeros(n + 20)
    for t in range(2, n + 20):
        y[t] = 0.6 * y[t - 1] + 0.2 * y[t - 2] + e[t]
    ds = np.datetime64("2020-01-01", "us") + np.arange(n) * np.timedelta64(1, "D")
    return pl.DataFrame({"unique_id": [name] * n, "ds": ds, "y": y[20:]})


def poisoned() -> list[pl.DataFrame]:
    """The series of POISON."""
    rng, y = np.random.default_rng(9), pl.col("y")
    bad = {name: series(name, 1 if name == "p-one" else 40, rng) for name in POISON}
    step = pl.int_range(pl.len())
    bad["p-infinite"] = bad["p-infinite"].with_columns(pl.when(step == 7).then(float("inf")).otherwise(y).alias("y"))
    bad["p-missing"] = bad["p-missing"].with_columns(y=pl.lit(float("nan")))
    bad["p-twice"] = bad["p-twice"].with_columns(ds=pl.when(step == 9).then(pl.col("ds").shift()).otherwise("ds"))
    return list(bad.values())
