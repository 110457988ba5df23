"""Data given to a fitted model: read as the training data was, and refused where it cannot be the model's."""

from __future__ import annotations

from typing import Any

from ostinato.data.read import read_like
from ostinato.data.sequences import SequenceSet
from ostinato.errors import ModelFileError
from ostinato.model import SequenceModel


def as_sequences(model: SequenceModel, data: SequenceSet | Any, **asked: Any) -> SequenceSet:
    """data as a SequenceSet that model can take. asked: arguments of ``read``, instead of those of the training data.

    Raises ModelFileError where its kind or channels are not the model's; what ``read`` raises.
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
    if kind != "text" and len(data.channels) != model.channels:
        raise ModelFileError(
            f"the model has {model.channels} channels and the data {len(data.channels)}: {', '.join(data.channels)}",
            where=data.meta.get("source"),
            fix=f"choose the model's columns: {', '.join(model.description.source.get('channels', []))}",
        )
    return data
