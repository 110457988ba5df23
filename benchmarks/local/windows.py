"""The default without a model file, over rolling windows of long series: M4's training files, and vic_elec.

Run python -m local.windows hourly from benchmarks/, or hourly-older, weekly, weekly-older, electricity-48,
electricity-336. All windows of M4 lie within the training files. With --last, a history is its last steps.
"""

from __future__ import annotations

import argparse
import os
import time
from typing import NamedTuple

from ostinato.shapes import Array

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from forecast import cases
from forecast.scores import INTERVALS, naive
from public_data import SERIES, present

from ostinato.emissions.quantiles import LEVELS, pinball
from ostinato.evaluation import metrics
from ostinato.evaluation.summary import DECILES, at
from ostinato.local.methods import METHODS
from ostinato.local.panel import Panel
from ostinato.local.week import with_week

#: Where the deciles and the ends of the 95 % interval are among LEVELS.
_DECILES = np.array([int(np.argmin(abs(LEVELS - p))) for p in DECILES])
_OUTER = [int(np.argmin(abs(LEVELS - p))) for p in (0.025, 0.975)]


class Figures(NamedTuple):
    """The figures of one window."""

    owa: float
    loss: float
    naive_loss: float
    held80: float
    held95: float


def main() -> None:
    """Print the figures of each window, and of all of them together."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=[name for name in (*cases.NAMES, *cases.OLDER) if "covariates" not in name])
    parser.add_argument("--data", type=present, default=str(SERIES))
    parser.add_argument("--method", choices=list(METHODS), default="auto")
    parser.add_argument("--season", type=int, help="the season that is given; 1 for none")
    parser.add_argument("--windows", type=int, nargs="*", help="the windows, the oldest is 0; all by default")
    parser.add_argument("--last", type=int, default=0, help="the steps of a history; 0 for all")
    args = parser.parse_args()
    case = cases.load(args.data, args.case)
    season = case.seasons[0] if args.season is None else args.season
    references = naive(case, "seasonal_naive"), naive(case, "naive2")
    found = []
    for w in range(len(case.backs)) if args.windows is None else args.windows:
        history = [np.asarray(y)[-args.last :] for y in case.before(case.backs[w]).values()]
        panel = with_week(Panel(tuple(history), (season,) if season > 1 else ()))
        begun = time.process_time()
        ahead = METHODS[args.method](panel).ahead(case.horizon, LEVELS)
        said = [one.point[w] for one in references]
        levels = at(references[0].quantiles[w].swapaxes(-1, -2), INTERVALS, DECILES).swapaxes(-1, -2)
        found.append(figures(case, case.after(case.backs[w]), ahead.point, ahead.quantiles, said[1], levels, history))
        print(f"{case.name}, window {w}, {len(history)} series, seasons {panel.seasons}: {_words(found[-1:])}, "
              f"{time.process_time() - begun:.0f} processor s", flush=True)  # fmt: skip
    print(f"{case.name}, all: {_words(found)}")


def figures(
    case: cases.Case, y: Array, point: Array, quantiles: Array, base: Array, naive_deciles: Array, history: list[Array]
) -> Figures:
    """Return the figures of one window.

    Args:
        case: The panel.
        y: The values, (S, H).
        point: The point forecasts, (S, H).
        quantiles: The quantiles at LEVELS, (S, H, Q).
        base: The point forecasts of Naive2, (S, H).
        naive_deciles: The deciles of seasonal naive, (S, H, 9).
        history: The histories, (T_s,) each.
    """
    scale = np.array([metrics.seasonal_error(x, case.season) for x in history])
    ours, theirs = (
        (float(np.nanmean(metrics.mase(y, p, scale))), float(np.nanmean(metrics.smape(y, p)))) for p in (point, base)
    )
    deciles, grid = quantiles[..., _DECILES], np.array(DECILES)
    losses = [float(np.nansum(pinball(y, q, grid))) for q in (deciles, naive_deciles)]
    outer = [quantiles[..., i] for i in _OUTER]
    held = [float(np.nanmean((y >= low) & (y <= high))) for low, high in ((deciles[..., 0], deciles[..., -1]), outer)]
    return Figures(metrics.owa(*ours, *theirs), *losses, *held)


def _words(found: list[Figures]) -> str:
    mean = Figures(*np.mean(found, axis=0))
    share = mean.loss / mean.naive_loss
    return f"OWA {mean.owa:.3f}, wQL / seasonal naive's {share:.3f}, 80 % {mean.held80:.3f}, 95 % {mean.held95:.3f}"


if __name__ == "__main__":
    main()
