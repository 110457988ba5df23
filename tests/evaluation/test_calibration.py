"""The PIT is uniform if the data are drawn from the model, and not uniform if another model drew them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from ostinato.data.encoded import Encoded
from ostinato.emissions.choice import Choice
from ostinato.evaluation.calibration import ENOUGH, Calibration, Spans, calibrate, judged
from ostinato.inference.rollout import paths
from zoo import PAIRS, fitted, made, of_every_symbol

ROWS, STEPS = 40, 60


def drawn(kind: str, name: str, temperature: float = 1.0, rows: int = ROWS) -> tuple[Encoded, Spans]:
    """Return sequences drawn from a model in model space, on the support of a test sequence."""
    model, like = fitted(kind, name), fitted(kind, name).encoding.encode(made(kind).take([0]))
    support = of_every_symbol(model, like, rows)  # the intervals are those of all symbols
    generator = torch.Generator().manual_seed(3)
    with torch.inference_mode():
        x = paths(model, model.initial_state(rows), support, STEPS, generator, choice=Choice(temperature))
    values = x.transpose(0, 1).flatten(0, 1)
    offsets = np.arange(0, (rows + 1) * STEPS, STEPS)
    nothing = torch.zeros(values.shape)
    encoded = Encoded(values, offsets, support.unit, support.low, support.high, nothing)
    return encoded, [(b, 0, STEPS) for b in range(rows)]


def distance(calibration: Calibration) -> float:
    """The p-value of Kolmogorov and Smirnov's test that the PIT is uniform."""
    return float(stats.kstest(calibration.pit, "uniform").pvalue)


@pytest.mark.parametrize(("kind", "name"), [p for p in PAIRS if p[1] in ("ar", "gru")])
def test_draws_of_the_model_are_calibrated(kind: str, name: str) -> None:
    found = calibrate(fitted(kind, name), *drawn(kind, name), seed=5)
    assert distance(found) > 1e-3
    spread = 4 * np.sqrt(0.25 / len(found.pit))
    for level in (0.5, 0.8, 0.95):
        assert found.coverage(level) == pytest.approx(level, abs=spread)
    assert found.histogram(4) == pytest.approx(np.full(4, 0.25), abs=spread)


@pytest.mark.parametrize("kind", ["series", "counts", "prices", "lines", "sound"])
def test_miscalibrated_draws_are_detected(kind: str) -> None:
    """Draws have twice the scale of the model, so its intervals cover less than their level."""
    found = calibrate(fitted(kind, "gru"), *drawn(kind, "gru", temperature=2.0, rows=2 * ROWS))
    assert distance(found) < 1e-6
    assert found.coverage(0.8) < 0.78


def test_same_seed_same_pit() -> None:
    model, encoded, spans = fitted("lines", "gru"), *drawn("lines", "gru")
    first, again, other = (calibrate(model, encoded, spans, seed=s).pit for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_density_needs_no_chance() -> None:
    model, encoded, spans = fitted("series", "gru"), *drawn("series", "gru")
    np.testing.assert_array_equal(calibrate(model, encoded, spans, seed=1).pit, calibrate(model, encoded, spans).pit)


def test_missing_values_are_left_out() -> None:
    model, (encoded, spans) = fitted("channels", "gru"), drawn("channels", "gru")
    values = encoded.values[:].clone()
    values[7] = torch.nan
    values[9, 1] = torch.nan
    found = calibrate(model, replace(encoded, values=values), spans)
    assert len(found.pit) == 2 * ROWS * STEPS - 3
    assert found.steps == ROWS * STEPS


def test_of_many_steps_a_part_is_judged() -> None:
    items = judged([(0, 100, 1_000_100)])
    counted = sum(p.stop - p.counted for p in items)
    assert 0.9 * ENOUGH < counted < 1.2 * ENOUGH
    assert all(p.first == max(0, p.counted - 256) for p in items)
    assert len({p.counted // 100_000 for p in items}) == 10


def test_calibration_of_no_steps_is_empty() -> None:
    encoded, _ = drawn("series", "ar")
    assert len(calibrate(fitted("series", "ar"), encoded, []).pit) == 0
