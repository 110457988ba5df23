"""Fixtures and helpers of the tests of the engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ostinato.ops.engine import extension


@pytest.fixture(params=extension.sets())
def instruction_set(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run the test with each instruction set of this processor."""
    before = extension.set_in_use()
    assert before is not None
    extension.use_set(request.param)
    yield request.param
    extension.use_set(before)
