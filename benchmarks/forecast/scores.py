"""The scores of all forecasts, by the measures of ostinato's own backtests: one row per model."""

from __future__ import annotations

import numpy as np
import polars as pl

from forecast.cases import Case
from forecast.files import Said
from ostinato.data.read import read
from ostinato.evaluation.forecasters import Baseline, Predicted
from ostinato.evaluation.metrics import seasonal_error
from ostinato.evaluation.summary import Tally, probabilities, summary

#: The levels whose ends, together with the deciles, a direct model forecasts.
INTERVALS = (90, 95, 99)
#: The naive methods, with the formulas of every backtest.
NAIVE = ("naive", "seasonal_naive", "naive2")


def naive(case: Case, name: str) -> Said:
    """Forecast every window of the case with a naive method."""
    rule, grid = Baseline(name, name, case.season), probabilities(INTERVALS)
    said = [rule.predict(read(case.before(back)), case.horizon, grid) for back in case.backs]
    quantiles = np.stack([p.quantiles[:, 0].swapaxes(-1, -2) for p in said])
    return Said(np.stack([p.point[:, 0] for p in said]), quantiles, 0.0, 0.0)


def table(case: Case, everyone: dict[str, Said]) -> pl.DataFrame:
    """Return one row per model over all windows; ``owa of a window`` has one figure per window, oldest first."""
    whole = {name: Tally(INTERVALS) for name in everyone}
    each: dict[str, list[Tally]] = {name: [] for name in everyone}
    for w, back in enumerate(case.backs):
        y = case.after(back)[:, None]
        scale = np.array([[seasonal_error(x, case.season)] for x in case.before(back).values()])
        nothing = np.full((len(y), case.horizon), np.nan)
        for name, said in everyone.items():
            predicted = Predicted(said.point[w][:, None], said.quantiles[w].swapaxes(-1, -2)[:, None])
            each[name].append(Tally(INTERVALS))
            for tally in (whole[name], each[name][-1]):
                tally.add(y, predicted, scale, nothing)
    owas = [summary({name: each[name][w] for name in everyone})["owa"].to_list() for w in range(len(case.backs))]
    reference = whole["seasonal_naive"].wql
    return summary(whole).select(
        "model",
        "owa",
        "wql",
        (pl.col("wql") / reference).alias("wql / seasonal naive"),
        "mase",
        "smape",
        "msis",
        pl.col("coverage-95") / 1.0,
        pl.Series("fit s", [said.fit_seconds for said in everyone.values()]),
        pl.Series("window s", [said.predict_seconds for said in everyone.values()]),
        pl.Series("processor s", [said.processor_seconds for said in everyone.values()]),
        pl.Series("owa of a window", [list(row) for row in zip(*owas, strict=True)]),
    )


def words(case: Case, frame: pl.DataFrame) -> list[str]:
    """Return the target marks of this case, each met or missed."""
    rows = {row["model"]: row for row in frame.iter_rows(named=True)}
    ours, naive_ = rows["ostinato"], rows["seasonal_naive"]
    peers = {name: row for name, row in rows.items() if "-" in name}
    out = [_mark("wQL at most 1 % over seasonal naive's", ours["wql"] / naive_["wql"], 1.01)]
    if case.name.startswith("hourly"):
        out += [
            _mark("wQL 15 % under seasonal naive's", ours["wql"] / naive_["wql"], 0.85),
            _mark("OWA", ours["owa"], 0.45),
            f"95 % coverage {ours['coverage-95']:.3f}, to be .92 to .98: {_met(0.92 <= ours['coverage-95'] <= 0.98)}",
        ]
    if case.name.startswith("weekly"):
        out.append(_mark("OWA", ours["owa"], 0.80))
        out += [_mark(f"OWA under {name}'s", ours["owa"], row["owa"]) for name, row in peers.items()]
    if case.name.startswith("exchange"):
        out.append(_mark("wQL at most 1 % over naive's", ours["wql"] / rows["naive"]["wql"], 1.01))
    else:
        out += [_mark(f"wQL under {name}'s", ours["wql"], row["wql"]) for name, row in peers.items()]
    return out


def _mark(name: str, figure: float, mark: float) -> str:
    return f"{name}: {figure:.4f}, mark {mark:.4f}: {_met(figure <= mark)}"


def _met(met: bool) -> str:
    return "met" if met else "MISSED"
