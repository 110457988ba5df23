"""A model that goes on learning is diagnosed and reported, and is not exported as a graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import ostinato
from ostinato.data.read import read
from ostinato.errors import ConfigError


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = np.random.default_rng(0).choice(["kuku", "lala", "mimi", "sosu"], 600)
    path = tmp_path_factory.mktemp("learning") / "words.txt"
    path.write_text(" ".join(words))
    return path


def test_counts_are_diagnosed_without_a_gradient_and_reported(text: Path) -> None:
    data = read(str(text))
    model = ostinato.fit(data, model="counts").model
    found = ostinato.diagnose(model, data, max_lag=8, positions=32)
    assert found.flows == ()
    assert found.lyapunov is None
    assert found.verdict.startswith("the model follows all of the past; the model gains from")
    page = text.with_suffix(".html")
    ostinato.write_report(model, data, page)
    assert page.stat().st_size > 10_000


def test_counts_are_refused_as_a_graph(text: Path) -> None:
    pytest.importorskip("onnxruntime")
    model = ostinato.fit(read(str(text)), model="counts").model
    with pytest.raises(ConfigError, match="a graph of counts cannot go on learning as the model does"):
        ostinato.export_onnx(model, text.with_suffix(".onnx"))
