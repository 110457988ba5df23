"""A tensor's state that is not in its bytes: right as in torch.nn, or an error that says so; never wrong, no crash."""

from __future__ import annotations

import warnings
from functools import partial

import numpy as np
import pytest
from rows import Row
from transforms import MEANINGS, TRACERS, TRANSFORMS, Subject, arrays, subjects

KIND = "a tensor's state"


#: Transforms that take a tenth of a second or more run for these subjects only.
SLOW = {"linearize", "hessian", "jacobian", "is_grads_batched", *(n for n in TRANSFORMS if "make_fx" in n), *TRACERS}
FEW = {"GRU", "LSTMCell", "linear recurrence (native)"}


def agrees(subject: Subject, name: str) -> str:
    """Apply a transform to our function and to torch's, and compare all results."""
    transform = (TRANSFORMS | TRACERS)[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = arrays(transform(subject.ours, subject.x.clone()))
        right = arrays(MEANINGS.get(name, transform)(subject.theirs, subject.x.clone()))
    assert len(right) == len(found) > 0
    for one, other in zip(right, found, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-9, atol=1e-11)
    return f"right: {float(np.sum(found[-1])):.6g}"


ROWS = [
    Row(KIND, f"{name}: {subject.name}", "torch.nn", partial(agrees, subject, name))
    for subject in subjects()
    for name in TRANSFORMS | TRACERS
    if subject.name in FEW or name not in SLOW
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_transforms(row: Row) -> None:
    assert row.check()
