"""forecast: what comes next, by sample paths or by the quantiles of a direct model, in Nixtla's columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato.data.scaling import Scaling
from ostinato.data.sequences import SequenceSet
from ostinato.direct.forecast import ahead
from ostinato.direct.model import DirectModel
from ostinato.emissions.emission import Support
from ostinato.errors import ConfigError
from ostinato.inference.frame import Forecast, check_levels, some_of, table
from ostinato.inference.inputs import as_sequences
from ostinato.inference.rollout import paths, repeat, state_after
from ostinato.model import SequenceModel
from ostinato.model_file import Model

#: Rows that are rolled out together: bounds memory, whatever the size of a panel.
ROWS = 8192
#: Missing steps at the end of a history that are rolled out too; of a longer gap the rest is filled by predictions.
GAP = 512


#: Steps ahead where none are named.
USUAL = 12


def forecast(
    model: Model,
    data: SequenceSet | Any,
    horizon: int | None = None,
    level: Sequence[float] = (80, 95),
    *,
    future: Any = None,
    n_paths: int = 500,
    seed: int = 0,
) -> Forecast:
    """Forecast ``horizon`` steps on from the end of every sequence of data, without refitting.

    Histories may be longer than those fitted, and series new. A SequenceModel draws sample paths; steps that are
    missing at the end of a history are drawn as well, so that the intervals own up to them. A DirectModel gives its
    quantiles, up to the horizon that it was fitted for; a missing value is taken from a season before, and a series
    whose history never goes below 0 has a forecast that does not either.

    horizon  steps ahead; if left out, those of a direct model, else 12
    future   rows of the known covariates of the steps ahead, a file or a frame, where the model was fitted with any
    level    coverage of the intervals in percent; n_paths, seed  of the sample paths S a sequence

    Raises ConfigError for a horizon that cannot be, a level outside (0, 100), or text, which is sampled and not
    forecast; what ``as_sequences`` raises; DataError where a direct model is given a series without a value, or values
    that are not above 0 where it was fitted to logarithms.
    """
    if isinstance(model, DirectModel):
        check_levels(level)
        return ahead(model, data, horizon, level, future)
    if future is not None:
        raise ConfigError("this model takes no covariates", fix="leave out the future rows, or fit a direct model")
    return _rolled_out(model, data, USUAL if horizon is None else horizon, level, n_paths, seed)


@torch.inference_mode()
def _rolled_out(
    model: SequenceModel, data: SequenceSet | Any, horizon: int, level: Sequence[float], n_paths: int, seed: int
) -> Forecast:
    """Sample paths, and their mean and quantiles."""
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
    middle = np.median if data.kind == "prices" else np.mean
    frame = table(
        data,
        horizon,
        level,
        lambda b, d: middle(drawn[b][:, :, d], axis=0),
        lambda b, d, p: np.quantile(drawn[b][:, :, d], p, axis=0),
    )
    return Forecast(data, frame, horizon, tuple(level), tuple(drawn), notes=tuple(notes))


def check_forecast(model: SequenceModel, horizon: int, level: Sequence[float], n_paths: int) -> None:
    """Raises ConfigError for what ``forecast`` cannot be asked of a model that draws paths."""
    check_levels(level)
    if model.description.kind == "text":
        raise ConfigError("text has no mean to forecast", fix="use sample: it goes on from a prompt")
    if horizon < 1:
        raise ConfigError(f"a horizon of {horizon} steps cannot be", fix="use 1 or more")
    if n_paths < 2:
        raise ConfigError(f"{n_paths} sample paths have no quantiles", fix="use 2 or more; 500 is a good number")


def _missing_at_the_end(data: SequenceSet) -> NDArray[np.int64]:
    """(B,): how many steps at the end of each sequence miss every value; at most GAP."""
    seen = np.asarray((~np.isnan(data.values.astype(np.float64))).any(axis=1))
    last = [np.flatnonzero(seen[a:z]) for a, z in zip(data.offsets[:-1], data.offsets[1:], strict=True)]
    gaps = [int(n) - (int(at[-1]) + 1 if len(at) else 0) for n, at in zip(data.lengths, last, strict=True)]
    return np.minimum(np.array(gaps, dtype=np.int64), GAP)
