"""A comparison of closed-form autoregressions with statsmodels, in accuracy and time.

Run from the repository root: python benchmarks/ar_statsmodels.py [folder of data] [--max-order 48] [--m4 5]

The benchmark runs on every univariate series in the folder. Every difference is taken at the order that statsmodels
chooses by BIC, and is relative to the largest entry if that is above 1. The last columns show how far each solution is
from the exact least-squares solution (found by iterative refinement with residuals in extended precision), and how
ill-conditioned the problem is. A star marks a series with gaps, which is cut to its longest stretch without a gap.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl
from public_data import SERIES, present
from statsmodels.tsa.ar_model import AutoReg, ar_select_order

from ostinato.layers.ar_fit import ARFit
from ostinato.layers.autoregression import fit_ar
from ostinato.shapes import Array


def series(folder: Path, m4: int) -> Iterator[tuple[str, str, Array]]:
    """Yield (file, column, values (N,)) for every numeric column; of M4 only the first few rows."""
    for path in sorted(folder.iterdir()):
        name = path.name.split(".csv")[0].split(".txt")[0]
        frame = pl.read_csv(path, has_header=path.suffixes[0] != ".txt", infer_schema_length=None)
        if name.startswith("M4"):
            for row in frame.head(m4).iter_rows():
                yield name, row[0], np.array([v for v in row[1:] if v is not None], dtype=np.float64)
            continue
        for column in frame.columns:
            skipped = column in {"rownames", "time", "YEAR", "date", "Temperature"}
            if frame[column].dtype.is_numeric() and not skipped:
                y = frame[column].cast(pl.Float64).to_numpy()
                yield name, column, y


def exact(y: Array, order: int) -> Array:
    """Return [intercept, phi] by least squares, refined until the residuals in extended precision are orthogonal."""
    X = np.column_stack([np.ones(len(y) - order), *(y[order - j : len(y) - j] for j in range(1, order + 1))])
    R = np.asarray(np.linalg.qr(X, mode="r"), dtype=np.float64)
    X_long, y_long = X.astype(np.longdouble), y[order:].astype(np.longdouble)
    b = np.zeros(order + 1, dtype=np.longdouble)
    for _ in range(6):
        residual = y_long - X_long @ b
        # The seminormal equations correct the solution; the gradient is formed in extended precision.
        gradient = np.asarray(X_long.T @ residual, dtype=np.float64)
        b = b + np.linalg.solve(R, np.linalg.solve(R.T, gradient))
    return np.asarray(b, dtype=np.float64)


def gap(a: Array, b: Array) -> float:
    """Return the greatest difference, relative to the greatest entry of b if that is above 1."""
    a, b = np.asarray(a), np.asarray(b)
    return float(np.abs(a - b).max(initial=0.0) / max(1.0, float(np.abs(b).max(initial=0.0))))


def compare(y: Array, max_order: int) -> tuple[str, list[float]]:
    chosen = {ic: len(ar_select_order(y, max_order, ic=ic).ar_lags or []) for ic in ("aic", "bic")}
    ours = {ic: fit_ar(y, np.array([0, len(y)]), max_order, criterion=ic) for ic in ("aic", "bic")}
    equal = all(chosen[ic] == ours[ic].order for ic in chosen)
    fit = fit_ar(y, np.array([0, len(y)]), max_order, order=chosen["bic"])
    result = AutoReg(y, chosen["bic"]).fit()
    params = np.array([fit.intercept, *fit.coefficients])
    truth = exact(y, fit.order)
    forecast, theirs = fit.forecast(y, 12)[0], result.forecast(12)
    orders = f"{chosen['aic']}/{chosen['bic']}" + ("" if equal else f" NOT {ours['aic'].order}/{ours['bic'].order}")
    X = result.model._x
    figures = [
        gap(params[1:], result.params[1:]),
        gap(params, result.params),
        abs(fit.log_likelihood - result.llf) / abs(result.llf),
        gap(forecast, theirs),
        gap(params, truth),
        gap(result.params, truth),
        float(np.linalg.cond(X / np.linalg.norm(X, axis=0))),
    ]
    return orders, figures


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def race(y: Array, max_order: int) -> tuple[float, float]:
    """Return the median seconds of statsmodels and of ostinato: 5 interleaved runs after a warm-up."""

    def theirs() -> object:
        chosen = ar_select_order(y, max_order, ic="bic")
        return AutoReg(y, chosen.ar_lags).fit()

    def ours() -> ARFit:
        return fit_ar(y, np.array([0, len(y)]), max_order)

    pairs = [(seconds(theirs), seconds(ours)) for _ in range(6)][1:]
    return median(a for a, _ in pairs), median(b for _, b in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=present, default=str(SERIES))
    parser.add_argument("--max-order", type=int, default=48)
    parser.add_argument("--m4", type=int, default=5)
    args = parser.parse_args()
    heads = ("phi", "params", "llf", "forecast", "ours-exact", "sm-exact", "cond(X)")
    print(f"{'series':28s} {'n':>6s} {'aic/bic':>10s} " + " ".join(f"{h:>10s}" for h in heads))
    worst, count, unequal = np.zeros(len(heads)), 0, 0
    for name, column, values in series(args.folder, args.m4):
        label = f"{name[:17]} {column[:10]}"
        y = values
        if np.isnan(values).any():
            # statsmodels accepts no gaps, so the longest stretch without a gap is compared.
            pieces = np.split(values, np.flatnonzero(np.isnan(values)))
            y = max((p[~np.isnan(p)] for p in pieces), key=len)
            label += "*"
        max_order = min(args.max_order, len(y) // 3)
        orders, figures = compare(y, max_order)
        worst, count, unequal = np.maximum(worst, figures), count + 1, unequal + ("NOT" in orders)
        print(f"{label:28s} {len(y):6d} {orders:>10s} " + " ".join(f"{f:10.1e}" for f in figures), flush=True)
    print(f"{f'worst of {count}':28s} {'':6s} {f'{unequal} differ':>10s} " + " ".join(f"{f:10.1e}" for f in worst))
    ett = pl.read_csv(next(args.folder.glob("ETTh1*")))["OT"].cast(pl.Float64).to_numpy()
    slow, fast = race(ett, args.max_order)
    print(f"ETTh1 OT, max order {args.max_order}: statsmodels {slow:.3f} s, ours {fast:.4f} s, {slow / fast:.0f} times")


if __name__ == "__main__":
    main()
