"""Encodings: to model space and back, and the measure that keeps a log_prob in the units of the data."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from ostinato.data.alphabet import Alphabet
from ostinato.data.amplitude import Amplitude
from ostinato.data.encoding import encoding_from_json, fit_encoding
from ostinato.data.scaling import Scaling
from ostinato.data.sequences import SequenceSet
from ostinato.errors import ModelFileError

SERIES = SequenceSet(
    "series", np.array([[1.0], [2.0], [np.nan], [4.0], [100.0], [300.0]]), np.array([0, 4, 6]), ("a", "b")
)
PRICES = SequenceSet("prices", np.array([[100.0], [110.0], [np.nan], [121.0], [133.1]]), np.array([0, 5]), ("a",))
NAMES = SequenceSet(
    "text",
    np.array([[ord(c)] for c in "annabo"], dtype=np.int32),
    np.array([0, 4, 4, 6]),
    ("1", "2", "3"),
    terminated=True,
)
SOUND = SequenceSet(
    "sound", np.array([[256], [-512], [3], [5]], dtype=np.int32), np.array([0, 2, 4]), ("a", "b"),
    step=np.array([256.0, 1.0]), meta={"bits": 16},
)  # fmt: skip


@pytest.mark.parametrize("data", [SERIES, PRICES, NAMES, SOUND], ids=lambda d: d.kind)
def test_json_is_the_identity(data: SequenceSet) -> None:
    encoding = fit_encoding(data, by_id=True)
    assert encoding_from_json(encoding.to_json()) == encoding


def test_scaling_goes_there_and_back_for_each_series() -> None:
    scaling = Scaling.fit(SERIES, by_id=True)
    z = scaling.encode(SERIES).values[:].double().numpy()
    assert np.isnan(z[2, 0])
    back = scaling.decode(z[None, 4:], SERIES, 1)[0]
    np.testing.assert_allclose(back, SERIES[1], rtol=1e-6)
    measure = scaling.encode(SERIES).log_measure[:].numpy()
    assert measure[4, 0] == pytest.approx(-math.log(100.0), rel=1e-6)


def test_prices_are_log_returns_and_no_return_spans_a_gap() -> None:
    scaling = Scaling.fit(PRICES, by_id=False)
    z = scaling.encode(PRICES).values[:, 0].double().numpy() * scaling.scale[0] + scaling.location[0]
    assert np.isnan(z[[0, 2, 3]]).all()
    np.testing.assert_allclose(z[[1, 4]], math.log(1.1), rtol=1e-5)
    flat = replace(scaling, location=(0.0,), scale=(1.0,))
    ahead = flat.decode(np.full((1, 2, 1), math.log(1.1)), PRICES, 0)
    np.testing.assert_allclose(ahead[0, :, 0], [133.1 * 1.1, 133.1 * 1.21], rtol=1e-9)


def test_names_have_an_end_symbol_and_unknown_letters_a_penalty() -> None:
    alphabet = Alphabet.fit(NAMES.take([0, 1]))
    out = alphabet.encode(NAMES)
    assert out.offsets.tolist() == [0, 5, 6, 9]
    assert out.values[:, 0].tolist() == [1, 2, 2, 1, 3, 3, 0, 0, 3]
    assert out.log_measure[6, 0].item() == pytest.approx(-math.log(0x110000 - 0x800 - 2), rel=1e-6)
    assert alphabet.text(np.array([1, 2, 3, 1])) == "an"


def test_sound_lies_on_the_lattice_of_its_own_resolution() -> None:
    amplitude = Amplitude.fit(SOUND)
    out = amplitude.encode(SOUND)
    steps = (out.values[:2, 0] / out.unit[0, 0]).tolist()
    assert steps == pytest.approx([1.0, -2.0])
    np.testing.assert_array_equal(amplitude.decode(out.values[2:].numpy(), SOUND, 1), SOUND[1])


def test_the_scale_of_a_constant_series_is_its_size() -> None:
    constant = SequenceSet("series", np.full((5, 1), 7.0), np.array([0, 5]), ("a",))
    assert Scaling.fit(constant, by_id=False).scale == (7.0,)


def test_small_values_keep_their_scale() -> None:
    small = SequenceSet("series", np.array([[1e-20], [3e-20]]), np.array([0, 2]), ("a",))
    assert Scaling.fit(small, by_id=False).scale == pytest.approx((1e-20,))


def test_an_encoding_from_the_future_is_refused() -> None:
    with pytest.raises(ModelFileError, match="unknown encoding 'telepathy'"):
        encoding_from_json({"name": "telepathy"})
