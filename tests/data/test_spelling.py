"""Every text is spelled in one way and read back from it, under every vocabulary."""

from __future__ import annotations

import importlib.util
import math
import unicodedata
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.data.alphabet import Alphabet
from ostinato.data.readable import Readable
from ostinato.data.spelled import respelled
from ostinato.data.spelling import VOCABULARIES, Pieces, Spelling, spelling_from_json
from ostinato.data.text import from_strings
from ostinato.errors import DataError

_HERE = [v for v in VOCABULARIES if v != "bpe" or importlib.util.find_spec("tokenizers")]
_TRAINED = ["ab", "나는 한국어를 말한다", "the theme there", "ㅋㅋㅋ 좋아요", "e\u0301"]
#: Text with jamo that stand alone, text that was decomposed, and anything else.
_TEXTS = st.one_of(
    st.text(),
    st.text(alphabet="\u1100\u1161\u11a8\u3131\u314b가각힣ae\u0301 \n"),
    st.text(alphabet=st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3)).map(
        lambda text: unicodedata.normalize("NFD", text) + text
    ),
)


@cache
def spelling(name: str) -> Spelling:
    return Pieces.fit(_TRAINED * 5, 300) if name == "bpe" else spelling_from_json({"name": name})


@pytest.mark.parametrize("name", _HERE)
@given(text=_TEXTS)
@settings(max_examples=150, deadline=None)
def test_a_text_is_read_back_from_its_points(name: str, text: str) -> None:
    points = spelling(name).points(text)
    assert spelling(name).text(points.tolist()) == text
    assert spelling(name).characters(points).sum() == len(text)
    reader = spelling(name).reader()
    assert "".join([*(reader.feed(p) for p in points.tolist()), reader.close()]) == text
    again = spelling_from_json(spelling(name).to_json())
    assert again.points(text).tolist() == points.tolist()


@pytest.mark.parametrize("name", _HERE)
@given(text=_TEXTS)
@settings(max_examples=100, deadline=None)
def test_the_points_of_a_text_may_follow_each_other(name: str, text: str) -> None:
    text = text.replace("\r", "").replace("\0", "")
    points = spelling(name).points(text)
    known = np.union1d(spelling(name).always, points).astype(int)
    alphabet = Alphabet(tuple(known.tolist()), False, spelling(name))
    readable, place = Readable.of(alphabet), np.zeros(1, dtype=np.int64)
    for i, symbol in enumerate((np.searchsorted(known, points) + 1).tolist()):
        assert readable.at(place, len(points) - 1 - i)[0, symbol]
        place = readable.after[place, symbol]
    assert readable.needed[place[0]] == 0


@pytest.mark.parametrize("name", _HERE)
def test_half_a_character_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="lone surrogate"):
        from_strings([("a", "x\ud800")], "here", alphabet="characters", terminated=True)
    assert not spelling(name).points("").size


@pytest.mark.parametrize("name", _HERE)
@pytest.mark.parametrize("terminated", [True, False])
def test_every_text_has_a_finite_measure_and_its_characters(name: str, terminated: bool) -> None:
    rows = [(str(i), text) for i, text in enumerate(_TRAINED)]
    data = respelled(from_strings(rows, "here", alphabet="characters", terminated=terminated), spelling(name))
    alphabet = Alphabet.fit(data)
    new = respelled(
        from_strings([("a", "漢字 😀 뷁"), ("b", "")], "here", alphabet="characters", terminated=terminated),
        spelling(name),
    )
    encoded = alphabet.encode(new)
    assert bool(encoded.log_measure[:].isfinite().all())
    assert int(encoded.judged[:].sum()) == 6 + 2 * terminated
    assert Alphabet.from_json(alphabet.to_json()) == alphabet
    assert "뷁" not in alphabet.unknown("뷁") or name == "character"


def test_an_unknown_point_is_one_of_all_the_others() -> None:
    for name in ("character", "jamo"):
        alphabet = Alphabet(
            tuple(np.union1d(spelling(name).always, [97, 98]).astype(int).tolist()), True, spelling(name)
        )
        syllables = 11172 if name == "jamo" else 0
        assert math.exp(-alphabet.unknown_nats) == pytest.approx(0x110000 - 0x800 - syllables - 2)


def test_a_syllable_and_its_decomposed_jamo_stay_apart() -> None:
    jamo = spelling("jamo")
    assert jamo.points("각").tolist() != jamo.points(unicodedata.normalize("NFD", "각")).tolist()
    assert jamo.text([0x110000]) == "\u1100"  # a syllable that was cut off
    assert len(jamo.points("각가a")) == 3 + 2 + 1
