"""Every vocabulary works with every verb, and its figures are per character."""

from __future__ import annotations

import importlib.util
import math
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import ostinato
from ostinato.data.spelling import VOCABULARIES, spelling_of
from ostinato.errors import ConfigError, ModelFileError
from ostinato.inference.cutting import UNITS
from ostinato.ops.engine.extension import ABSENT
from ostinato.report.surprisal import _characters, excerpt

_HERE = [v for v in VOCABULARIES if v != "bpe" or importlib.util.find_spec("tokenizers")]
_LINES = [f"{who} {what}를 {how}" for who in ("나는", "너는", "우리가") for what in ("사과", "노래", "바다", "e\u0301")
          for how in ("좋아한다", "본다 ㅋㅋ", "그렸다", "잊었다!")]  # fmt: skip
_NEW = ["그는 뷁을 본다", "", "漢字 ㅋ", "나는 e\u0301\u1100\u1161"]


@pytest.fixture(scope="module", params=_HERE)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ostinato.SequenceModel:
    data = ostinato.read(_LINES, kind="text")
    found = ostinato.fit(data, model="counts", vocabulary=request.param, max_order=2)
    path = tmp_path_factory.mktemp("vocabulary") / "m.ost"
    found.model.save(path)
    kept = ostinato.load_model(path)
    assert isinstance(kept, ostinato.SequenceModel)
    return kept


def test_every_text_is_scored_and_the_units_add_up(model: ostinato.SequenceModel) -> None:
    scores = ostinato.score(model, ostinato.read(_NEW, kind="text"))
    assert np.isfinite(scores.log_prob).all()
    assert scores.units == sum(map(len, _NEW)) + len(_NEW)
    assert scores.bits_per_unit == pytest.approx(-scores.log_prob.sum() / scores.units / math.log(2))
    for by in UNITS:
        frame = scores.by(by)
        assert frame["nats"].sum() == pytest.approx(-scores.log_prob.sum())
    words = scores.by("word")
    assert words.filter(words["unique_id"] == words["unique_id"][0])["text"].to_list() == _NEW[0].split()


def test_a_stream_and_score_give_the_same_surprisals(model: ostinato.SequenceModel) -> None:
    scores = ostinato.score(model, ostinato.read(_NEW, kind="text"))
    stream = ostinato.Stream(model)
    found = [stream.update(line + "\n").surprisal for line in _NEW]
    np.testing.assert_allclose(np.concatenate(found), scores.surprisal, atol=1e-4)
    named = stream.by_character(_NEW[0] + "\n", found[0])
    assert "".join(text for text, _ in named) == _NEW[0] + "\n"
    assert sum(nats for _, nats in named) == pytest.approx(found[0].sum())


def test_the_next_symbols_add_up_to_one(model: ostinato.SequenceModel) -> None:
    encoded = model.encoding.encode(ostinato.score(model, ostinato.read(_NEW, kind="text")).data)
    with torch.no_grad():
        conditional, _ = model.unroll(encoded.values[: int(encoded.offsets[1]), None])
    total = conditional.params[..., 0, :].logsumexp(-1).exp()
    torch.testing.assert_close(total, torch.ones_like(total))


def test_what_is_drawn_is_text_that_goes_on(model: ostinato.SequenceModel) -> None:
    told: list[str] = []
    one = ostinato.sample(model, 30, prompt="나는 ", seed=3, on_text=told.append)
    assert "".join(told).rstrip("\n") == one[0].rstrip("\n")
    many = ostinato.sample(model, 30, n_samples=3, prompt="나는 ", seed=3)
    assert many[0] == one[0]
    assert all(text.startswith("나는 ") and "\ufffd" not in text for text in many)
    again = ostinato.score(model, ostinato.read(many, kind="text"))
    assert np.isfinite(again.log_prob).all()


def test_a_sequence_is_continued_as_its_text_is(model: ostinato.SequenceModel) -> None:
    whole = ostinato.sample(model, 20, prompt="나는 사", seed=1)[0]
    assert "나는 사" + ostinato.sample(model, 20, prompt=ostinato.read(["나는 사"], kind="text"), seed=1)[0] == whole
    with pytest.raises(ModelFileError, match="the data are series"):
        ostinato.sample(model, 2, prompt=ostinato.read({"a": [1.0, 2.0, 4.0]}))


