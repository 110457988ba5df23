"""A panel whose series lie mixed over its files, written once more in buckets, each series wholly in one of them."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from ostinato.errors import DataError
from ostinato.scale.plan import ROWS, PanelPart, ParquetPanel
from ostinato.storage import atomic_write


@dataclass(frozen=True)
class Chunk:
    """Some row groups of a file."""

    number: int
    file: str
    groups: tuple[int, ...]


def chunks(panel: ParquetPanel) -> Iterator[Chunk]:
    """The panel in chunks of about 8 parts' rows, each read once."""
    number, some, rows = 0, [], 0
    for here, after in zip(panel.groups, (*panel.groups[1:], None), strict=True):
        some.append(here.index)
        rows += here.rows
        if after is None or after.file != here.file or rows >= 8 * ROWS:
            yield Chunk(number, here.file, tuple(some))
            number, some, rows = number + 1, [], 0


def parts(panel: ParquetPanel, folder: Path) -> list[PanelPart]:
    """The buckets, once every chunk has been dealt out."""
    found = ((k, sorted(str(p) for p in _bucket(folder, k).glob("*.parquet"))) for k in range(panel.buckets))
    return [PanelPart(k, tuple(files)) for k, files in found if files]


def deal(panel: ParquetPanel, folder: Path, chunk: Chunk) -> None:
    """Deal the rows of a chunk out to the buckets; what was dealt already is left as it is.

    The bucket of a series is the CRC-32 of its name, which is the same on every machine.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    done = folder / f"dealt-{chunk.number:06d}"
    if done.exists():
        return
    key = panel.columns[0]
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
        fix = "every worker must see the files under the same path"
        raise DataError(f"the file cannot be read: {error}", where=chunk.file, fix=fix) from error
    atomic_write(done, b"")


def _bucket(folder: Path, k: int) -> Path:
    return folder / f"bucket-{k:06d}"
