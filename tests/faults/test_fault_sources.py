"""What people bring: files of every format, databases, recordings and texts, read as other programs read them."""

from __future__ import annotations

import bz2
import functools
import gzip
import io
import json
import lzma
import sqlite3
import tempfile
import wave
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import soundfile
import xlsxwriter
from numpy.typing import NDArray
from rows import Row

import ostinato
from ostinato.data.lines import line_blocks
from ostinato.errors import DataError
from ostinato.inference.stream import Stream
from ostinato.model import SequenceModel

#: Numbers of 16 digits: spreadsheets keep no more.
VALUES = np.array([float(f"{x:.16G}") for x in np.random.default_rng(3).normal(size=24) * 10.0 ** np.arange(-12, 12)])
DAYS = [f"2024-03-{d:02}" for d in range(1, 25)]
TABLE = pl.DataFrame({"ds": DAYS, "y": VALUES})
TONE = np.rint(np.sin(np.arange(900) / 9) * 9_000).astype(np.int16)
STEREO = np.stack([TONE, TONE[::-1]], axis=1)
HISS = np.rint(np.random.default_rng(1).normal(0, 900, (120, 2))).astype(np.int16)


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def refused(call: Callable[[], object], *words: str) -> str:
    """Check that a call ends with a DataError that has these words."""
    with pytest.raises(DataError) as caught:
        call()
    for word in words:
        assert word in str(caught.value), str(caught.value)
    assert caught.value.fix
    return f"refused: {caught.value.what[:60]}"


# Tables: the values must be those of the polars frame that was written, to the last digit.


def workbook(sheets: dict[str, list[list[Any]]]) -> bytes:
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for i, row in enumerate(rows):
            sheet.write_row(i, 0, row)
    book.close()
    return buffer.getvalue()


def zipped(raw: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("inside/t.csv", raw)
    return buffer.getvalue()


def in_memory(method: str) -> bytes:
    buffer = io.BytesIO()
    getattr(TABLE, method)(buffer)
    return buffer.getvalue()


CSV = TABLE.write_csv().encode()
LINES = "\n".join(json.dumps(row) for row in TABLE.to_dicts()).encode()
ROWS_OF_SHEET = [["ds", "y"], *([d, y] for d, y in zip(DAYS, VALUES.tolist(), strict=True))]
FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "t.csv": (lambda: CSV, "polars"),
    "t.csv.gz": (lambda: gzip.compress(CSV), "gzip"),
    "t.csv.bz2": (lambda: bz2.compress(CSV), "bz2"),
    "t.csv.xz": (lambda: lzma.compress(CSV), "lzma"),
    "t.csv.zst": (lambda: pa.compress(CSV, codec="zstd", asbytes=True), "pyarrow"),
    "t.zip": (lambda: zipped(CSV), "zipfile"),
    "packed as gzip without an ending": (lambda: gzip.compress(CSV), "gzip"),
    "t.jsonl": (lambda: LINES, "json"),
    "t.ndjson": (lambda: LINES.replace(b"\n", b"\r\n\r\n"), "json"),
    "app.log": (lambda: LINES, "json"),
    "t.json": (lambda: json.dumps(TABLE.to_dicts(), indent=1).encode(), "json"),
    "t.parquet": (lambda: in_memory("write_parquet"), "polars"),
    "t.arrow": (lambda: in_memory("write_ipc"), "polars"),
    "t.feather": (lambda: in_memory("write_ipc"), "polars"),
    "t.xlsx": (lambda: workbook({"Sales": ROWS_OF_SHEET}), "xlsxwriter"),
}


def same_values(name: str) -> str:
    with folder() as place:
        (place / name).write_bytes(FILES[name][0]())
        data = ostinato.read(place / name)
        np.testing.assert_array_equal(data.values[:, 0], VALUES)
        assert data.times is not None
        assert str(data.times[-1])[:10] == DAYS[-1]
    return f"right: {len(VALUES)} values, all digits"


