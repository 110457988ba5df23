"""Tables in Parquet and Arrow files, which a damaged file cannot end the process with.

The decoders of Parquet, in polars and in pyarrow alike, end the process on about one damaged file in 20,000: a damaged
length asks for more memory than there is. No error can be caught then. So a file is first decoded in a process of its
own, which costs a third of a second for all files of a source together, and in this process only if that one lived. Of
a panel larger than memory, each query and each footer is tried in the same way.
"""

from __future__ import annotations

import atexit
import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any

import polars as pl

from ostinato.data import wide_decimals
from ostinato.data.extras import is_failure
from ostinato.errors import DataError

#: The first bytes of each format, and its name.
_MAGIC = ((b"PAR1", "Parquet"), (b"ARROW1", "Arrow"))
#: The first bytes of an Arrow file that was written as a stream: the mark before the length of its first message.
_STREAM = b"\xff\xff\xff\xff"
_ENDINGS = {".parquet": "Parquet", ".arrow": "Arrow", ".feather": "Arrow"}
#: Whether a file with this digest could be decoded.
_SAFE: dict[bytes, bool] = {}
#: What reads a file of each name in this process.
_READERS: dict[str, Callable[[io.BytesIO], pl.DataFrame]] = {
    "Parquet": pl.read_parquet,
    "Arrow": pl.read_ipc,
    "Stream": pl.read_ipc_stream,
}
#: The files with this digest have decimals that polars does not have.
_WIDE: set[bytes] = set()
#: The other process. It reads the length and the bytes of each file, query or path. It answers "y" if they could be
#: decoded, "d" if they have decimals of more than 38 digits, and "n" after another error.
_CHILD = """
import io, sys
import polars as pl
def footer(raw):
    import pyarrow.parquet
    pyarrow.parquet.read_metadata(raw.read().decode())
def groups(raw):
    import json, pyarrow.parquet
    path, rows, numbers, columns = json.load(raw)
    with pyarrow.parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(rows, row_groups=numbers, columns=columns):
            pl.from_arrow(batch)
def wide(raw):
    from ostinato.data.wide_decimals import read
    read(raw, parquet=raw.getvalue().startswith(b"PAR1"))
FORMS = {
    b"Wide": wide,
    b"Parquet": lambda raw: pl.read_parquet(raw).rechunk(),
    b"Arrow": lambda raw: pl.read_ipc(raw).rechunk(),
    b"Stream": lambda raw: pl.read_ipc_stream(raw).rechunk(),
    b"Query": lambda raw: pl.LazyFrame.deserialize(raw).collect(),
    b"Footer": footer,
    b"Groups": groups,
}
source = sys.stdin.buffer
while head := source.readline():
    name, size = head.split()
    raw = io.BytesIO(source.read(int(size)))
    try:
        FORMS[name](raw)
        answer = "y"
    except BaseException as error:
        answer = "d" if any(says in str(error) for says in SAYS) else "n"
    print(answer, end="", flush=True)
"""


def stored_format(raw: bytes, ending: str) -> str | None:
    """Return "Parquet" or "Arrow" by the first bytes of a file, or by its ending; None for any other format."""
    return next((name for magic, name in _MAGIC if raw.startswith(magic)), _ENDINGS.get(ending))


def _decoded_as(raw: bytes, form: str) -> str:
    """Return the name of the decoder of a file: that of its format, or "Stream" for the stream of Arrow."""
    return "Stream" if form == "Arrow" and raw.startswith(_STREAM) else form


def check(raws: Sequence[tuple[bytes, str, str]]) -> None:
    """Decode files in another process, and remember those that can be decoded.

    Args:
        raws: The bytes, the name and the ending of each file; files of other formats are passed over.

    Raises:
        DataError: A file is damaged.
    """
    todo = [(raw, where, form) for raw, where, ending in raws if (form := stored_format(raw, ending)) is not None]
    for raw, where, form in todo:
        if _SAFE.get(_digest(raw)) is False:
            raise _damaged(where, form)
    todo = [each for each in todo if _digest(each[0]) not in _SAFE]
    if not todo:
        return
    with Decoder() as decoder:
        for raw, where, form in todo:
            answer = decoder.answer(raw, _decoded_as(raw, form))
            if answer == b"d":
                _WIDE.add(_digest(raw))
                answer = _wide(decoder, raw, where)
            _SAFE[_digest(raw)] = answer == b"y"
            if not _SAFE[_digest(raw)]:
                raise _damaged(where, form)


