"""The autoregressions of statsforecast over a panel; this file runs in the peers' environment without ostinato.

.venv-peers/bin/python benchmarks/scale_peers.py PANEL SERIES MODEL fits and forecasts the first SERIES series one
after the other in this process, as benchmarks/scale.py does, and prints JSON. MODEL is one of MODELS.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"))

import pandas as pd
import statsforecast
from statsforecast import StatsForecast
from statsforecast.models import AutoARIMA, AutoRegressive

#: The true order of the made series; an order chosen by BIC among autoregressions; and the default of the library.
MODELS = {
    "AutoRegressive of the true order 2": lambda: AutoRegressive(lags=2),
    "AutoARIMA of autoregressions alone": lambda: AutoARIMA(
        max_p=15, max_q=0, d=0, D=0, ic="bic", seasonal=False, max_order=15
    ),
    "AutoARIMA": AutoARIMA,
}


def main() -> None:
    """Measure one model."""
    warnings.simplefilter("ignore")
    panel, count, name = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    frame = pd.read_parquet(panel)
    wanted = frame["unique_id"].unique()[:count]
    frame = frame[frame["unique_id"].isin(set(wanted))]
    runner = StatsForecast(models=[MODELS[name]()], freq="D", n_jobs=1)
    runner.forecast(
        df=frame[frame["unique_id"] == wanted[0]], h=12, level=[80, 95]
    )  # compiles what is compiled on first use
    begun = time.process_time()
    found = runner.forecast(df=frame, h=12, level=[80, 95])
    seconds = time.process_time() - begun
    assert len(found) == 12 * len(wanted)
    told = {"who": f"statsforecast {statsforecast.__version__}", "what": name, "series": len(wanted)}
    print(json.dumps({**told, "processor_ms": 1e3 * seconds / len(wanted)}))


if __name__ == "__main__":
    main()
