"""The sequence of Halton is that of scipy, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import qmc

from ostinato.local.halton import halton


@pytest.mark.parametrize("dimensions", [1, 2, 13, 40])
def test_the_points_are_those_of_scipy(dimensions: int) -> None:
    expected = qmc.Halton(dimensions, scramble=False).random(513)[1:]
    np.testing.assert_array_equal(halton(512, dimensions), expected)
