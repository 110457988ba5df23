"""What the fuzz reads: the formats, their seeds, and the one call that must end with a result or an OstinatoError."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path
from typing import Any

SEEDS = Path(__file__).parent / "seeds"
_BIG, _ZERO = b"\xff\xff\xff\xff", b"\0\0\0\0"
_NAN, _INFINITE = b"\0\0\xc0\x7f", b"\0\0\x80\x7f"
#: The ending of the file of each format, and pieces that its mutations put in.
FORMATS: dict[str, tuple[str, tuple[bytes, ...]]] = {
    "csv": (
        ".csv",
        (b'"', b",", b";", b"\n", b"\r", b"\0", b"\xff", b"1e999", b"nan", b"2024-02-30", b"\xef\xbb\xbf", b"-"),
    ),
    "tsv": (".tsv", (b'"', b"\t", b"\n", b"\r\n", b"\0", b"1,5", b"Total", b"\xe2\x80\xa8", b"\x85")),
    "txt": (".txt", (b"\n", b"\r", b"\x0c", b"\0", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xff\xfe", b"1\n2\n")),
    "jsonl": (
        ".jsonl",
        (b"{", b"}", b"[", b'"', b":", b",", b"\\ud800", b"NaN", b"1e999", b"null", b"\n", b"true", b"9" * 400),
    ),
    "json": (".json", (b"[", b"]", b"{", b"}", b'"y":', b",", b"1e5", b"Infinity", b"null", b"\\u0000", b'""')),
    "wav": (".wav", (b"RIFF", b"data", b"fmt ", _BIG, _ZERO, b"\x03\0", b"\x01\0", _NAN, _INFINITE)),
    "aiff": (".aiff", (b"FORM", b"SSND", b"COMM", _BIG, _ZERO, b"AIFC", b"fl32")),
    "flac": (".flac", (b"fLaC", b"\xff\xf8", _BIG, _ZERO)),
    "ogg": (".ogg", (b"OggS", _BIG, _ZERO, b"\x01vorbis")),
    "mp3": (".mp3", (b"\xff\xfb", b"ID3", b"Xing", _BIG, _ZERO)),
    "parquet": (".parquet", (b"PAR1", _BIG, b"\x7f", b"\x80\x80\x80\x80\x08", _ZERO)),
    "arrow": (".arrow", (b"ARROW1", _BIG, b"\x7f", _ZERO)),
    "xlsx": (".xlsx", (b"PK\x03\x04", b"PK\x05\x06", _BIG, b"<c>", b"</c>", _ZERO)),
    "packed": (".csv.gz", (b"\x1f\x8b", b"BZh9", b"\xfd7zXZ\0", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", _BIG)),
    "sqlite": (".db", (b"SQLite format 3\0", _BIG, b"CREATE TABLE", _ZERO)),
    "model": (".ost", (b"{", b"}", b'"', b":", b"[", b"]", b"null", b"1e999", b"-1", _BIG, b"\0")),
}  # fmt: skip
_TABLE: list[dict[str, Any]] = [
    {},
    {"kind": "series"},
    {"kind": "prices"},
    {"kind": "text"},
    {"kind": "text", "target": "y"},
]
#: The options that a format is read with besides none; the content of the input chooses one of them.
_OPTIONS: dict[str, list[dict[str, Any]]] = {
    "txt": [{}, {"per_line": True}, {"per_line": False}, {"alphabet": "bytes"}, {"kind": "text"}, {"kind": "series"}],
    **{name: [{}, {"channel": 0}, {"mix": True}] for name in ("wav", "aiff", "flac", "ogg", "mp3")},
    "xlsx": [*_TABLE, {"sheet": "Sales"}],
}


def run(name: str, path: Path) -> None:
    """Read the file, with options that depend on its content.

    Args:
        name: The name of the format.
        path: The file.

    Raises:
        Exception: Whatever a reader raises; only an OstinatoError is right.
    """
    from ostinato.data.read import read
    from ostinato.errors import ModelFileError, OstinatoError

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if name == "model":
            from ostinato.model_file import load_model

            try:
                load_model(path)
            except ModelFileError:
                return
            return
        several = _OPTIONS.get(name, _TABLE)
        chosen = several[hashlib.sha256(path.read_bytes()).digest()[0] % len(several)]
        for options in ({}, chosen) if chosen else ({},):
            try:
                if name == "sqlite":
                    read(f"sqlite:///{path}", query="SELECT * FROM sales", **options)
                else:
                    read(path, **options)
            except OstinatoError as error:
                str(error).encode()  # the message can be printed


def seeds(name: str) -> list[Path]:
    """Return the seeds of a format, with the inputs that once went wrong."""
    return sorted((SEEDS / name).glob("*"))
