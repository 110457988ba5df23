"""The rearrangement of a panel whose series are mixed over its files into buckets of whole series."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from ostinato.data.stored import survived
from ostinato.errors import DataError
from ostinato.scale.plan import ROWS, PanelPart, ParquetPanel
from ostinato.storage import atomic_write


@dataclass(frozen=True)
class Chunk:
    """A few row groups of one file.

    Attributes:
        number: The number of the chunk in the panel.
        file: The file.
        groups: The numbers of the row groups.
    """

    number: int
    file: str
    groups: tuple[int, ...]


def chunks(panel: ParquetPanel) -> Iterator[Chunk]:
    """Yield the row groups of the panel in chunks of about as many rows as 8 parts have."""
    number, groups, rows = 0, [], 0
    for here, after in zip(panel.groups, (*panel.groups[1:], None), strict=True):
        groups.append(here.index)
        rows += here.rows
        if after is None or after.file != here.file or rows >= 8 * ROWS:
            yield Chunk(number, here.file, tuple(groups))
            number, groups, rows = number + 1, [], 0


def parts(panel: ParquetPanel, folder: Path) -> list[PanelPart]:
    """Return the buckets that have rows as parts, after every chunk has been distributed."""
    buckets = ((k, sorted(str(p) for p in _bucket(folder, k).glob("*.parquet"))) for k in range(panel.buckets))
    return [PanelPart(k, tuple(files)) for k, files in buckets if files]


def deal(panel: ParquetPanel, folder: Path, chunk: Chunk) -> None:
    """Distribute the rows of a chunk over the buckets, unless an earlier run has done so.

    The bucket of a series follows from the CRC-32 of its id, which is the same on every machine.

    Args:
        panel: The panel.
        folder: The folder of the buckets.
        chunk: The chunk.

    Raises:
        DataError: The file cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    done = folder / f"dealt-{chunk.number:06d}"
    if done.exists():
        return
    key = panel.columns[0]
    asked = [chunk.file, ROWS, list(chunk.groups), panel.columns]
    survived(json.dumps(asked).encode(), "Groups", chunk.file)
    try:
        with pq.ParquetFile(chunk.file) as file:
            batches = file.iter_batches(ROWS, row_groups=list(chunk.groups), columns=panel.columns)
            for i, batch in enumerate(batches):
                frame = pl.DataFrame(pl.from_arrow(batch)).select(panel.columns)
                names = frame[key].cast(pl.String).fill_null("")
                unique = names.unique()
                places = np.array([zlib.crc32(name.encode()) % panel.buckets for name in unique])
                bucket = names.replace_strict(unique, places, return_dtype=pl.Int64)
                for (k,), rows in frame.group_by(bucket.alias("bucket"), maintain_order=True):
                    place = _bucket(folder, int(str(k)))
                    place.mkdir(parents=True, exist_ok=True)
                    buffer = io.BytesIO()
                    rows.select(panel.columns).write_parquet(buffer)
                    atomic_write(place / f"{chunk.number:06d}-{i:06d}.parquet", buffer.getvalue())
    except (OSError, pa.ArrowException) as error:
        fix = "make the files available under the same path on every worker"
        raise DataError(f"cannot read the file: {error}", where=chunk.file, fix=fix) from error
    atomic_write(done, b"")


def _bucket(folder: Path, k: int) -> Path:
    return folder / f"bucket-{k:06d}"