def a_sheet(sheet: str | None) -> str:
    with folder() as place:
        (place / "b.xlsx").write_bytes(
            workbook({"Notes": [], "Sales": ROWS_OF_SHEET, "Costs": [["t", "y"], [1, 7.5], [2, "N/A"], [3, 1 / 3]]})
        )
        data = ostinato.read(place / "b.xlsx", sheet=sheet)
        expected = VALUES if sheet is None else [7.5, np.nan, 1 / 3]
        np.testing.assert_array_equal(data.values[:, 0], expected)
        assert any("'Sales'" in note and "sheet=" in note for note in data.notes) == (sheet is None)
        again = ostinato.read(place / "b.xlsx", sheet=data.meta.get("sheet"))
        np.testing.assert_array_equal(again.values, data.values)
    return f"right: sheet {sheet or 'Sales, with a note'}"


def from_sqlite(slashes: str) -> str:
    with folder() as place, pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        with closing(sqlite3.connect("shop.db")) as connection:
            connection.execute("CREATE TABLE sales (ds TEXT, y REAL, note TEXT)")
            connection.executemany("INSERT INTO sales VALUES (?, ?, 'x')", TABLE.rows())
            connection.commit()
            right = [row[0] for row in connection.execute("SELECT y FROM sales ORDER BY ds")]
        path = "shop.db" if slashes == "///" else f"{place}/shop.db".removeprefix("/" if slashes == "////" else "")
        address, query = f"sqlite:{slashes}{path}", "SELECT ds, y FROM sales ORDER BY ds"
        data = ostinato.read(address, query=query)
        np.testing.assert_array_equal(data.values[:, 0], right)
        refused(lambda: ostinato.read(address), "query=", "sales")
        refused(lambda: ostinato.read(address, query="SELECT * FROM absent"), "no such table")
        refused(lambda: ostinato.read(address, query="DELETE FROM sales"), "readonly")
    return f"right: {len(right)} rows"


