"""forecast: sample paths of what comes next, and their mean and quantiles in Nixtla's columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from ostinato.data.calendar import future_times
from ostinato.data.scaling import Scaling
from ostinato.data.sequences import SequenceSet
from ostinato.emissions.emission import Support
from ostinato.errors import ConfigError
from ostinato.inference.inputs import as_sequences
from ostinato.inference.rollout import paths, repeat, state_after
from ostinato.model import SequenceModel

#: Rows that are rolled out together: bounds memory, whatever the size of a panel.
ROWS = 8192
#: Missing steps at the end of a history that are rolled out too; of a longer gap the rest is filled by predictions.
GAP = 512


@dataclass(frozen=True)
class Forecast:
    """Sample paths and their table.

    paths  one array (S, T, D) a sequence, in the data's units
    frame  unique_id, ds, (channel,) ostinato, ostinato-lo-95 ... ostinato-hi-95. The column ostinato is the mean; of
           prices it is the median, since with a Student's t for its log return a price has no mean
    """

    history: SequenceSet
    paths: tuple[NDArray[np.float64], ...]
    frame: pl.DataFrame
    level: tuple[float, ...]
    notes: tuple[str, ...] = ()


@torch.inference_mode()
def forecast(
    model: SequenceModel,
    data: SequenceSet | Any,
    horizon: int,
    level: Sequence[float] = (80, 95),
    *,
    n_paths: int = 500,
    seed: int = 0,
) -> Forecast:
    """Forecast ``horizon`` steps on from the end of every sequence of data, without refitting.

    Steps that are missing at the end of a history are drawn as well, so that the intervals own up to them.

    level    coverage of the intervals in percent; n_paths  sample paths S a sequence

    Raises ConfigError for a horizon under 1, a level outside (0, 100), or text, which is sampled and not forecast.
    """
    check_forecast(model, horizon, level, n_paths)
    data = as_sequences(model, data)
    encoding, notes = model.encoding, list(data.notes)
    if isinstance(encoding, Scaling) and encoding.per_id:
        known, encoding = encoding.per_id, encoding.with_own(data)
        new = [key for key in data.ids if key not in known]
        if new:
            notes.append(f"{len(new)} series new to the model, scaled by their own history: {some_of(new)}")
    gaps = _missing_at_the_end(data)
    history = data.cut(np.zeros_like(gaps), data.lengths - gaps)
    encoded = encoding.encode(history)
    empty = [key for key, x in zip(data.ids, history, strict=True) if data.kind == "prices" and not len(x)]
    if empty:
        notes.append(f"{len(empty)} series without a price to go on from: {some_of(empty)}")
    generator = torch.Generator().manual_seed(seed)
    drawn: list[NDArray[np.float64]] = []
    group = max(1, ROWS // n_paths)
    for first in range(0, len(data), group):
        rows = list(range(first, min(first + group, len(data))))
        state = repeat(state_after(model, encoded, rows), n_paths)
        support = Support(*(s[rows].repeat_interleave(n_paths, 0) for s in (encoded.unit, encoded.low, encoded.high)))
        steps = horizon + int(gaps[rows].max())
        z = paths(model, state, support, steps, generator).double().numpy()
        z = z.reshape(steps, len(rows), n_paths, -1).transpose(1, 2, 0, 3)
        for i, row in enumerate(rows):
            raw = np.asarray(encoding.decode(z[i], history, row), dtype=np.float64)
            drawn.append(raw[:, gaps[row] : gaps[row] + horizon])
    data = replace(data, frequency=data.frequency or model.description.source.get("frequency"))
    return Forecast(data, tuple(drawn), _table(data, drawn, horizon, level), tuple(level), tuple(notes))


def check_forecast(model: SequenceModel, horizon: int, level: Sequence[float], n_paths: int) -> None:
    """Raises ConfigError for what ``forecast`` cannot be asked."""
    if model.description.kind == "text":
        raise ConfigError("text has no mean to forecast", fix="use sample: it goes on from a prompt")
    if horizon < 1:
        raise ConfigError(f"a horizon of {horizon} steps cannot be", fix="use 1 or more")
    if n_paths < 2:
        raise ConfigError(f"{n_paths} sample paths have no quantiles", fix="use 2 or more; 500 is a good number")
    check_levels(level)


def check_levels(level: Sequence[float]) -> None:
    """Raises ConfigError for a level, in percent, outside (0, 100)."""
    for one in level:
        if not 0 < one < 100:
            raise ConfigError(f"a level of {one:g} % cannot be", fix="use a number between 0 and 100, such as 95")


def some_of(names: list[str]) -> str:
    """The first three, for a note."""
    return ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")


def _missing_at_the_end(data: SequenceSet) -> NDArray[np.int64]:
    """(B,): how many steps at the end of each sequence miss every value; at most GAP."""
    seen = np.asarray((~np.isnan(data.values.astype(np.float64))).any(axis=1))
    last = [np.flatnonzero(seen[a:z]) for a, z in zip(data.offsets[:-1], data.offsets[1:], strict=True)]
    gaps = [int(n) - (int(at[-1]) + 1 if len(at) else 0) for n, at in zip(data.lengths, last, strict=True)]
    return np.minimum(np.array(gaps, dtype=np.int64), GAP)


def times_after(data: SequenceSet, b: int, horizon: int) -> NDArray[Any]:
    """(T,): the ds of the steps that follow sequence b; their numbers where it has no times."""
    times = data.times_of(b)
    if times is None or not len(times):
        return np.arange(horizon) + int(data.lengths[b]) + (1 if times is None else 0)
    return future_times(times[-1], data.frequency, horizon, times)


def _table(data: SequenceSet, drawn: list[NDArray[np.float64]], horizon: int, level: Sequence[float]) -> pl.DataFrame:
    frames = []
    for b, path in enumerate(drawn):
        ds = times_after(data, b, horizon)
        for d, channel in enumerate(data.channels):
            columns: dict[str, Any] = {"unique_id": [data.ids[b]] * horizon, "ds": ds}
            if len(data.channels) > 1:
                columns["channel"] = [channel] * horizon
            middle = np.median if data.kind == "prices" else np.mean
            columns["ostinato"] = middle(path[:, :, d], axis=0)
            for one in sorted(level, reverse=True):
                columns[f"ostinato-lo-{one:g}"] = np.quantile(path[:, :, d], 0.5 - one / 200, axis=0)
            for one in sorted(level):
                columns[f"ostinato-hi-{one:g}"] = np.quantile(path[:, :, d], 0.5 + one / 200, axis=0)
            frames.append(pl.DataFrame(columns))
    return pl.concat(frames) if frames else pl.DataFrame()
