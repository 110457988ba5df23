"""Forecast fans for the page: what comes next, and what was forecast of steps that were held out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.data.sequences import SequenceSet
from ostinato.evaluation.calibration import Spans
from ostinato.forecasting.table import Forecast
from ostinato.inference.forecast import forecast
from ostinato.model_file import Model
from ostinato.report.chart import Chart, Table, chart, plain
from ostinato.report.fan import PAGE, course

#: Steps ahead that a reader of such data would ask for, by frequency.
_AHEAD = {"1h": 48, "30m": 96, "15m": 96, "1d": 28, "1bd": 22, "1w": 26, "1mo": 24, "3mo": 8, "1y": 22}
LEVELS = (50, 80, 95)
#: Fans of each sort: enough to see by.
MOST = 3


@dataclass(frozen=True)
class Fans:
    """next: from the end of the data on; held: from places in the judged part, beside what came."""

    next: list[Chart]
    held: list[Chart]


def fans(model: Model, data: SequenceSet, spans: Spans, seed: int) -> Fans:
    """Fans of up to three sequences (or channels) of data; spans: the judged steps, as read."""
    spans = [(b, max(a, 1), z) for b, a, z in spans if z > max(a, 1)][:MOST]
    if not spans:
        return Fans([], [])
    rows = [b for b, _, _ in spans]
    horizon = _horizon(data, rows)
    horizon = min(horizon, model.max_horizon or horizon)
    ahead = forecast(model, data.take(rows), horizon, LEVELS, seed=seed)
    panels = [(i, d) for i in range(len(rows)) for d in range(len(data.channels))][:MOST]
    return Fans([_next(ahead, i, d) for i, d in panels], _held(model, data, spans, horizon, seed))


def _horizon(data: SequenceSet, rows: list[int]) -> int:
    least = int(data.lengths[rows].min())
    return max(1, min(_AHEAD.get(data.frequency or "", 24), least // 4))


def _next(ahead: Forecast, i: int, d: int) -> Chart:
    table = _table(ahead, i, d)
    last = table.rows[-1]
    words = (
        f"{ahead.horizon} steps on from the end of the data. At the last of them, {last[0]}: "
        f"forecast {last[1]}, 80 % interval {last[3]} to {last[4]}."
    )
    return chart(
        "What comes next", words, partial(_drawn, ahead, i, d, None), wide=True, name=_name(ahead, i, d), table=table
    )


def _held(model: Model, data: SequenceSet, spans: Spans, horizon: int, seed: int) -> list[Chart]:
    places = [spans[k % len(spans)] for k in range(MOST)]
    origins = []
    for k, (_, a, z) in enumerate(places):
        # a sequence that is held out whole needs a history first
        first = max(a, z // 2) if a <= 1 else a
        origins.append(first + max(0, z - first - horizon) * (k + 1) // (MOST + 1))
    some = data.take([b for b, _, _ in places])
    back = forecast(model, some.cut(np.zeros(MOST, dtype=np.int64), np.array(origins)), horizon, LEVELS, seed=seed)
    out = []
    for i, ((_, _, z), origin) in enumerate(zip(places, origins, strict=True)):
        d = i % len(data.channels)
        came = np.full(horizon, np.nan)
        known = np.asarray(some[i][origin : min(origin + horizon, z), d], dtype=np.float64)
        came[: len(known)] = known
        out.append(_beside(back, i, d, came))
    return out


def _beside(back: Forecast, i: int, d: int, came: NDArray[np.float64]) -> Chart:
    low, high = back.course(i, d).select("ostinato-lo-80", "ostinato-hi-80").to_numpy().T
    seen = np.isfinite(came)
    inside = int(((low <= came) & (came <= high))[seen].sum())
    words = f"{inside} of {int(seen.sum())} values that came lie in their 80 % intervals."
    return chart(
        "Forecast and what came",
        words,
        partial(_drawn, back, i, d, came),
        name=_name(back, i, d),
        table=_table(back, i, d, came),
    )


def _drawn(result: Forecast, i: int, d: int, came: NDArray[np.float64] | None, figure: Any) -> None:
    axes = figure.subplots()
    course(axes, result, i, d, PAGE, came)
    plain(axes)
    figure.legend(loc="outside upper left", ncols=5 if figure.get_figwidth() > 5 else 3)


def _name(result: Forecast, i: int, d: int) -> str:
    data = result.history
    return data.ids[i] if len(data.channels) == 1 else f"{data.ids[i]}, {data.channels[d]}"


def _table(result: Forecast, i: int, d: int, came: NDArray[np.float64] | None = None) -> Table:
    rows = result.course(i, d)
    columns = ["ostinato", "ostinato-lo-95", "ostinato-lo-80", "ostinato-hi-80", "ostinato-hi-95"]
    head = ("when", "forecast", "95 % from", "80 % from", "80 % to", "95 % to", *(() if came is None else ("came",)))
    numbers = rows.select(columns).to_numpy()
    if came is not None:
        numbers = np.column_stack([numbers, came])
    when = _times(rows["ds"].to_numpy())
    return Table(head, tuple((t, *map(_number, row)) for t, row in zip(when, numbers, strict=True)))


def _times(ds: NDArray[Any]) -> list[str]:
    """Times as short as they are."""
    if ds.dtype.kind != "M":
        return [str(t) for t in ds.tolist()]
    return [t.replace("T", " ") for t in np.datetime_as_string(ds, unit="auto").tolist()]


def _number(x: float) -> str:
    return "" if np.isnan(x) else np.format_float_positional(x, 4, unique=False, fractional=False, trim="-")