def no_password(address: str, secret: str) -> str:
    def failing(query: str, uri: str, engine: str) -> None:
        raise RuntimeError(f"cannot connect to {uri} with {secret!r}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pl, "read_database_uri", failing)
        with pytest.raises(DataError) as caught:
            ostinato.read(address, query="SELECT 1")
    assert secret not in str(caught.value)
    assert caught.value.__suppress_context__
    patch = pytest.MonkeyPatch()
    with patch.context() as inner:
        inner.setattr(pl, "read_database_uri", lambda query, uri, engine: TABLE)
        data = ostinato.read(address, query="SELECT 1")
    assert secret not in json.dumps(data.meta) + repr(data.notes)
    return "right: not in the message, notes or meta"


def a_database_of_a_model() -> str:
    with folder() as place:
        with closing(sqlite3.connect(place / "shop.db")) as connection:
            connection.execute("CREATE TABLE sales (ds TEXT, y REAL)")
            connection.executemany("INSERT INTO sales VALUES (?, ?)", zip(DAYS, range(24), strict=True))
            connection.commit()
        address = f"sqlite:///{place / 'shop.db'}"
        model = ostinato.fit(ostinato.read(address, query="SELECT * FROM sales"), model="ar").model
        ostinato.save_model(model, place / "m.ost")
        loaded = ostinato.load_model(place / "m.ost")
        # the same query reads the other data
        assert np.isfinite(ostinato.score(loaded, address).log_prob).all()
    return "right: scored without the query given again"


def refused_json(name: str, text: str, *words: str) -> str:
    with folder() as place:
        (place / name).write_text(text)
        return refused(lambda: ostinato.read(place / name), *words)


# Sound: the samples must be those that soundfile and wave give.


def sound_of(form: str, subtype: str, bits: int) -> str:
    with folder() as place:
        path = place / f"t.{ENDINGS.get(form, form.lower())}"
        coarse = (STEREO.astype(np.int64) >> max(0, 16 - bits)) / 2.0 ** (min(bits, 16) - 1)
        soundfile.write(path, coarse, 48_000, format=form, subtype=subtype)
        whole, _ = soundfile.read(path, dtype="int32", always_2d=True)
        if subtype in ("FLOAT", "DOUBLE"):
            whole = (soundfile.read(path, always_2d=True)[0] * 2.0**31).astype(np.int64)
        data = ostinato.read(path)
        assert (data.kind, data.meta["bits"], data.channels) == ("sound", bits, ("left", "right"))
        if subtype == "MS_ADPCM":  # libsndfile also reads what fills up the last block
            whole = whole[: len(STEREO)]
        np.testing.assert_array_equal(data.values, whole >> (32 - bits))
    return f"right: {bits} bits, {len(whole)} frames"


ENDINGS = {"RF64": "rf64", "MP3": "mp3"}


def lossy(form: str, subtype: str, name: str) -> str:
    with folder() as place:
        soundfile.write(place / name, STEREO / 2.0**15, 48_000, format=form, subtype=subtype)
        right, _ = soundfile.read(place / name, always_2d=True)
        data = ostinato.read(place / name)
        assert np.abs(data.values / 2.0**15 - right).max() <= 2.0**-16
    return f"right: 16 bits of {len(right)} frames"


def a_wave() -> str:
    with folder() as place:
        with wave.open(str(place / "t.wav"), "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(8_000)
            file.writeframes(HISS.tobytes())
        np.testing.assert_array_equal(ostinato.read(place / "t.wav").values, HISS)
        model = ostinato.fit(ostinato.read(place / "t.wav"), model="ar").model
        drawn = ostinato.sample(model, 50)[0]
        from ostinato.data.sound import as_wav

        (place / "s.wav").write_bytes(as_wav(drawn, model.description.source))
        with wave.open(str(place / "s.wav")) as file:
            assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (2, 8_000, 50)
    return "right: two channels in and out"


def channels(options: dict[str, Any], right: NDArray[Any]) -> str:
    with folder() as place:
        soundfile.write(place / "t.flac", STEREO, 8_000)
        data = ostinato.read(place / "t.flac", **options)
        np.testing.assert_array_equal(data.values, right)
        again = ostinato.read(place / "t.flac", channel=data.meta["channel"], mix=bool(data.meta["mix"]))
        np.testing.assert_array_equal(again.values, right)
    return f"right: {data.values.shape[1]} channels"


def not_finite(form: str, subtype: str, value: float) -> str:
    samples = (STEREO / 2.0**15).astype(np.float64)
    samples[7, 1] = value
    with folder() as place:
        path = place / f"t.{form.lower()}"
        soundfile.write(path, samples, 8_000, format=form, subtype=subtype)
        assert not np.isfinite(soundfile.read(path)[0][7, 1])
        return refused(lambda: ostinato.read(path), "frame 7 ", "0.000875 s", "channel 1")


def beyond_full_scale(share: float) -> str:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 2_000)
    samples[: int(share * 2_000)] = 1.5
    with folder() as place:
        soundfile.write(place / "t.wav", samples, 8_000, subtype="DOUBLE")
        if share > 0.01:
            return refused(lambda: ostinato.read(place / "t.wav"), f"{int(share * 2000):,} of 2,000 samples", "1.5")
        notes = ostinato.read(place / "t.wav").notes
    assert any(f"{int(share * 2000)} of 2,000 samples are beyond full scale" in note for note in notes), notes
    return "noted: the number of samples"


def rounded(subtype: str) -> str:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 2_000)
    with folder() as place:
        soundfile.write(place / "t.wav", samples, 8_000, subtype=subtype)
        whole = soundfile.read(place / "t.wav")[0] * 2.0**23
        data = ostinato.read(place / "t.wav")
        count = int((whole != np.rint(whole)).sum())
        assert any(f"{count:,} of 2,000 samples are rounded" in note for note in data.notes), data.notes
        np.testing.assert_array_equal(data.values[:, 0], np.rint(whole))
    return f"noted: {count} samples"


