"""A stream that doubts outliers: the step in plain numbers is that of torch, and copies doubt for themselves."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import ostinato
from ostinato.inference.live.doubt import DOUBTED, Doubt
from ostinato.inference.stream import Stream
from ostinato.model import SequenceModel


def series(channels: int, steps: int, seed: int) -> NDArray[np.float64]:
    """Return an autoregression of every channel, (T, D)."""
    noise = np.random.default_rng(seed).normal(size=(steps, channels))
    for t in range(1, steps):
        noise[t] += 0.8 * noise[t - 1]
    return noise


@pytest.fixture(scope="module", params=[1, 2], ids=["one channel", "two channels"])
def model(request: pytest.FixtureRequest) -> SequenceModel:
    return ostinato.fit(ostinato.read(series(request.param, 400, 0)), model="ar").model.likelihood("follow a stream")


def outliers(channels: int) -> NDArray[np.float64]:
    """Return values with one outlier, a level that stays, an outlier of one channel, and a missing step."""
    x = series(channels, 80, 1)
    x[10] += 40
    x[20:26] += 30
    x[40, 0] -= 25
    x[50] = np.nan
    x[51] += 30
    return x


def test_the_step_in_plain_numbers_is_that_of_torch(model: SequenceModel) -> None:
    x = outliers(model.channels)
    plain, torch = (Stream(model, robust=5.0) for _ in range(2))
    assert plain._live is not None
    torch._live = None
    every, apart = Stream(model), []
    for row in x:
        one, other = plain.update([row]), torch.update([row])
        np.testing.assert_allclose(one.surprisal, other.surprisal, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(one.prediction, other.prediction, rtol=1e-5, atol=1e-5)
        assert plain.held().doubted == torch.held().doubted
        apart.append(float(np.abs(one.prediction - every.update([row]).prediction).max()))
    # up to the first outlier nothing differs, and after it a stream without doubt predicts something else
    assert max(apart[:11]) < 1e-5
    assert apart[11] > 1


def test_a_copy_doubts_for_itself(model: SequenceModel) -> None:
    stream = Stream(model, robust=5.0)
    for row in series(model.channels, 20, 2):
        stream.update([row])
    stream.update([np.full(model.channels, 60.0)])
    held, copy = stream.held(), stream.copy()
    copy.update([np.full(model.channels, 60.0)])
    assert (held.doubted, stream.held().doubted, copy.held().doubted) == (1, 1, 2)
    copy.resume(held)
    assert copy.held().doubted == 1


def test_from_the_third_far_value_on_they_are_believed() -> None:
    doubt = Doubt(6.0)
    assert [doubt.believes(far) for far in (False, True, True, True, True, False, True)] == [
        True, False, False, True, True, True, False,
    ]  # fmt: skip
    assert DOUBTED == 2
