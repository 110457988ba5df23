"""Data given to a fitted model: read as the training data were read, and checked against the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ostinato.arguments import horizon_count
from ostinato.data.read import read_like
from ostinato.data.sequences import SequenceSet
from ostinato.data.spelled import in_spelling
from ostinato.errors import ConfigError, DataError, ModelFileError
from ostinato.forecasting.protocol import ForecastModel, fitted
from ostinato.numbers import counted, plain
from ostinato.wording import option

if TYPE_CHECKING:
    from ostinato.data.encoded import Encoding

#: The number of steps to forecast if none is given and the model has no horizon of its own.
DEFAULT_HORIZON = 12
#: The steps that are checked together.
BLOCK = 1 << 20


def as_sequences(model: ForecastModel, data: SequenceSet | Any, **options: Any) -> SequenceSet:
    """Return data as a SequenceSet that the model can take.

    Args:
        model: A fitted model.
        data: A SequenceSet, or anything that ``read`` takes.
        options: Arguments of ``read`` that replace those of the training data; None keeps those.

    Raises:
        ConfigError: What is given as the model is none.
        ModelFileError: The kind, channels, sample rate or bits differ from those of the model.
        DataError: The model gives no probability to a value.
    """
    source, kind = fitted(model).description.source, model.description.kind
    if not isinstance(data, SequenceSet):
        data = read_like(data, source, {k: v for k, v in options.items() if v is not None})
    if data.traits is not model.description.traits:
        raise ModelFileError(
            f"the data are {data.kind}, and the model was fitted to {kind}",
            where=data.meta.get("source"),
            fix=f"give {kind}, or fit a model to these data",
        )
    if not data.traits.numeric:
        data = in_spelling(data, source)
    if data.traits.numeric and len(data.channels) != model.channels:
        raise ModelFileError(
            f"the data have {counted(len(data.channels), 'channel')} ({', '.join(data.channels)}), expected "
            f"{model.channels}",
            where=data.meta.get("source"),
            fix=f"choose the columns of the model: {', '.join(source.get('channels', []))}"
            if data.traits.tabular
            else f"choose one channel with {option('--channel')}, or mix the channels with {option('--mix')}",
        )
    return model.accept(data)


def check_possible(encoding: Encoding, data: SequenceSet) -> None:
    """Check that every value of data has a probability.

    Raises:
        DataError: A value has no probability; the error names the first one.
    """
    for start in range(0, len(data.values), BLOCK):
        bad = encoding.impossible(data.values[start : start + BLOCK])
        if not bad.any():
            continue
        at = start + int(np.flatnonzero(bad)[0])
        row = int(np.searchsorted(data.offsets, at, side="right")) - 1
        raise DataError(
            f"the model cannot take the value {words(data.values[at])}",
            where=f"{data.meta.get('source', 'the data')}, {data.ids[row]!r}, step {at - int(data.offsets[row]) + 1}",
            fix=encoding.possible,
        )


def horizon_of(model: ForecastModel, horizon: int | None) -> int:
    """Return the number of steps to forecast.

    Args:
        model: A fitted model.
        horizon: The requested number; None for the horizon of a model that has one, and 12 otherwise.

    Raises:
        ConfigError: The horizon is below 1, or beyond the horizon of the model.
    """
    most = model.max_horizon
    if horizon is None:
        return DEFAULT_HORIZON if most is None else most
    horizon = horizon_count(horizon)
    if most is not None and horizon > most:
        raise ConfigError(
            f"horizon must be at most {most} for this model, got {horizon}",
            fix=f"use 1 to {most}, or fit the model with a longer horizon",
        )
    return horizon


def words(step: NDArray[Any]) -> str:
    """Return the values of one step (D,) for a person to read."""
    return ", ".join(plain(v) or "missing" for v in step)
