"""Sequences of text in another spelling."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ostinato.data.sequences import SequenceSet
from ostinato.data.spelling import Spelling, spelling_of


def texts_of(data: SequenceSet) -> list[str]:
    """Return the text of each sequence."""
    spelling = spelling_of(data.meta)
    return [spelling.text(row[:, 0].tolist()) for row in data]


def respelled(data: SequenceSet, spelling: Spelling) -> SequenceSet:
    """Return the same texts in another spelling.

    Args:
        data: Text.
        spelling: The spelling.
    """
    said = spelling.to_json()
    if data.meta.get("spelling") == said:
        return data
    rows = [spelling.points(text) for text in texts_of(data)]
    return replace(
        data,
        values=np.concatenate([np.zeros(0, dtype=np.int32), *rows]).reshape(-1, 1),
        offsets=np.cumsum([0, *map(len, rows)], dtype=np.int64),
        meta={**data.meta, "spelling": said},
    )


def in_spelling(data: SequenceSet, source: dict[str, Any]) -> SequenceSet:
    """Return texts in the spelling of a model.

    Args:
        data: Text.
        source: How the training data of the model were read and spelled.
    """
    spelling = spelling_of(source)
    # the same object, if every vocabulary is that of the reading
    return data if spelling is spelling_of(data.meta) else respelled(data, spelling)
