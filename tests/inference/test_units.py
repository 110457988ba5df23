"""The surprisals of the units of a text add up to that of the text, however it is cut."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import polars as pl
import polars.testing
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ostinato
from ostinato.cli.main import main
from ostinato.data.sequences import SequenceSet
from ostinato.data.spelling import spelling_of
from ostinato.errors import ConfigError
from ostinato.inference.cutting import UNITS
from ostinato.inference.scores import Scores

TEXT = "Dog bites man.  Man bites dog! 개가 사람을 물었다.\nWho bit whom?\n\nNobody said"


def scores_of(*texts: str, end: bool = False) -> Scores:
    """Return scores of texts in which the surprisal of the i-th symbol of all is 2 ** -i nats."""
    symbols = [np.array([ord(c) for c in text], dtype=np.int32) for text in texts]
    steps = [len(s) + end for s in symbols]
    offsets = np.cumsum([0, *(len(s) for s in symbols)])
    data = SequenceSet(
        "text", np.concatenate(symbols)[:, None], offsets, tuple(f"t{i}" for i in range(len(texts))), terminated=end
    )
    return Scores(data, np.arange(1.0, sum(steps) + 1), np.cumsum([0, *steps]))


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("word", ["Dog", "bites", "man.", "Man", "bites", "dog!", "개가", "사람을", "물었다.", "Who", "bit", "whom?"]),
        ("line", ["Dog bites man.  Man bites dog! 개가 사람을 물었다.", "Who bit whom?", "", "Nobody said"]),
        ("sentence", ["Dog bites man.", "Man bites dog!", "개가 사람을 물었다.", "Who bit whom?", "Nobody said"]),
        ("symbol", list(TEXT)),
    ],
)
def test_a_text_is_cut_where_a_reader_cuts_it(by: str, expected: list[str]) -> None:
    assert scores_of(TEXT).by(by)["text"].to_list()[: len(expected)] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("你好。再见！我们去吧？", ["你好。", "再见！", "我们去吧？"]),
        ("“好的。”他说。走！？\n第二行", ["“好的。”", "他说。", "走！？", "第二行"]),
        ("「そうか。」彼は言った。（本当。）", ["「そうか。」", "彼は言った。", "（本当。）"]),
        ("It cost 3.50 at example.com. Really?!", ["It cost 3.50 at example.com.", "Really?!"]),
        ("等等……什么？ Dr. No said 'no.' Then", ["等等……什么？", "Dr.", "No said 'no.'", "Then"]),
        ("\n\n one. two", ["one.", "two"]),
    ],
)
def test_sentences_end_at_the_marks_of_their_script(text: str, expected: list[str]) -> None:
    assert scores_of(text).by("sentence")["text"].to_list() == expected


@pytest.mark.parametrize("text", ["\n\nabc\n\n  \ndef\n", "\n", "\n\n\n", " \n", "a\n\n", "", "a"])
def test_each_line_is_a_unit_and_empty_ones_too(text: str) -> None:
    frame = scores_of(text).by("line")
    assert frame["text"].to_list() == [line.strip() for line in io.StringIO(text)]
    assert frame["length"].to_list() == [len(line) for line in io.StringIO(text)]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(alphabet="ab.! \n\t가\u3000。”\u200d👩", max_size=30), min_size=1, max_size=3), st.booleans())
def test_units_tile_the_text_and_add_up(texts: list[str], end: bool) -> None:
    scores = scores_of(*texts, end=end)
    for by in UNITS:
        frame = scores.by(by)
        assert frame["nats"].sum() == pytest.approx(float(scores.surprisal.sum()))
        assert frame["length"].sum() == sum(map(len, texts))
        for key, text in zip(scores.data.ids, texts, strict=True):
            rows = frame.filter(frame["unique_id"] == key)
            starts = np.cumsum([1, *rows["length"].to_list()])[:-1].tolist()
            assert rows["start"].to_list() == (starts if text or not end else [1])
            assert (
                "".join(rows["text"].to_list()).split()
                == "".join(
                    text[s - 1 : s - 1 + n].strip() if by != "symbol" else text[s - 1 : s - 1 + n]
                    for s, n in zip(rows["start"], rows["length"], strict=True)
                ).split()
            )


@settings(max_examples=40, deadline=None)
@given(
    st.text(alphabet="ab.! \n\t가ᄀ\u3000。”\u200d👩", min_size=1, max_size=60),
    st.sampled_from([{}, {"alphabet": "bytes"}, {"spelling": {"name": "jamo"}}]),
    st.integers(1, 9),
)
def test_units_are_the_same_however_long_the_stretches_are(text: str, meta: dict[str, Any], size: int) -> None:
    points = spelling_of(meta).points(text)
    data = SequenceSet("text", points[:, None], np.array([0, len(points)]), ("t",), terminated=True, meta=meta)
    scores = Scores(data, np.arange(1.0, len(points) + 2), np.array([0, len(points) + 1]))
    for by in UNITS:
        once = scores.by(by)
        short = mock.patch(
            "ostinato.inference.cutting.blocks", lambda x: (x[i : i + size] for i in range(0, len(x), size))
        )
        with short, mock.patch("ostinato.inference.units._TOGETHER", size):
            pl.testing.assert_frame_equal(scores.by(by), once)


def test_the_count_is_that_of_the_text() -> None:
    frame = scores_of("a b a").by("word")
    assert frame["count"].to_list() == [2, 1, 2]


@pytest.mark.parametrize("by", ["word", "line", "sentence"])
def test_the_frequency_is_that_of_the_corpus_however_long(
    by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = "a bb A. ccc\n\nbb a dd? a -- bb\n" * 30
    (tmp_path / "corpus.txt").write_text(corpus)
    scores = scores_of("A bb,\na. -- new")
    once = scores.by(by, str(tmp_path / "corpus.txt"))
    kept = corpus.split() if by == "word" else corpus.split("\n")[:-1] if by == "line" else None
    if kept is not None:
        plain = [text.lower().strip(".,?") for text in kept] if by == "word" else kept
        texts = ["a", "bb", "a", "--", "new"] if by == "word" else once["text"].to_list()
        expected = [1e6 * plain.count(text) / len(kept) for text in texts]
        np.testing.assert_allclose(once["frequency"], expected)
    assert once["letters"].to_list() == {"word": [1, 2, 1, 0, 3], "line": [3, 4], "sentence": [4, 3]}[by]
    assert once.columns[:-2] == scores.by(by).columns
    monkeypatch.setattr("ostinato.inference.cutting.blocks", lambda x: (x[i : i + 7] for i in range(0, len(x), 7)))
    assert scores.by(by, str(tmp_path / "corpus.txt")).equals(once)


def test_words_differ_by_their_vowel_signs_and_not_by_marks(tmp_path: Path) -> None:
    (tmp_path / "corpus.txt").write_text("को को, ki'!", encoding="utf-8")
    table = scores_of("(की) ki").by("word", tmp_path / "corpus.txt")
    np.testing.assert_allclose(table["frequency"], [0, 1e6 / 3])


def test_symbols_are_not_counted_in_a_corpus() -> None:
    with pytest.raises(ConfigError, match="by='symbol'"):
        scores_of("a").by("symbol", "corpus.txt")


def test_the_end_of_a_line_belongs_to_its_last_word() -> None:
    assert scores_of("a b", end=True).by("word")["nats"].to_list() == [1 + 2, 3 + 4]


def test_what_has_no_units_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown unit 'paragraph'"):
        scores_of("a").by("paragraph")
    model = ostinato.fit(np.sin(np.arange(60.0)), model="ar").model
    with pytest.raises(ConfigError, match="only text has units, got a model of series"):
        ostinato.score(model, np.sin(np.arange(30.0))).by("word")


def test_the_command_prints_and_writes_the_units(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, model = tmp_path / "names.txt", tmp_path / "m.ost"
    path.write_text("anna berta\nberta clara\n" * 40)
    for words in (
        ["fit", f"{path}", "--model", "ar", "--per-line", "-o", f"{model}", "-q"],
        ["score", f"{model}", f"{path}", "--by", "word", "-o", f"{tmp_path / 'words.csv'}"],
        ["score", f"{model}", f"{path}", "--by", "word"],
    ):
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main(words)
        assert not stop.value.code
    printed = capsys.readouterr().out
    assert printed.startswith("unique_id,unit,start,length,text,count,nats,bits\n")
    assert printed == (tmp_path / "words.csv").read_text()
    assert len(printed.splitlines()) == 161