def test_a_text_ends_with_what_stops_it(model: ostinato.SequenceModel) -> None:
    free = ostinato.sample(model, 40, seed=2)[0].rstrip("\n")
    for stop in sorted(set(free)):
        told: list[str] = []
        (text,) = ostinato.sample(model, 40, seed=2, stop=stop, on_text=told.append)
        assert text == free[: free.index(stop) + len(stop)] == "".join(told)


def test_a_text_that_is_cut_within_a_character_has_the_surprisals_of_the_others(
    model: ostinato.SequenceModel,
) -> None:
    text = "나는 사과를 e\u0301 본다"
    row = ostinato.score(model, ostinato.read([text], kind="text")).data
    length = int(row.lengths[0])
    for first in range(length):
        for skip in (0, (length - first) // 2):
            scores = ostinato.score(model, row.cut(np.array([first]), np.array([length])))
            pairs, begun = _characters(scores, 0, skip), spelling_of(row.meta).characters(row.values[first:, 0])
            assert text.endswith("".join(c for c, _ in pairs[:-1]))
            assert sum(len(c) for c, _ in pairs[:-1]) == int(begun[skip:].sum())
            after = np.flatnonzero(begun)
            after = after[after >= skip]
            if len(after):
                cost = scores.surprisal[after[0] : -1].sum() / math.log(2)
                assert sum(x for _, x in pairs[:-1]) == pytest.approx(cost)


def test_the_average_of_an_excerpt_is_per_character(model: ostinato.SequenceModel) -> None:
    data = ostinato.score(model, ostinato.read(_LINES[:3], kind="text")).data
    spans = [(b, 0, int(n)) for b, n in enumerate(data.lengths)]
    assert excerpt(model, data, spans, 0).bits == pytest.approx(ostinato.score(model, data).bits_per_unit)


def test_a_stream_is_replayed_as_it_came(model: ostinato.SequenceModel) -> None:
    pytest.importorskip("msgspec")
    from ostinato.inference.live.rows import Rows
    from ostinato.serve.form_text import TextForm
    from ostinato.serve.order import Placed

    rows = Rows(model)
    form, text = TextForm(rows), "나는 사\n과\n\n+"
    work: Any = SimpleNamespace(placed=[Placed(1, None, text, 0, 0)], held=SimpleNamespace(unique_id="a"))
    batch = form.step([work], rows.start(1), np.zeros((1, 2, 1)), ())
    (again,) = form.replayed(batch.values, form.spelled)
    assert again.y == text


@pytest.mark.skipif(bool(ABSENT), reason="the engine is not compiled")
def test_a_text_is_restored_to_the_bit(model: ostinato.SequenceModel) -> None:
    raw = "\n".join(_NEW).encode()
    assert ostinato.decompress(model, ostinato.compress(model, {"a.txt": raw})) == {"a.txt": raw}


def test_the_report_shows_text(model: ostinato.SequenceModel, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    ostinato.write_report(model, ostinato.read(_LINES, kind="text"), tmp_path / "r.html")
    # the held-out lines, whose symbols are coloured one by one; what else is there was drawn
    shown = re.sub("<[^>]+>", "", (tmp_path / "r.html").read_text(encoding="utf-8"))
    for line in ("나는 사과를 좋아한다", "너는 사과를 좋아한다", "우리가 사과를 그렸다"):
        assert line in shown


def test_auto_compares_and_says_so() -> None:
    found = ostinato.fit(ostinato.read(_LINES, kind="text"), model="counts", vocabulary="auto", max_order=2)
    (note,) = (note for note in found.notes if note.startswith("vocabulary "))
    assert all(f"{name} " in note for name in ("character", "byte", "jamo"))


def test_what_is_no_vocabulary_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown vocabulary 'words'"):
        ostinato.LadderOptions(vocabulary="words")
    with pytest.raises(ConfigError, match="a vocabulary is for text"):
        ostinato.fit(ostinato.read({"a": list(range(50))}), model="ar", vocabulary="byte")
