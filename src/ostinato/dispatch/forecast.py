"""``forecast``: from a fitted model, or by a method that needs none. This is the one place that chooses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, overload

from ostinato.device import Device, computing_on
from ostinato.errors import ConfigError
from ostinato.forecasting.protocol import ForecastModel, fitted
from ostinato.forecasting.table import Forecast
from ostinato.hardware import checked
from ostinato.settings import undisturbed
from ostinato.threads import Threads, computing

if TYPE_CHECKING:
    from ostinato.model_file import Model

#: The name of the fit that forecasts as quickly as a local method, but is made for the horizon and has a model file.
DIRECT = "direct"


@overload
def forecast(
    first: Model,
    data: Any,
    horizon: int | None = None,
    level: float | Sequence[float] = (80, 95),
    *,
    future: Any = None,
    n_paths: int = 500,
    seed: int = 0,
    threads: Threads = "auto",
    device: Device = "auto",
) -> Forecast: ...


@overload
def forecast(
    first: Any,
    *,
    horizon: int | None = None,
    level: float | Sequence[float] = (80, 95),
    model: Model | str = "auto",
    season: int | None = None,
    future: Any = None,
    n_paths: int = 500,
    seed: int = 0,
    threads: Threads = "auto",
    device: Device = "auto",
) -> Forecast: ...


@overload
def forecast(
    *,
    model: Model | str = "auto",
    data: Any,
    horizon: int | None = None,
    level: float | Sequence[float] = (80, 95),
    season: int | None = None,
    future: Any = None,
    n_paths: int = 500,
    seed: int = 0,
    threads: Threads = "auto",
    device: Device = "auto",
) -> Forecast: ...


@undisturbed
def forecast(  # noqa: PLR0913 - each argument is a choice of its own, given by name
    first: Any = None,
    data: Any = None,
    horizon: int | None = None,
    level: float | Sequence[float] = (80, 95),
    *,
    model: Any = None,
    season: int | None = None,
    future: Any = None,
    n_paths: int | None = None,
    seed: int | None = None,
    threads: Threads = "auto",
    device: Device = "auto",
) -> Forecast:
    """Forecast the ``horizon`` steps after the end of every sequence of data: ``forecast(data)``.

    Without a fitted model, a method is fitted to each series, in seconds: ``forecast(data, horizon=12)``, or
    ``forecast(data, horizon=12, model="ets")``. "auto" chooses between the methods and their combination, series by
    series. Only series and prices are forecast in this way.

    With a fitted model, ``forecast(model, data)`` goes on from the end of the data without fitting anything. Histories
    may be longer than the fitted ones, and series may be new. A SequenceModel draws sample paths; steps that are
    missing at the end of a history are drawn too, so that the intervals include their uncertainty. A DirectModel
    returns its quantiles; it fills a missing value with the value a season before.

    A DirectModel and the methods of "auto" cut off the forecast at 0 for a series that never goes below 0.

    Args:
        first: The data, or a fitted model with the data after it.
        data: A SequenceSet, or anything that ``read`` takes.
        horizon: The number of steps. The default is the horizon of a direct model, and 12 for a SequenceModel. Without
            a fitted model, it is two seasons, and 12 for series without a season.
        level: The coverage of the intervals, in percent: 95, or several levels such as (80, 95). Those of a
            SequenceModel are one step ahead the intervals of its own distribution. Farther ahead they come from the
            sample paths, and where fewer than ten paths are in a tail, from the mean of the distributions that the
            paths lead to.
        model: Without a fitted model, the method: "auto", "ets", "theta", "ar", "naive", "seasonal_naive" and the
            others of ``ostinato forecast --help``; or "direct" for a direct model that is fitted on the way.
        season: Without a fitted model, the number of steps of a season; by the frequency of each series if left out.
        future: The rows of the future covariates, a file or a frame, if the model was fitted with any.
        n_paths: The number S of sample paths of each sequence, 500 by default; for a SequenceModel only.
        seed: The seed of the sample paths, 0 by default.
        threads: The number of threads, or "auto" for what the machine has and each call is worth.
        device: Where a model computes: "cpu", "cuda", "cuda:1", "mps", or "auto", which takes a GPU if a timed step
            is faster there. Methods that need no fitted model compute on the CPU.

    Returns:
        The table of the forecast, with notes; ``fitted`` says what was fitted to each series.

    Raises:
        ConfigError: An option is unknown, out of range or of no use here, or the data are text.
        ModelFileError: The data do not suit the model, as in ``as_sequences``.
        DataError: A value has no probability, no series has a value, or for a direct model, one has none.
    """
    model, data = _model_and_data(first, data, model)
    for_model = {"future": future, "n_paths": n_paths, "seed": seed}
    if isinstance(model, ForecastModel):
        _refuse({"season": season}, "with a fitted model", "the season is that of the model")
        from ostinato.inference.forecast import forecast as from_model  # here, because it imports torch

        given: dict[str, Any] = {name: value for name, value in for_model.items() if value is not None}
        return from_model(model, data, horizon, level, threads=threads, device=device, **given)  # type: ignore[arg-type]
    _refuse(for_model, "without a fitted model", "fit a model first, and give it before the data")
    with computing(threads):
        if model == DIRECT:
            with computing_on(device):
                return _by_direct_model(data, horizon, level, season)
        if checked(device) not in ("auto", "cpu"):
            raise ConfigError(
                f"methods without a fitted model compute on the CPU, got the device {device}",
                fix="remove the device, or fit a model first, and give it before the data",
            )
        from ostinato.local.forecast import forecast_series

        return forecast_series(data, horizon, level, model=model, season=season)


def _model_and_data(first: Any, data: Any, model: Any) -> tuple[ForecastModel | str, Any]:
    """Return the model or the name of a method, and the data, however they are given."""
    if data is None:
        if first is None:
            raise ConfigError("no data are given", fix="give the data: forecast(data, horizon=12)")
        if isinstance(first, ForecastModel):
            raise ConfigError("no data are given", fix="give the data after the model: forecast(model, data)")
        first, data = None, first
    if first is not None and model is not None:
        raise ConfigError("two models are given", fix='give one: forecast(model, data), or forecast(data, model="ets")')
    chosen = "auto" if first is None and model is None else model if first is None else first
    if isinstance(chosen, ForecastModel) or (isinstance(chosen, str) and first is None):
        return chosen, data
    if first is None:
        raise ConfigError(
            f"model must be the name of a method or a fitted model, got {type(chosen).__name__}",
            fix='use model="auto"',
        )
    if not isinstance(first, str) and (isinstance(data, ForecastModel) or hasattr(first, "model")):
        fitted(first)  # raises: the data come first, or a fit in place of its model
    said = repr(first) if isinstance(first, str) else type(first).__name__
    raise ConfigError(
        f"the first of two arguments must be a fitted model, got {said[:60]}",
        fix="use forecast(data, horizon=12) to forecast without a model file, or load_model for the model in one",
    )


def _refuse(given: dict[str, Any], where: str, fix: str) -> None:
    """Raise ConfigError for options that the forecast does not use."""
    names = [name for name, value in given.items() if value is not None]
    if names:
        raise ConfigError(f"a forecast {where} does not use {', '.join(names)}", fix=f"remove {names[0]}: {fix}")


def _by_direct_model(data: Any, horizon: int | None, level: float | Sequence[float], season: int | None) -> Forecast:
    """Fit a direct model for the horizon, and forecast with it."""
    # here, because the fit imports torch
    from ostinato.data.read import read
    from ostinato.data.sequences import SequenceSet
    from ostinato.dispatch.fit import fit
    from ostinato.inference.forecast import forecast as from_model
    from ostinato.local.forecast import check_forecastable, steps_and_notes

    data = data if isinstance(data, SequenceSet) else read(data)
    check_forecastable(data)
    steps, notes = steps_and_notes(data, horizon, season)
    model = fit(data, model=DIRECT, horizon=steps, season=season).model
    made = from_model(model, data, steps, level)
    verdict = f"{DIRECT}: {model.description.direct_record.verdict}"
    return replace(made, notes=tuple(dict.fromkeys((*made.notes, *notes, verdict))))
