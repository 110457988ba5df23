"""The picture of a backtest: the values that came, and the forecasts of the best model and of the best baseline."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.data.drawing import MOST, PICTURE, legend, stacked_panels, tidy
from ostinato.errors import ConfigError
from ostinato.evaluation.baselines import BASELINES
from ostinato.numbers import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ostinato.evaluation.backtest import Backtest

#: The colour of the best baseline.
_BASELINE = "#b45309"
#: The greatest number of labels below an axis whose times are words.
_LABELS = 5


def figure(result: Backtest) -> Figure:
    """Return the picture of the first series and channels of a backtest, at most six panels.

    Args:
        result: A backtest.

    Raises:
        ConfigError: matplotlib is not installed, or the forecasts were not kept.
    """
    if not len(result.frame):
        raise ConfigError("the forecasts of this backtest were not kept", fix="leave out on_window")
    names = _best(result.table)
    by = ["unique_id", *(name for name in ("channel",) if name in result.frame.columns)]
    parts = result.frame.partition_by(by, maintain_order=True)[:MOST]
    drawn = stacked_panels(len(parts))
    for axes, part in zip(drawn.axes, parts, strict=True):
        _course(axes, part, names, sorted(result.tallies[names[0]].level, reverse=True))
        title = ", ".join(str(part[column][0]) for column in by)
        axes.set_title(title, loc="left", color=PICTURE.ink, parse_math=False)
        legend(axes)
        tidy(axes)
    return drawn


def _best(table: pl.DataFrame) -> list[str]:
    """Return the model with the least wQL and the baseline with the least; the latter alone without a model."""
    ranked = table.sort(pl.col("wql").fill_nan(None), nulls_last=True, maintain_order=True)["model"].to_list()
    models, baselines = ([name for name in ranked if (name in BASELINES) == given] for given in (False, True))
    return [*models[:1], *baselines[:1]]


def _course(axes: Any, part: pl.DataFrame, names: list[str], level: list[float]) -> None:
    """Draw the values and the forecasts of one channel of one series.

    Args:
        axes: The axes of a drawing.
        part: Its rows of the frame of a backtest.
        names: The methods to draw. The first one has its intervals.
        level: The coverage of the intervals in percent, the widest first.
    """
    came = part.unique("ds", maintain_order=True)  # windows may overlap
    words = came["ds"].to_list()
    along = dict(zip(words, _places(came["ds"]), strict=True))
    if not _ordered(came["ds"]):
        at = np.unique(np.linspace(0, len(words) - 1, min(_LABELS, len(words))).round().astype(int))
        axes.set_xticks(at, [words[i] for i in at])
    for number, window in enumerate(part.partition_by("cutoff", maintain_order=True)):
        x = np.array([along[ds] for ds in window["ds"].to_list()])
        for one, shade in zip(level, cycle(PICTURE.shades), strict=False):
            low, high = (window[f"{names[0]}-{side}-{plain(one)}"].to_numpy() for side in ("lo", "hi"))
            label = f"{plain(one)} %" if not number else None
            axes.fill_between(x, low, high, color=shade, linewidth=0, label=label)
        for name, colour in zip(names, (PICTURE.blue, _BASELINE), strict=False):
            axes.plot(x, window[name].to_numpy(), color=colour, linewidth=1.5, label=name if not number else None)
    axes.plot(list(along.values()), came["y"].to_numpy(), color=PICTURE.ink, linewidth=1.2, label="observed")


def _ordered(ds: pl.Series) -> bool:
    """Return whether times are times or numbers, and not words such as 2024-Q1, which are in the order of the file."""
    return ds.dtype.is_temporal() or ds.dtype.is_numeric()


def _places(ds: pl.Series) -> NDArray[Any]:
    """Return the places of times along the axis: the clock on the wall, numbers, or the order of words."""
    if isinstance(ds.dtype, pl.Datetime):
        return ds.dt.replace_time_zone(None).to_numpy()
    return ds.to_numpy() if _ordered(ds) else np.arange(len(ds))
