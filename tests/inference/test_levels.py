"""A forecast has at least one interval: no level is an error wherever levels are taken, and none for a stream."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import ostinato
from ostinato.errors import ConfigError
from ostinato.inference.monitor import Monitor
from ostinato.model import SequenceModel

FRAME = pl.DataFrame({"y": np.arange(40) % 7 + 0.5})


@pytest.fixture(scope="module")
def model() -> SequenceModel:
    made = ostinato.fit(FRAME, model="ar", max_order=1).model
    assert isinstance(made, SequenceModel)
    return made


@pytest.mark.parametrize("level", [[], (), np.array([])])
@pytest.mark.parametrize(
    "take",
    [
        lambda model, level, _: ostinato.forecast(FRAME, horizon=2, model="naive", level=level),
        lambda model, level, _: ostinato.forecast(model, FRAME, 2, level=level),
        lambda model, level, _: ostinato.backtest(FRAME, model="naive", horizon=2, level=level),
        lambda model, level, folder: ostinato.export_onnx(model, folder / "m.onnx", level=level),
    ],
    ids=["without a model", "forecast", "backtest", "export"],
)
def test_no_level_is_refused(
    model: SequenceModel, tmp_path: Path, take: Callable[[SequenceModel, Any, Path], Any], level: Any
) -> None:
    with pytest.raises(ConfigError, match=r"level is empty(.|\n)*fix: give one level or more"):
        take(model, level, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_stream_has_intervals_only_if_they_are_asked_for(model: SequenceModel) -> None:
    assert Monitor(model).ends == {}
    assert list(Monitor(model, level=90).ends) == ["-lo-90", "-hi-90"]
