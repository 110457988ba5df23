"""Whatever bytes a file holds, it is read or refused with a message; never a traceback, a warning or a guess."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ostinato.data.read import read
from ostinato.errors import DataError
from ostinato.kinds import KINDS


def sound(form: str, subtype: str) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.sin(np.arange(900) / 9), 8_000, format=form, subtype=subtype)
    return buffer.getvalue()


def parquet() -> bytes:
    buffer = io.BytesIO()
    TABLE.write_parquet(buffer)
    return buffer.getvalue()


def refusal(path: Path, **options: Any) -> DataError | None:
    try:
        read(path, **options)
    except DataError as error:
        return error
    return None


TABLE = pl.DataFrame({"id": ["a"] * 9 + ["b"] * 9, "ds": [*range(9)] * 2, "y": np.arange(18) / 4})
CSV = TABLE.write_csv().encode()
FILES = {
    "t.csv": CSV,
    "t.csv.gz": gzip.compress(CSV),
    "t.tsv": b"ds\tsaid\n2024-01-01\t\"a\"\n2024-01-02\t1,5\n",
    "t.txt": "안녕 world\r\n".encode() * 9,
    "t.parquet": parquet(),
    "t.wav": sound("WAV", "PCM_16"),
    "t.flac": sound("FLAC", "PCM_16"),
    "t.ogg": sound("OGG", "VORBIS"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(FILES.keys() - {"t.parquet"}))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage(tmp_path: Path, name: str, data: st.DataObject) -> None:
    check_damaged(tmp_path, name, data)


# A Parquet file is decoded in a process of its own first, so that these examples are few.
@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_of_parquet(tmp_path: Path, data: st.DataObject) -> None:
    check_damaged(tmp_path, "t.parquet", data)


def check_damaged(tmp_path: Path, name: str, data: st.DataObject) -> None:
    """Damage a file in up to three places, and check that it is read or refused as a whole, whatever it is read as."""
    raw = bytearray(FILES[name])
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw) - 1))
        match data.draw(st.sampled_from(["flip", "put", "drop", "cut"])):
            case "flip":
                raw[at] ^= 1 << data.draw(st.integers(0, 7))
            case "put":
                raw[at:at] = data.draw(
                    st.sampled_from([b'"', b",", b"\n", b"\0", b"\xff", b"\r", b";", b"\t", b"nan", b"-", b"e9"])
                )
            case "drop":
                del raw[at : at + data.draw(st.integers(1, 9))]
            case "cut":
                del raw[max(at, 1) :]
        raw = raw or bytearray(b"x")
    path = tmp_path / name
    path.write_bytes(raw)
    kinds: list[dict[str, Any]] = [{"kind": k} for k in (None, *KINDS)]
    for options in (*kinds, {"kind": "text", "target": "said"}):
        error = refusal(path, **options)
        assert error is None or (error.fix and error.where)
