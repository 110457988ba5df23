"""GARCH(1,1) with Student's t by the package arch; this file runs in the peers' environment without ostinato.

python -m forecast.garch FOLDER PANEL reads FOLDER/PANEL.parquet (unique_id; y, log returns in percent; known, 1 for
rows that may be fitted). It writes PANEL.garch.parquet: the log density of every return given the earlier ones, and
its PIT.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from arch import arch_model


def main() -> None:
    """Fit each series to its known rows, and continue the variances through the remaining rows."""
    folder, panel = Path(sys.argv[1]), sys.argv[2]
    frame, out, begun = pd.read_parquet(folder / f"{panel}.parquet"), [], time.perf_counter()
    for _, one in frame.groupby("unique_id", sort=False):
        y, known = one["y"].to_numpy(), int(one["known"].sum())
        model = arch_model(y, mean="Constant", vol="GARCH", p=1, q=1, dist="t")
        params = model.fit(disp="off", last_obs=known).params
        residuals = y - params["mu"]
        deviation = model.fix(params).conditional_volatility
        z, shape = residuals / deviation, np.array([params["nu"]])
        nats = model.distribution.loglikelihood(shape, residuals, deviation**2, individual=True)
        out.append(pd.DataFrame({"log_prob": nats + np.log(100), "pit": model.distribution.cdf(z, shape)}))
    pd.concat(out).to_parquet(folder / f"{panel}.garch.parquet")
    (folder / f"{panel}.garch.json").write_text(json.dumps({"seconds": time.perf_counter() - begun}) + "\n")


if __name__ == "__main__":
    main()
