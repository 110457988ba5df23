"""The rows of a file, pushed again and again at a steady pace: a live chart without a sensor."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from unicodedata import normalize

import numpy as np

from ostinato.data.sequences import SequenceSet
from ostinato.errors import OstinatoError
from ostinato.forecasting.inputs import as_sequences
from ostinato.serve.batcher import Batcher
from ostinato.serve.held import Asked
from ostinato.serve.ids import check_id
from ostinato.serve.schema import NamedPush

_LOG = logging.getLogger("ostinato.serve")
#: The most streams of a demonstration.
_STREAMS = 100


def load(batcher: Batcher, path: Path) -> SequenceSet:
    """Return the sequences of a file.

    Raises:
        OstinatoError: The file cannot be read, or does not suit the model.
    """
    return as_sequences(batcher.streams.served.model, path)


async def play(batcher: Batcher, data: SequenceSet, speed: float) -> None:
    """Push the steps of some sequences for ever.

    Args:
        batcher: The way of pushes.
        data: The sequences.
        speed: The steps a second of each.
    """
    loop, numeric = asyncio.get_running_loop(), data.traits.numeric
    rows = [
        (check_id(normalize("NFC", key)[:60] or "stream"), x) for key, x in zip(data.ids, data, strict=True) if len(x)
    ][:_STREAMS]
    begun, step = loop.time(), 0
    while True:
        asked = []
        for key, x in rows:
            row = np.asarray(x[step % len(x)])
            y = [None if np.isnan(v) else float(v) for v in row] if numeric else chr(int(row[0]))
            asked.append(Asked(key, NamedPush(unique_id=key, y=y)))
        try:
            await batcher.push_all(asked)
        except OstinatoError as error:
            _LOG.warning("the demonstration waits: %s", error.what)
        step += 1
        await asyncio.sleep(max(0.0, begun + step / speed - loop.time()))
