"""The forecast of data without a model file: a local method is fitted to every series, in seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from ostinato.arguments import horizon_count, levels
from ostinato.choices import unknown
from ostinato.data.ahead import check_reach
from ostinato.data.join import NEVER_CHANGE
from ostinato.data.read import read
from ostinato.data.seasons import season_length
from ostinato.data.sequences import SequenceSet
from ostinato.errors import ConfigError, DataError
from ostinato.forecasting.inputs import DEFAULT_HORIZON
from ostinato.forecasting.table import Forecast, ends, ends_apart, note_on_upper_bounds, some_of, table
from ostinato.local.methods import METHODS
from ostinato.local.panel import Fit
from ostinato.local.series import LocalForecast, local_forecast
from ostinato.numbers import counted
from ostinato.wording import either, option

#: The second name of "auto", for backtests, in which "auto" chooses between all models.
LOCAL = "local"
#: The largest number of steps: the work of some methods grows with its square, and 10,000 take half a minute.
MOST = 10_000
#: The number of different fits that a note names.
_NAMED = 4
#: The characters from which on a note names the fit of one series alone.
_LONG = 150


def names_of_methods() -> tuple[str, ...]:
    """Return the names of the local methods."""
    return (*METHODS, LOCAL)


def method_of(name: str) -> Fit:
    """Return the local method of a name.

    Raises:
        ConfigError: No method has this name.
    """
    if name == LOCAL:
        return METHODS["auto"]
    if name in METHODS:
        return METHODS[name]
    from ostinato.layers.build import BACKBONES  # here, because it imports torch

    known = (*METHODS, "direct")
    if name in BACKBONES:
        raise ConfigError(
            f"{name} is a model that is trained first, and not a method that is fitted in seconds",
            fix=either(
                f"run ostinato fit DATA --model {name} -o m.ost, then ostinato forecast m.ost",
                f'use forecast(fit(data, model="{name}").model)',
            )
            + f"; or use one of {', '.join(known)}",
        )
    raise unknown("method", name, known)


def forecast_series(
    data: SequenceSet | Any,
    horizon: int | None = None,
    level: float | Sequence[float] = (80, 95),
    *,
    model: str = "auto",
    season: int | None = None,
) -> Forecast:
    """Fit a local method to every series of data, and forecast the steps after its end.

    Args:
        data: A SequenceSet of series or prices, or anything that ``read`` takes.
        horizon: The number of steps; two seasons by default, and 12 without a season.
        level: The coverage of the intervals, in percent.
        model: The name of the method.
        season: The number of steps of a season; by the frequency of each series if None.

    Raises:
        ConfigError: An option is out of range, or the data are text or sound.
        DataError: No series has a value.
    """
    return by_method(data, horizon, level, model=model, season=season)[0]


def by_method(
    data: SequenceSet | Any,
    horizon: int | None,
    level: float | Sequence[float],
    *,
    model: str,
    season: int | None,
) -> tuple[Forecast, LocalForecast]:
    """Return the forecast of ``forecast_series``, and what the method said of every channel.

    The arguments are those of ``forecast_series``.
    """
    method, level = method_of(model), levels(level)
    data = data if isinstance(data, SequenceSet) else read(data)
    check_forecastable(data)
    steps, notes = steps_and_notes(data, horizon, season)
    intervals = ends("ostinato", level)
    made = local_forecast(data, method, steps, np.array(list(intervals.values()) or [0.5]), season)
    names = _channel_names(data)
    repeat = "too, because the data repeat after seven shorter seasons"
    notes += [f"season: {counted(one, 'step')} {repeat}" for one in made.found]
    notes += [*_said(model, made.descriptions, names), *_set_aside(made, names), *ends_apart(data)]
    D = len(data.channels)
    frame = table(
        data,
        steps,
        level,
        lambda b, d: made.point[b * D + d],
        lambda b, d, p: made.quantiles[b * D + d, :, : len(p)].T,
    )
    return Forecast(data, frame, steps, level, fitted=made.descriptions, notes=(*_of_reading(data, made), *notes)), made


def _of_reading(data: SequenceSet, made: LocalForecast) -> tuple[str, ...]:
    """Return the notes of the reading, without the one on equal values if the forecast says more on them."""
    return tuple(note for note in data.notes if not (made.equal.any() and note.startswith(NEVER_CHANGE)))


def check_forecastable(data: SequenceSet) -> None:
    """Check that data can be forecast without a model file.

    Raises:
        ConfigError: The data are text or sound.
        DataError: No series has a value.
    """
    if not data.traits.tabular:
        first = either(
            f"run ostinato fit {data.meta.get('source', 'DATA')} -o m.ost", "use model = ostinato.fit(data).model"
        )
        what, then = "text has no mean to forecast", either("ostinato sample m.ost", "ostinato.sample(model)")
        fix = f"{first}, then {then}, which continues a prompt"
        if data.traits.numeric:
            then = either(
                "ostinato forecast m.ost or ostinato sample m.ost --prompt FILE",
                "ostinato.forecast(model, data) or ostinato.sample(model, prompt=data)",
            )
            what, fix = "sound is not forecast without a model of it", f"{first}, then {then}"
        raise ConfigError(what, where=data.meta.get("source"), fix=fix)
    if not len(data) or np.isnan(data.values.astype(np.float64)).all():
        raise DataError(
            "no series has a value to forecast from",
            where=data.meta.get("source"),
            fix="give at least one value in the column of values",
        )


def steps_and_notes(data: SequenceSet, horizon: int | None, season: int | None) -> tuple[int, list[str]]:
    """Return the number of steps to forecast, and notes on the season and on a horizon that was not given.

    Args:
        data: The series.
        horizon: The number of steps, if given.
        season: The number of steps of a season, if given.

    Raises:
        ConfigError: The horizon or the season is less than 1, or the horizon is far beyond the data.
    """
    length, why = season_length(data, season)
    notes = [f"season: {counted(length, 'step')}, {why}"]
    if horizon is not None:
        steps = horizon_count(horizon)
        check_reach(data, steps, MOST)
        return steps, notes
    steps, reason = default_horizon(data, season)
    return steps, [*notes, f"horizon: {counted(steps, 'step')}, {reason}; set it with {option('--horizon')}"]


def default_horizon(data: SequenceSet, season: int | None = None) -> tuple[int, str]:
    """Return the number of steps to forecast if none is given, and the reason in words.

    It is two seasons. It is 12 without a season, and if no series has two seasons.

    Args:
        data: The series; without any, their frequency decides.
        season: The number of steps of a season, if given.
    """
    length, _ = season_length(data, season)
    if length > 1 and (not len(data) or 2 * length <= data.lengths.max()):
        return 2 * length, "two seasons"
    return DEFAULT_HORIZON, "by default"


def _channel_names(data: SequenceSet) -> list[str]:
    """Return the name of every channel of every sequence, (B * D)."""
    if len(data.channels) == 1:
        return list(data.ids)
    return [f"{key}, {channel}" for key in data.ids for channel in data.channels]


def _said(model: str, said: Sequence[str], names: list[str]) -> list[str]:
    """Return a note on what was fitted to how many series, or to the first one if all differ."""
    known = [(name, one) for name, one in zip(names, said, strict=True) if one]
    if len(known) == 1:
        return [f"{model}: {known[0][1]}"]
    counts = Counter(one for _, one in known)
    named = counts.most_common(_NAMED)
    rest = len(known) - sum(count for _, count in named)
    if 2 * rest > len(known) or sum(len(one) for one, _ in named) > _LONG:
        name, one = known[0]
        different = "one fit" if len(counts) == 1 else f"{len(counts):,} different fits"
        return [f"{model}: {len(known):,} series with {different}; that of {name} is {one}"]
    words = [f"{one} for {count:,}" for one, count in named]
    others = [f"other fits for {rest:,}"] if rest else []
    return [f"{model}: of {len(known):,} series, {', '.join([*words, *others])}"]


def _has(names: list[str]) -> str:
    return "has" if len(names) == 1 else "have"


def _follow(names: list[str]) -> str:
    if len(names) == 1:
        return "follows a line, repeats a season or grows by one factor"
    return "follow a line, repeat a season or grow by one factor"


def _set_aside(made: LocalForecast, names: list[str]) -> list[str]:
    """Return notes on series without a value, with one, with equal ones, with outliers, and on those cut off at 0."""
    empty = [name for name, one in zip(names, made.descriptions, strict=True) if not one]
    far = [name for name, count in zip(names, made.outliers.tolist(), strict=True) if count]
    single = [name for name, one in zip(names, made.single.tolist(), strict=True) if one]
    equal = [name for name, one in zip(names, made.equal.tolist(), strict=True) if one]
    full = [name for name, one in zip(names, made.capped.tolist(), strict=True) if one]
    cut = [name for name, one in zip(names, made.floored.tolist(), strict=True) if one]
    notes = [f"{len(empty):,} series {_has(empty)} no value, so no forecast is made: {some_of(empty)}"] if empty else []
    if far:
        count = counted(int(made.outliers.sum()), "value")
        notes.append(f"taken as missing: {count} of {len(far):,} series, far from all others: {some_of(far)}")
    jumped = [name for name, one in zip(names, made.jumped.tolist(), strict=True) if one]
    if jumped:
        notes.append(
            f"the last value of {len(jumped):,} series is far from all others. It may be a mistake or a new level, so "
            f"forecasts stay between both, and intervals hold both: {some_of(jumped)}"
        )
    if single:
        notes.append(
            f"{len(single):,} series {_has(single)} one value, which does not show how values vary. Their intervals "
            f"follow from the steps of other series, or without any from the size of the value: {some_of(single)}"
        )
    if equal:
        notes.append(
            f"{len(equal):,} series never changed: {some_of(equal)}. After n equal values, the next one differs with a "
            "chance of about 1 / (n + 1), or as often as it did in other series. An interval of 80 % has no width "
            "where a change is rarer than 20 %"
        )
    exact = [name for name, one in zip(names, made.exact.tolist(), strict=True) if one]
    if exact:
        notes.append(
            f"{len(exact):,} series {_follow(exact)} without any error: {some_of(exact)}. After n equal changes, the "
            "next one differs with a chance of about 1 / (n + 1). 80 % intervals are not wider for it where it is "
            "below 20 %"
        )
    if cut:
        notes.append(f"{len(cut):,} series never went below 0, so forecasts are cut off at 0: {some_of(cut)}")
    return [*notes, *note_on_upper_bounds(full)]
