"""``score``: units, totals, and the most surprising steps."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from statsmodels.tsa.ar_model import AutoReg
from torch import Tensor

from ostinato.data.sequences import SequenceSet
from ostinato.errors import DataError, ModelFileError
from ostinato.forecasting.inputs import as_sequences
from ostinato.inference.score import score
from ostinato.layers.markov import Markov
from ostinato.model import SequenceModel
from zoo import BACKBONES, build, fitted, made


def test_totals() -> None:
    scores = score(fitted("lines", "gru"), made("lines"))
    assert scores.steps.tolist() == [61, 2, 38, 1, 91]
    assert scores.nats_per_step == pytest.approx(-scores.log_prob.sum() / 193)
    assert scores.bits_per_step == pytest.approx(scores.nats_per_step / math.log(2))


def test_a_chain_looks_up_the_symbols_that_came(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the probabilities of all symbols only where steps that are taken together end."""
    model, data, rows = copy.deepcopy(fitted("lines", "ar")), made("lines"), list[int]()
    model.constant.data.zero_()
    of_all = Markov.ahead

    def ahead(chain: Markov, last: Tensor) -> Tensor:
        rows.append(len(last))
        return of_all(chain, last)

    with monkeypatch.context() as m:
        m.setattr(Markov, "ahead", ahead)
        found = score(model, data)
    assert sum(rows) < 30 < len(found.surprisal)
    monkeypatch.setattr(SequenceModel, "looks_up", False)
    np.testing.assert_allclose(found.surprisal, score(model, data).surprisal, atol=1e-5)


@pytest.mark.parametrize("name", BACKBONES)
def test_missing_values_are_not_scored(name: str) -> None:
    scores = score(fitted("channels", name), made("channels"))
    assert np.isnan(scores.surprisal[8])  # both channels are missing
    assert np.isfinite(scores.surprisal[9])  # one is
    assert scores.steps.sum() == 187


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("kind", ["series", "channels", "prices"])
def test_the_most_surprising_step_is_the_fault(kind: str, name: str) -> None:
    data = made(kind).take([4])
    values = data.values.copy()
    values[89] *= 4  # the last one: a fault disturbs what is expected after it as well
    worst = score(fitted(kind, name), replace(data, values=values)).most_surprising(1)[0]
    assert (worst.unique_id, worst.step, worst.row) == ("e", 89, 0)


def test_places_are_named_worst_first_and_by_row() -> None:
    """Two sequences can have the same name."""
    data = made("lines")
    twice = replace(data, ids=("x",) * len(data))
    scores = score(fitted("lines", "ar"), twice)
    places = scores.most_surprising(1000)
    assert len(places) == scores.steps.sum()
    assert all(a.nats >= b.nats for a, b in pairwise(places))
    for place in places:
        assert scores.surprisal[scores.offsets[place.row] + place.step] == place.nats
        end = place.step == len(twice[place.row])
        label = "the end" if end else repr(chr(int(twice[place.row][place.step, 0])))
        assert scores.label(place.row, place.step) == label
    assert scores.most_surprising(0) == []


def test_labels_of_bytes_and_numbers() -> None:
    assert score(fitted("bytes", "ar"), made("bytes")).label(0, 0).startswith("byte 0x6")
    assert score(fitted("channels", "ar"), made("channels")).label(0, 0).count(", ") == 1


def test_series_are_scored_in_their_own_units() -> None:
    """The closed form's log-likelihood is the Gaussian one about AutoReg's predictions; a scale costs its logarithm."""
    rng, y = np.random.default_rng(0), np.zeros(600)
    for t in range(2, len(y)):
        y[t] = 0.5 * y[t - 1] + 0.3 * y[t - 2] + rng.standard_normal()
    nats = {}
    for scale in (1.0, 1000.0):
        data = SequenceSet("series", 7 + scale * y[:, None], np.array([0, 600]), ("y",))
        model = build(data, "ar", "normal", order=2)
        model.constant.data[0] = model.constant.new_tensor([0.0, math.log(math.expm1(1 - 1e-4))])
        nats[scale] = score(model, data).surprisal[2:]
        residuals = AutoReg(data.values[:, 0], 2).fit().resid
        sigma = residuals.std()
        expected = 0.5 * (residuals / sigma) ** 2 + math.log(sigma) + 0.5 * math.log(2 * math.pi)
        np.testing.assert_allclose(nats[scale], expected, rtol=2e-3, atol=2e-3)
    np.testing.assert_allclose(nats[1000.0], nats[1.0] + math.log(1000), atol=2e-3)


def test_prices_are_scored_by_their_log_return_in_any_currency() -> None:
    model, data = fitted("prices", "lstm"), made("prices")
    dear = replace(data, values=1300 * data.values)
    np.testing.assert_allclose(score(model, dear).surprisal, score(model, data).surprisal, rtol=1e-4, atol=1e-4)
    assert np.isnan(score(model, data).surprisal[[0, 12, 13]]).all()  # a first price, a missing one, and the next


@pytest.mark.parametrize("values", [[1.0, 2.5], [3.0, -1.0]])
def test_a_model_of_counts_takes_counts(values: list[float]) -> None:
    data = SequenceSet("series", np.array(values)[:, None], np.array([0, 2]), ("s",))
    with pytest.raises(DataError, match="cannot take") as error:
        score(fitted("counts", "gru"), data)
    assert "'s', step 2" in str(error.value)


def test_sound_of_fewer_bits_is_on_a_coarser_lattice() -> None:
    model, small = fitted("sound", "ar"), made("small sound")
    data = as_sequences(model, small)
    np.testing.assert_array_equal(data.values, 256 * small.values)
    assert data.step is not None
    assert (data.step == 256).all()
    with pytest.raises(ModelFileError, match="16 bits"):
        score(fitted("small sound", "ar"), made("sound"))
    np.testing.assert_array_equal(as_sequences(fitted("small sound", "ar"), data).values, small.values)
    fast = replace(small, meta={**small.meta, "sample_rate": 44_100})
    with pytest.raises(ModelFileError, match="44,100 samples a second, and the model was fitted to 8000"):
        score(model, fast)
