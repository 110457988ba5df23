"""Write the small seeds of the fuzz again: ``python tests/fuzz/make_seeds.py``. Inputs named found-* stay."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import soundfile
import targets
import xlsxwriter
from numpy.typing import NDArray

TABLE = pl.DataFrame({"id": ["a"] * 9 + ["b"] * 9, "ds": [*range(9)] * 2, "y": np.arange(18) / 4})
CSV = TABLE.write_csv().encode()
TONE = np.sin(np.arange(400) / 9) / 2


def sound(form: str, subtype: str, samples: NDArray[np.float64] = TONE) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, 8_000, format=form, subtype=subtype)
    return buffer.getvalue()


def written(method: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    getattr(TABLE, method)(buffer, **options)
    return buffer.getvalue()


def workbook() -> bytes:
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    for name in ("Notes", "Sales"):
        sheet = book.add_worksheet(name)
        for i, row in enumerate([("ds", "y"), (1, 0.5), (2, "n/a"), (3, 1 / 3)]) if name == "Sales" else ():
            sheet.write_row(i, 0, row)
    book.close()
    return buffer.getvalue()


def packed(kind: str) -> bytes:
    if kind == "zip":
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("t.csv", CSV)
        return buffer.getvalue()
    if kind == "zst":
        out: bytes = pa.compress(CSV, codec="zstd", asbytes=True)
        return out
    packers: dict[str, Callable[..., bytes]] = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
    return packers[kind](CSV)


def database() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "t.db"
        connection = sqlite3.connect(file)
        connection.execute("PRAGMA page_size = 512")
        connection.execute("CREATE TABLE sales (ds TEXT, y REAL)")
        connection.executemany("INSERT INTO sales VALUES (?, ?)", [(f"2024-01-{d:02}", d / 3) for d in range(1, 20)])
        connection.commit()
        connection.close()
        return file.read_bytes()


def model() -> bytes:
    import ostinato

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "m.ost"
        ostinato.save_model(ostinato.fit(np.sin(np.arange(60) / 4), model="ar").model, file)
        return file.read_bytes()


STEREO = np.stack([TONE, -TONE], axis=1)
SEEDS: dict[str, dict[str, bytes]] = {
    "csv": {
        "long": CSV,
        "dates": b'date,"price, EUR"\n2024-01-01,"1,5"\n2024-01-02,2.5\n2024-01-03,\n',
        "semicolons": b"ds;y\n01.02.2024;1.234,5\n02.02.2024;2.345,5\n",
        "plain": b"1\n2\n3\n4.5\n",
    },
    "tsv": {
        "words": b'ds\tsaid\n2024-01-01\t"a"\n2024-01-02\t1,5\n',
        "numbers": b"\xef\xbb\xbft\ty\r\n1\t2\r\n2\t3\r\n",
    },
    "txt": {
        "korean": "안녕 world\r\n".encode() * 3,
        "words": b"ada\nbob\ncid\n" * 8,
        "ends": b"a\x0cb\rc\r\nd\xe2\x80\xa8e\xc2\x85f",
    },
    "jsonl": {
        "records": b'{"ds": "2024-01-01", "y": 1.5, "id": "a"}\n{"ds": "2024-01-02", "y": null, "id": "a"}\n',
        "words": b'{"t": 1, "y": "so \\ud83d\\ude00"}\n{"t": 2, "y": true}\n',
    },
    "json": {"array": b'[{"ds": 1, "y": 2}, {"ds": 2, "y": 2.5}, {"ds": 3, "y": 1e3}]'},
    "wav": {
        "pcm16": sound("WAV", "PCM_16"),
        "float": sound("WAV", "FLOAT", TONE[:100]),
        "double": sound("WAV", "DOUBLE", TONE[:50]),
        "stereo24": sound("WAV", "PCM_24", STEREO[:60]),
        "adpcm": sound("WAV", "IMA_ADPCM"),
        "rf64": sound("RF64", "PCM_U8"),
    },
    "aiff": {
        "pcm16": sound("AIFF", "PCM_16"),
        "float": sound("AIFF", "FLOAT", TONE[:90]),
        "pcm8": sound("AIFF", "PCM_S8"),
    },
    "flac": {"pcm16": sound("FLAC", "PCM_16"), "stereo": sound("FLAC", "PCM_24", STEREO)},
    "ogg": {"vorbis": sound("OGG", "VORBIS")},
    "mp3": {"mono": sound("MP3", "MPEG_LAYER_III", np.tile(TONE, 4)), "stereo": sound("MP3", "MPEG_LAYER_III", STEREO)},
    "parquet": {
        codec: written("write_parquet", compression=codec) for codec in ("zstd", "uncompressed", "snappy", "lz4")
    },
    "arrow": {"plain": written("write_ipc"), "zstd": written("write_ipc", compression="zstd")},
    "xlsx": {"sheets": workbook()},
    "packed": {kind: packed(kind) for kind in ("gz", "bz2", "xz", "zip", "zst")},
    "sqlite": {"sales": database()},
    "model": {"ar": model()},
}


def main() -> None:
    """Write every seed."""
    for name, files in SEEDS.items():
        (targets.SEEDS / name).mkdir(parents=True, exist_ok=True)
        for file, raw in files.items():
            (targets.SEEDS / name / file).write_bytes(raw)


if __name__ == "__main__":
    main()
