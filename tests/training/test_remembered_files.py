"""What a model remembers of the files that it was fitted to, which ``compress`` expects others like."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ostinato
from ostinato.data.sequences import SequenceSet


def recordings(count: int) -> SequenceSet:
    """Return short sounds, of 20 samples and more."""
    rng, lengths = np.random.default_rng(0), 20 + np.arange(count)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    names = tuple(f"rec_{i:03}" for i in range(count))
    return SequenceSet("sound", rng.integers(-90, 90, (offsets[-1], 1)), offsets, names, meta={"bits": 16})


def remembered(data: SequenceSet, **options: Any) -> dict[str, Any] | None:
    """Return what a fitted model remembers."""
    fit = ostinato.fit(data, model="ar", budget=ostinato.Budget(None, 1), threads=1, **options)
    model = fit.model
    assert isinstance(model, ostinato.SequenceModel)
    return model.description.source.get("files")


def test_names_and_lengths_of_the_files_that_it_was_fitted_to() -> None:
    data = recordings(30)
    whole = {"names": list(data.ids), "lengths": data.lengths.tolist()}
    assert remembered(data, held_out="rec_02*") == whole
    known = {"names": list(data.ids[:20]), "lengths": data.lengths[:20].tolist()}
    assert remembered(data, held_out="rec_02*", refit=False) == known


def test_of_many_files_some_that_are_spread_over_all() -> None:
    data = recordings(300)
    files = remembered(data)
    assert files is not None
    places = [data.ids.index(name) for name in files["names"]]
    assert len(places) == 128
    assert set(np.diff(places)) == {2, 3}
    assert files["lengths"] == data.lengths[places].tolist()


def test_nothing_of_one_file_of_lines_and_of_series(tmp_path: Any) -> None:
    (tmp_path / "names.txt").write_text("ada\ngrace\nyun\n" * 20)
    series = ostinato.read(np.sin(np.arange(90.0)), kind="series")
    for data in (recordings(1), ostinato.read(tmp_path / "names.txt"), series):
        assert remembered(data) is None


@pytest.mark.parametrize("count", [1, 2])
def test_of_several_texts(tmp_path: Any, count: int) -> None:
    for i in range(count):
        (tmp_path / f"chapter{i}.txt").write_text("the sea and the sky, " * (20 + i))
    files = remembered(ostinato.read(tmp_path, per_line=False))
    assert files == (None if count == 1 else {"names": ["chapter0", "chapter1"], "lengths": [420, 441]})
