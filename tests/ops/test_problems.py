"""Every problem that is benchmarked, with few steps, through the public modules."""

from __future__ import annotations

import pytest
from problems import Problem, catalogue, verify


@pytest.mark.parametrize("problem", [p.short() for p in catalogue()], ids=str)
def test_the_benchmarks_problems_are_right(problem: Problem) -> None:
    verify(problem)