def full_32_bits() -> str:
    with folder() as place:
        soundfile.write(place / "t.wav", np.arange(1, 900, dtype=np.int32) * 1_000_001, 8_000, subtype="PCM_32")
        data = ostinato.read(place / "t.wav")
    assert any("more than 24 bits" in note for note in data.notes)
    return "noted: more than 24 bits"


def cut(form: str, subtype: str) -> str:
    with folder() as place:
        path = place / f"t.{form.lower()}"
        soundfile.write(path, TONE, 8_000, format=form, subtype=subtype)
        raw = path.read_bytes()
        for at in (30, len(raw) // 2, len(raw) - 1):
            path.write_bytes(raw[:at])
            refused(lambda: ostinato.read(path))
    return "refused: three cuts"


# Text: a line is what Python's io calls one, on every way in.

LINE_TEXTS = {
    "empty lines after a carriage return": "a\r\n\nb\r\r\n\n\nc\n",
    "unix": "ada\nbob\ncid\n",
    "windows": "ada\r\nbob\r\ncid\r\n",
    "first macs": "ada\rbob\rcid\r",
    "mixed": "ada\rbob\r\ncid\n\rd",
    "no end": "ada\nbob\ncid",
    "form feed": "ada\x0cb\nbob",
    "U+2028": "ada\u2028b\nbob\u2029c\n",
    "U+0085": "ada\x85b\r\nbob\n",
    "vertical tab, U+001C": "a\x0bb\x1cc\nd\n",
    "empty lines": "\n\nada\n\n",
}


def by_io(text: str) -> list[str]:
    """Return the lines of a text by Python's io."""
    return [line.removesuffix("\n") for line in io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8")]


def lines(text: str) -> str:
    with folder() as place:
        (place / "t.txt").write_bytes(text.encode())
        data = ostinato.read(place / "t.txt", per_line=True)
        assert ["".join(map(chr, row[:, 0])) for row in data] == by_io(text)
    for size in (1, 2, 3, 50):
        raw = text.encode()
        blocks = line_blocks(raw[i : i + size] for i in range(0, len(raw), size))
        assert [line.decode() for block, _ in blocks for line in block] == by_io(text)
    return f"right: {len(by_io(text))} lines"


@functools.cache
def names() -> SequenceModel:
    """Return a model of lines."""
    text = ["ada lovelace", "bob", "cid\x0c", "dora b", "eve\u2028"] * 30
    model = ostinato.fit(ostinato.read(text, kind="text"), model="ar").model
    assert isinstance(model, SequenceModel)
    return model


def stream_as_score(text: str) -> str:
    whole = ostinato.score(names(), ostinato.read(by_io(text), kind="text")).surprisal
    ended = text if text.endswith(("\n", "\r")) else text + "\n"
    for size in (1, 2, 5, 100):
        live = Stream(names())
        pieces = [live.update(ended[i : i + size]).surprisal for i in range(0, len(ended), size)]
        np.testing.assert_allclose(np.concatenate(pieces), whole, rtol=1e-5)
    return f"right: {len(whole)} surprisals"


def bom(text: str) -> str:
    raw = text.encode("utf-8-sig")
    with folder() as place:
        (place / "t.txt").write_bytes(raw)
        assert [chr(c) for c in ostinato.read(place / "t.txt", per_line=False).values[:, 0]] == list("ab\nc")
        (place / "t.txt").write_bytes(text.encode("utf-16"))
        assert [chr(c) for c in ostinato.read(place / "t.txt", per_line=False).values[:, 0]] == list("ab\nc")
        (place / "t.txt").write_bytes(text.encode("utf-32"))
        refused(lambda: ostinato.read(place / "t.txt"), "UTF-32")
    for size in (1, 2, 50):
        assert b"".join(x for b, _ in line_blocks(raw[i : i + size] for i in range(0, 9, size)) for x in b) == b"abc"
    return "right: dropped, and UTF-32 refused"


def half_a_character(way: str) -> str:
    text = "ab\ud800c"
    with pytest.raises(UnicodeEncodeError):
        text.encode()
    ways: dict[str, Callable[[], object]] = {
        "strings": lambda: ostinato.read(["abc", text], kind="text"),
        "strings as bytes": lambda: ostinato.read({"k": text}, kind="text", alphabet="bytes"),
        "prompt": lambda: ostinato.sample(names(), 5, prompt=text),
        "stream": lambda: Stream(names()).update(text),
        "JSON": lambda: _json_text(text),
    }
    return refused(ways[way], "\\ud800", "position 2")


def _json_text(text: str) -> object:
    with folder() as place:
        (place / "t.jsonl").write_text(json.dumps({"t": 1, "y": text}) + "\n")
        return ostinato.read(place / "t.jsonl", kind="text", target="y")


def no_unknown_symbol(alphabet: str, temperature: float) -> str:
    rng = np.random.default_rng(0)
    text = ["".join(rng.choice(list("abcdefgh 한국"), 7)) for _ in range(60)]
    data = ostinato.read(text, kind="text", alphabet=alphabet)
    model = ostinato.fit(data, model="gru", budget=ostinato.Budget(steps=1), hidden=4).model
    drawn = "".join(ostinato.sample(model, 40, n_samples=300, temperature=temperature))
    known = set("".join(text))
    assert alphabet == "bytes" or set(drawn) <= known, set(drawn) - known
    ostinato.sample(model, 3, prompt=drawn[:20] if alphabet == "characters" else "a")
    # the unknown symbol still has a probability
    assert np.isfinite(ostinato.score(model, ostinato.read(["abZ"], kind="text", alphabet=alphabet)).log_prob).all()
    return f"right: {len(drawn):,} symbols"


def a_known_replacement() -> str:
    data = ostinato.read(["a\ufffdb"] * 40, kind="text")
    drawn = "".join(ostinato.sample(ostinato.fit(data, model="ar").model, 5, n_samples=20))
    assert "\ufffd" in drawn
    return "right: drawn, as the text has it"


def row(kind: str, instance: str, source: str, check: Callable[..., str], *given: Any) -> Row:
    return Row(kind, instance, source, functools.partial(check, *given))


ADDRESSES = (
    ("postgresql://bob:s3cr3t@host/shop", "s3cr3t"),
    ("mysql://bob:p%40ss@host/shop", "p@ss"),
    ("postgresql://host/shop?user=bob&password=hunter2", "hunter2"),
    ("postgresql://bob:a@b:c@host:5432/shop", "a@b:c"),
)
WHOLE = (
    ("WAV", "PCM_U8", 8), ("WAV", "PCM_16", 16), ("WAV", "PCM_24", 24), ("WAV", "PCM_32", 32), ("WAV", "FLOAT", 24),
    ("WAV", "DOUBLE", 24), ("WAV", "ULAW", 16), ("WAV", "MS_ADPCM", 16), ("AIFF", "PCM_S8", 8), ("AIFF", "PCM_24", 24),
    ("AU", "PCM_16", 16), ("CAF", "ALAC_24", 24), ("CAF", "ALAC_20", 20), ("W64", "PCM_16", 16), ("RF64", "PCM_16", 16),
    ("FLAC", "PCM_24", 24),
)  # fmt: skip
STREAMED = ("windows", "mixed", "no end", "form feed", "U+2028")
REAL = (("WAV", "FLOAT"), ("WAV", "DOUBLE"), ("AIFF", "FLOAT"), ("CAF", "DOUBLE"), ("AU", "FLOAT"))
CUT = (
    ("WAV", "PCM_16"), ("WAV", "FLOAT"), ("AIFF", "PCM_16"), ("AU", "PCM_24"), ("W64", "PCM_16"), ("RF64", "PCM_16"),
    ("FLAC", "PCM_16"), ("OGG", "VORBIS"),
)  # fmt: skip
WAYS = ("strings", "strings as bytes", "prompt", "stream", "JSON")
DRAWN = tuple((alphabet, temperature) for alphabet in ("characters", "bytes") for temperature in (1.0, 3.0))
MIXED = np.rint(STEREO.astype(np.int64).sum(axis=1, keepdims=True) / 2)
ROWS = [
    *(row("sources", name, source, same_values, name) for name, (_, source) in FILES.items()),
    row("sources", "the first sheet with data", "xlsxwriter", a_sheet, None),
    row("sources", "a sheet by name, numbers among words", "xlsxwriter", a_sheet, "Costs"),
    *(row("sources", f"sqlite:{s}", "sqlite3", from_sqlite, s) for s in ("///", "////")),
    *(row("sources", f"a password, {a}", "the address", no_password, a, s) for a, s in ADDRESSES),
    row("sources", "a database of a model", "sqlite3", a_database_of_a_model),
    row("sources", "a list within JSON", "json", refused_json, "t.jsonl", '{"y": {"a": [1]}}\n', "'y.a'", "line 1"),
    row("sources", "a list in JSON", "json", refused_json, "t.json", '[{"y": 1}, {"y": [2]}]', "'y'", "record 2"),
    row("sources", "bad JSON", "json", refused_json, "t.jsonl", '{"y": 1}\n\n{"y": }\n', "line 3"),
    row("sources", "JSON numbers alone", "json", refused_json, "t.json", "[1, 2]", "expected an object"),
    *(row("sources", f"{form} {subtype}", "soundfile", sound_of, form, subtype, n) for form, subtype, n in WHOLE),
    row("sources", "MP3", "soundfile", lossy, "MP3", "MPEG_LAYER_III", "t.mp3"),
    row("sources", "OGG", "soundfile", lossy, "OGG", "VORBIS", "t.ogg"),
    row("sources", "Opus", "soundfile", lossy, "OGG", "OPUS", "t.opus"),
    row("sources", "stereo in and out", "wave", a_wave),
    row("sources", "all channels", "soundfile", channels, {}, STEREO),
    row("sources", "channel 1", "soundfile", channels, {"channel": 1}, STEREO[:, 1:]),
    row("sources", "the mix", "numpy", channels, {"mix": True}, MIXED),
    *(row("sources", f"lines, {name}", "io", lines, text) for name, text in LINE_TEXTS.items()),
    *(row("sources", f"a stream of lines, {name}", "io", stream_as_score, LINE_TEXTS[name]) for name in STREAMED),
    row("sources", "a byte order mark", "codecs", bom, "ab\nc"),
    *(
        row("numbers", f"{value} in {form} {subtype}", "soundfile", not_finite, form, subtype, value)
        for form, subtype in REAL
        for value in (np.nan, np.inf, -np.inf)
    ),
    *(row("numbers", f"{share:.1%} beyond full scale", "numpy", beyond_full_scale, share) for share in (0.005, 0.5)),
    *(row("numbers", f"{subtype} to 24 bits", "numpy", rounded, subtype) for subtype in ("FLOAT", "DOUBLE")),
    row("numbers", "all of 32 bits", "soundfile", full_32_bits),
    *(row("numbers", f"{form} {subtype} cut short", "soundfile", cut, form, subtype) for form, subtype in CUT),
    *(row("numbers", f"half a character, {way}", "str.encode", half_a_character, way) for way in WAYS),
    *(row("numbers", f"no unknown symbol, {a} at {t}", "the text", no_unknown_symbol, a, t) for a, t in DRAWN),
    row("numbers", "U+FFFD in the text", "the text", a_known_replacement),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_sources(row: Row) -> None:
    assert row.check()