def _wide(decoder: Decoder, raw: bytes, where: str) -> bytes:
    """Return the answer of the other process about a file with decimals of more than 38 digits."""
    if find_spec("pyarrow") is None:
        raise DataError(
            "the file has decimals of more than 38 digits (decimal256), which only pyarrow reads",
            where=where,
            fix="install it with pip install 'ostinato[pandas]', or write the column as numbers in floating point",
        )
    return decoder.answer(raw, "Wide")


class Decoder:
    """The other process, in which a file is decoded first."""

    def __init__(self) -> None:
        # the path of the modules is that of this process, as polars may lie anywhere
        code = f"import sys\nsys.path[:] = {sys.path!r}\nSAYS = {wide_decimals.SAYS!r}\n{_CHILD}"
        self._child = subprocess.Popen(
            [sys.executable, "-S", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    def __enter__(self) -> Decoder:
        return self

    def __exit__(self, *error: object) -> None:
        self._child.kill()
        self._child.communicate()

    def answer(self, raw: bytes, form: str) -> bytes:
        """Return the answer to bytes: b"y", b"n" or b"d", and b"" if they end the process."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        try:
            self._child.stdin.write(f"{form} {len(raw)}\n".encode())
            self._child.stdin.write(raw)
            self._child.stdin.flush()
            return self._child.stdout.read(1)
        except OSError:
            return b""


def survived(raw: bytes, form: str, where: str) -> None:
    """Try a query of Parquet files or a footer in another process, which goes on for the next one.

    An error of the query itself, such as a file that is not there, is left to the caller.

    Args:
        raw: For "Query" a polars.LazyFrame as ``serialize`` gives it, for "Footer" the path of a file, and for
            "Groups" the JSON of its path, the rows of a batch, the row groups and the columns.
        form: The form.
        where: The names of the files.

    Raises:
        DataError: A file is so damaged that it ends the process.
    """
    if _decoder().answer(raw, form):
        return
    _decoder.cache_clear()
    raise _damaged(where, "Parquet")


@cache
def _decoder() -> Decoder:
    """Return the other process for queries, which is started once and ends with this process."""
    decoder = Decoder()
    atexit.register(decoder.__exit__)
    return decoder


def frame_of(raw: bytes, where: str, ending: str) -> pl.DataFrame | None:
    """Return the table of a Parquet or an Arrow file; None for any other file.

    Args:
        raw: The bytes of the file.
        where: The name of the file.
        ending: The ending of the file.

    Raises:
        DataError: The file is damaged.
    """
    form = stored_format(raw, ending)
    if form is None:
        return None
    check([(raw, where, ending)])
    try:
        if _digest(raw) in _WIDE:
            return _plain(wide_decimals.read(io.BytesIO(raw), parquet=form == "Parquet"))
        return _plain(_READERS[_decoded_as(raw, form)](io.BytesIO(raw)))
    except BaseException as error:
        if not is_failure(error):
            raise
        raise _damaged(where, form) from error


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a table with periods of pandas as the times at which they begin, and other added types as stored."""
    extension: Any = getattr(pl, "BaseExtension", ())  # earlier versions of polars read such types as stored
    added = [c for c in frame.iter_columns() if isinstance(c.dtype, extension)]
    for column in added:
        kind: Any = column.dtype
        stored = column.ext.storage()
        if kind.ext_name() == "pandas.period":
            import pandas as pd

            words = json.loads(kind.ext_metadata() or "{}")
            index: Any = pd.PeriodIndex
            periods = index.from_ordinals(stored.fill_null(0).to_numpy(), freq=words["freq"])
            starts = pl.Series(column.name, periods.to_timestamp().to_numpy().astype("datetime64[us]"))
            stored = starts.set(stored.is_null(), None) if stored.null_count() else starts
        frame = frame.with_columns(stored.alias(column.name))
    return frame


def _digest(raw: bytes) -> bytes:
    return hashlib.sha256(raw).digest()


def _damaged(where: str, form: str) -> DataError:
    what = f"cannot read the file as {form}: it is damaged or has another format"
    return DataError(what, where=where, fix=f"write the file again as {form}")
