"""Data given to a fitted model: read as the training data was, and refused where it cannot be the model's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.data.amplitude import Amplitude
from ostinato.data.read import read_like
from ostinato.data.scaling import Scaling
from ostinato.data.sequences import SequenceSet
from ostinato.direct.model import DirectModel
from ostinato.errors import ConfigError, DataError, ModelFileError
from ostinato.model import SequenceModel
from ostinato.model_file import Model


def likelihood(model: Model, verb: str) -> SequenceModel:
    """model, which must assert a P(x_t | x_<t) for what verb says. Raises ConfigError where it is a direct one."""
    if isinstance(model, DirectModel):
        raise ConfigError(
            f"a direct model cannot {verb}: it has quantiles of the steps ahead, and no P(x_t | x_<t)",
            fix="use forecast, or fit another with --model auto and without --horizon",
        )
    return model


def as_sequences(model: Model, data: SequenceSet | Any, **asked: Any) -> SequenceSet:
    """Data as a SequenceSet that model can take. asked: arguments of ``read``, instead of those of the training data.

    Raises ModelFileError where its kind, channels, sample rate or bits are not the model's; DataError for values that
    it gives no probability to; what ``read`` raises.
    """
    if not isinstance(data, SequenceSet):
        data = read_like(data, {**model.description.source, **{k: v for k, v in asked.items() if v is not None}})
    kind = model.description.kind
    if data.kind != kind:
        raise ModelFileError(
            f"the model is one of {kind}, and the data are {data.kind}",
            where=data.meta.get("source"),
            fix=f"give {kind}, or fit a model to these data",
        )
    known = model.description.source.get("channels", [])
    channels = len(known) if isinstance(model, DirectModel) else model.channels
    if kind != "text" and len(data.channels) != channels:
        raise ModelFileError(
            f"the model has {channels} channels and the data {len(data.channels)}: {', '.join(data.channels)}",
            where=data.meta.get("source"),
            fix=f"choose the model's columns: {', '.join(known)}",
        )
    if isinstance(model, DirectModel):
        return data
    if isinstance(model.encoding, Amplitude):
        data = _like_the_models(data, model.encoding, model.description.source.get("sample_rate"))
    bad = impossible(model, data.values)
    if bad.any():
        at = int(np.flatnonzero(bad)[0])
        row = int(np.searchsorted(data.offsets, at, side="right")) - 1
        raise DataError(
            f"a value that the model cannot take: {words(data.values[at])}",
            where=f"{data.meta.get('source', 'the data')}, {data.ids[row]!r}, step {at - int(data.offsets[row]) + 1}",
            fix=possible(model),
        )
    return data


def impossible(model: SequenceModel, values: NDArray[Any]) -> NDArray[np.bool_]:
    """(N,): which steps of raw values (N, D) have no probability whatever came before them; NaN is missing."""
    match model.encoding:
        case Scaling(returns=True):
            bad = np.isinf(values) | (values <= 0)
        case Scaling(counts=True):
            # a lattice's probabilities belong to its points: 2.5 would be given those of 2
            bad = np.isinf(values) | (values < 0) | (values != np.rint(values)) & ~np.isnan(values)
        case Scaling():
            bad = np.isinf(values)
        case Amplitude(bits=bits):
            full = 2 ** (bits - 1)
            bad = ~np.isnan(values) & ((values < -full) | (values >= full) | (values != np.rint(values)))
        case _:
            bad = np.zeros(values.shape, dtype=bool)
    return np.asarray(bad.any(axis=-1))


def possible(model: SequenceModel) -> str:
    """What the model can take, in words."""
    match model.encoding:
        case Scaling(returns=True):
            return "give prices above 0; leave one empty if it is missing"
        case Scaling(counts=True):
            return "the model counts: give whole numbers from 0 up, or fit another with --emission student_t"
        case Amplitude(bits=bits):
            return f"give samples of {bits} bits"
        case _:
            return "leave it empty if it is missing"


def words(step: NDArray[Any]) -> str:
    """A step (D,) for a person to read."""
    return ", ".join(f"{v:.6g}" for v in step)


def _like_the_models(data: SequenceSet, encoding: Amplitude, rate: int | None) -> SequenceSet:
    """Sound in the model's bits: a file of fewer lies on a coarser lattice of the same amplitudes."""
    own, bits = data.meta.get("sample_rate"), int(data.meta.get("bits", encoding.bits))
    where = data.meta.get("source")
    if own and rate and own != rate:
        raise ModelFileError(
            f"the model hears {rate} samples a second, and the sound has {own}", where=where, fix=f"resample to {rate}"
        )
    if bits == encoding.bits:
        return data
    step = (np.ones(len(data)) if data.step is None else data.step) * 2.0 ** (encoding.bits - bits)
    if (step < 1).any():
        raise ModelFileError(
            f"the sound has {bits} bits, and the model was fitted to {encoding.bits}", where=where, fix="fit another"
        )
    values = np.rint(data.values * 2.0 ** (encoding.bits - bits)).astype(data.values.dtype)
    return replace(data, values=values, step=step, meta={**data.meta, "bits": encoding.bits})
