"""Raw values as sequences of the kind, the channels and the reading of a model's training data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.data.sequences import SequenceSet
from ostinato.model import SequenceModel


def raw_sequences(
    model: SequenceModel,
    ids: Sequence[str],
    values: NDArray[Any],
    lengths: Sequence[int] | NDArray[np.int64],
    *,
    spacing: float | None = 1.0,
    ends: bool = False,
) -> SequenceSet:
    """Return raw values of B sequences, joined end to end, as the data that a model reads.

    Args:
        model: The model.
        ids: The ids of the sequences, B of them.
        values: The values, (N, D).
        lengths: The number of steps of each sequence, (B,).
        spacing: The spacing of the amplitudes of a sound; without a meaning for other values. None is that of the
            training data.
        ends: Whether the end of each sequence is one step more.
    """
    description, own = model.description, model.encoding.spacing
    return SequenceSet(
        description.kind,
        values,
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        tuple(ids),
        description.channels,
        step=None if own is None else np.full(len(ids), own if spacing is None else spacing),
        terminated=ends,
        count=bool(description.source.get("count")),
        meta=description.source,
    )
