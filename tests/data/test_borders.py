"""No part of a text begins or ends within a character, in any vocabulary, in memory and on disk."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.data import split as splitting
from ostinato.data.borders import Borders
from ostinato.data.encoding import fit_encoding
from ostinato.data.sequences import SequenceSet
from ostinato.data.spelled import respelled
from ostinato.data.spelling import VOCABULARIES, Pieces, spelling_from_json
from ostinato.data.split import PARTS, split
from ostinato.training.material import Material
from ostinato.training.within import Within

_HERE = [v for v in VOCABULARIES if v != "bpe" or importlib.util.find_spec("tokenizers")]
_TEXTS = st.text(alphabet="a각힣€😀\u0301 \n", min_size=12, max_size=30).map(lambda text: text * 5)


def spelled(name: str, text: str) -> SequenceSet:
    """Return one text in a vocabulary; that of pieces has learned little, so that most are parts of a character."""
    spelling = Pieces.fit(["a각 힣"], 260) if name == "bpe" else spelling_from_json({"name": name})
    points = np.array([[ord(c)] for c in text], dtype=np.int32)
    offsets, meta = np.array([0, len(points)], dtype=np.int64), {"alphabet": "characters", "per_line": False}
    return respelled(SequenceSet("text", points, offsets, ("a",), meta=meta), spelling)


def texts(data: SequenceSet, spans: list[tuple[int, int, int]]) -> list[str]:
    """Return the text of each span, read by itself."""
    spelling = spelling_from_json(data.meta["spelling"]) if "spelling" in data.meta else None
    points = [data[b][a:z, 0].tolist() for b, a, z in spans]
    return [spelling.text(p) if spelling else "".join(map(chr, p)) for p in points]


@pytest.mark.parametrize("name", _HERE)
@settings(max_examples=60, deadline=None)
@given(text=_TEXTS, share=st.floats(0.1, 0.5), blocks=st.integers(4, 30))
def test_the_parts_of_a_text_are_read_by_themselves(name: str, text: str, share: float, blocks: int) -> None:
    data = spelled(name, text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(splitting, "LEAST_BLOCK", blocks)
        cut = split(data, share)
        spans = sorted(span for part in PARTS for span in cut.spans(part, data.lengths, data.lengths))
        assert [a for _, a, _ in spans[1:]] == [z for _, _, z in spans[:-1]]
        assert "".join(texts(data, spans)) == text
        assert all(texts(data, cut.spans(part, data.lengths, data.lengths)) for part in PARTS)


def test_a_text_too_short_for_whole_characters_is_cut_all_the_same() -> None:
    data = spelled("byte", "aaaaaaaaaáaa")
    cut = split(data, 0.25)
    assert cut.borders is None
    assert all(cut.spans(part, data.lengths, data.lengths) for part in PARTS)


@pytest.mark.parametrize("name", _HERE)
@settings(max_examples=40, deadline=None)
@given(text=_TEXTS, most=st.integers(3, 40))
def test_the_stretches_that_stand_for_a_part_are_read_by_themselves(name: str, text: str, most: int) -> None:
    data = spelled(name, text)
    encoding = fit_encoding(data, by_id=False)
    material = Material(data, encoding.encode(data), encoding, split(data, 0.2), Within(most, most, most, most))
    for part in PARTS:
        for found in texts(data, material.spans(part)):
            assert found in text


@pytest.mark.parametrize("name", [v for v in _HERE if v != "character"])
def test_a_step_goes_back_to_its_character(name: str) -> None:
    data = spelled(name, "a각€")
    borders = Borders.of(data)
    assert borders is not None
    found = [borders.before(0, step) for step in range(len(data[0]) + 1)]
    starts = [*np.flatnonzero(borders.spelling.begins(data[0][:, 0])).tolist(), len(data[0])]
    assert found == [max(s for s in starts if s <= step) for step in range(len(data[0]) + 1)]
    # bytes alone, as of a file that is cut within a character, have no character to go back to
    if name == "byte":
        only = SequenceSet("text", np.full((40, 1), 0x80, np.int32), np.array([0, 40]), ("a",), meta=data.meta)
        assert Borders(only, borders.spelling).before(0, 39) == 0
