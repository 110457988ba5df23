"""The forecasts on the page: of the steps after the data, and of earlier steps next to the observed values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.data.ahead import times_ahead, walls_of
from ostinato.data.drawing import few_dates
from ostinato.data.sequences import SequenceSet
from ostinato.evaluation.calibration import Spans
from ostinato.forecasting.picture import course
from ostinato.forecasting.table import Forecast
from ostinato.inference.forecast import forecast
from ostinato.model_file import Model
from ostinato.numbers import counted, shown
from ostinato.report.chart import Chart, Table, chart, plain
from ostinato.report.fan import PAGE
from ostinato.shapes import Array
from ostinato.wording import option

#: The usual number of steps to forecast, by the frequency of the data.
_AHEAD = {"1h": 48, "30m": 96, "15m": 96, "1d": 28, "1bd": 22, "1w": 26, "1mo": 24, "3mo": 8, "1y": 22}
LEVELS = (50, 80, 95)
#: The number of fans of each sort.
MOST = 3


@dataclass(frozen=True)
class Fans:
    """The fans of a page.

    Attributes:
        next: The forecasts after the end of the data.
        held: The forecasts that start inside the judged part, next to the values that were observed.
        missing: Why there is no forecast after the end of the data, in words; empty if there is one.
    """

    next: list[Chart]
    held: list[Chart]
    missing: str = ""


def fans(model: Model, data: SequenceSet, spans: Spans, seed: int, reach: int | None = None) -> Fans:
    """Return the fans of up to three sequences or channels.

    Args:
        model: A fitted model.
        data: The data to forecast.
        spans: The judged steps (sequence, first, stop), as read.
        seed: The seed of the forecasts.
        reach: The number of steps after the data whose future covariates are known; None if the model needs none.
    """
    spans = [(b, max(a, 1), z) for b, a, z in spans if z > max(a, 1)][:MOST]
    if not spans:
        return Fans([], [])
    rows = [b for b, _, _ in spans]
    horizon = _horizon(data, rows)
    horizon = min(horizon, model.max_horizon or horizon)
    held = _held(model.before_refit(data), data, spans, horizon, seed)
    if reach == 0:
        missing = (
            "There is no forecast of the steps after the data, because the future covariates of these steps were not "
            f"given. Give their rows with {option('--future')}."
        )
        return Fans([], held, missing)
    ahead = forecast(model, data.take(rows), min(horizon, reach or horizon), LEVELS, seed=seed)
    panels = [(i, d) for i in range(len(rows)) for d in range(len(data.channels))][:MOST]
    return Fans([_next(ahead, i, d) for i, d in panels], held)


def _horizon(data: SequenceSet, rows: list[int]) -> int:
    """Return the number of steps to forecast: the usual one, at most a quarter of the shortest sequence."""
    least = int(data.lengths[rows].min())
    return max(1, min(_AHEAD.get(data.frequency or "", 24), least // 4))


def _next(ahead: Forecast, i: int, d: int) -> Chart:
    """Return the chart of the forecast of channel d of sequence i after the end of the data."""
    table = _table(ahead, i, d)
    last = table.rows[-1]
    words = (
        f"The forecast of the {counted(ahead.horizon, 'step')} after the end of the data. At the last step, "
        f"{last[0]}, the "
        f"forecast is {last[1]} and the 80 % interval is {last[3]} to {last[4]}."
    )
    return chart("Forecast", words, partial(_drawn, ahead, i, d, None), wide=True, name=_name(ahead, i, d), table=table)


def _held(model: Model, data: SequenceSet, spans: Spans, horizon: int, seed: int) -> list[Chart]:
    """Return the charts of forecasts that start inside the spans, next to the values that were observed."""
    places = [spans[k % len(spans)] for k in range(MOST)]
    origins = []
    for k, (_, a, z) in enumerate(places):
        # a sequence that is held out as a whole needs a history first
        first = max(a, z // 2) if a <= 1 else a
        origins.append(first + max(0, z - first - horizon) * (k + 1) // (MOST + 1))
    chosen = data.take([b for b, _, _ in places])
    histories = chosen.cut(np.zeros(MOST, dtype=np.int64), np.array(origins))
    if model.per_series:
        # the model depends on the id of a series, so two places of one series cannot be in one set
        made = [(forecast(model, histories.take([i]), horizon, LEVELS, seed=seed), 0) for i in range(MOST)]
    else:
        together = forecast(model, histories, horizon, LEVELS, seed=seed)
        made = [(together, i) for i in range(MOST)]
    out = []
    for i, ((_, _, z), origin, (result, row)) in enumerate(zip(places, origins, made, strict=True)):
        d = i % len(data.channels)
        came = np.full(horizon, np.nan)
        known = np.asarray(chosen[i][origin : min(origin + horizon, z), d], dtype=np.float64)
        came[: len(known)] = known
        out.append(_compared(result, row, d, came))
    return out


def _compared(back: Forecast, i: int, d: int, came: Array) -> Chart:
    """Return the chart of a forecast of channel d of sequence i, next to the values that were observed, (H,)."""
    low, high = back.course(i, d).select("ostinato-lo-80", "ostinato-hi-80").to_numpy().T
    seen = np.isfinite(came)
    inside = int(((low <= came) & (came <= high))[seen].sum())
    words = f"{inside} of the {int(seen.sum())} observed values lie in their 80 % intervals."
    return chart(
        "Forecast and observed values",
        words,
        partial(_drawn, back, i, d, came),
        name=_name(back, i, d),
        table=_table(back, i, d, came),
    )


def _drawn(result: Forecast, i: int, d: int, came: Array | None, figure: Any) -> None:
    """Draw a forecast on a figure, with a legend above it."""
    axes, on_a_phone = figure.subplots(), figure.get_figwidth() <= 5
    course(axes, result, i, d, PAGE, came)
    plain(axes)
    if on_a_phone:
        few_dates(axes)
    figure.legend(loc="outside upper left", ncols=3 if on_a_phone else 5)


def _name(result: Forecast, i: int, d: int) -> str:
    """Return the id of a sequence, and the name of the channel if there are several."""
    data = result.history
    return data.ids[i] if len(data.channels) == 1 else f"{data.ids[i]}, {data.channels[d]}"


def _table(result: Forecast, i: int, d: int, came: Array | None = None) -> Table:
    """Return the numbers of a forecast, one row a step."""
    rows = result.course(i, d)
    columns = ["ostinato", "ostinato-lo-95", "ostinato-lo-80", "ostinato-hi-80", "ostinato-hi-95"]
    head = (
        "time",
        "forecast",
        "95 % from",
        "80 % from",
        "80 % to",
        "95 % to",
        *(() if came is None else ("observed",)),
    )
    numbers = rows.select(columns).to_numpy()
    if came is not None:
        numbers = np.column_stack([numbers, came])
    when = _times(ahead_of(result, i))
    return Table(head, tuple((t, *map(_number, row)) for t, row in zip(when, numbers, strict=True)))


def ahead_of(result: Forecast, i: int) -> NDArray[Any]:
    """Return the times of a forecast of sequence i by the clock on the wall, (H,)."""
    return walls_of(result.history, times_ahead(result.history, i, result.horizon))


def _times(ds: NDArray[Any]) -> list[str]:
    """Return times as text, without parts that are all zero."""
    if ds.dtype.kind != "M":
        return [str(t) for t in ds.tolist()]
    return [t.replace("T", " ") for t in np.datetime_as_string(ds, unit="auto").tolist()]


def _number(x: float) -> str:
    """Return a number with five significant digits; an empty text for NaN."""
    return "" if np.isnan(x) else shown(x, 5)
