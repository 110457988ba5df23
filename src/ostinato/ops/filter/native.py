"""The adaptive filter by the compiled engine (csrc/filter.h). Same signature and result as the reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.errors import ConfigError
from ostinato.ops.engine import extension
from ostinato.ops.engine.extension import ABSENT
from ostinato.ops.filter.form import FilterForm
from ostinato.shapes import Array

if not ABSENT:
    from ostinato.ops.engine import _engine

#: One step of one row, with the arguments of ``filter_step`` in ops/engine/_engine.pyi; None if the engine lacks it.
step: Any = None if ABSENT else getattr(_engine, "filter_step", None)


#: The forms of filters that the engine must know; the second one has a level.
FORMS = 2


def refusal(facts: Mapping[str, Any]) -> str | None:
    """Return the reason why the engine cannot run, or None if it can; see ``extension.refusal``."""
    if not ABSENT and getattr(_engine, "filter_forms", 1) < FORMS:
        return "the compiled engine is older than the package: install the package again"
    return extension.refusal(facts)


def arrays_of(form: FilterForm) -> tuple[NDArray[np.int64], Array]:
    """Return the counts and the rates of a form as the engine takes them."""
    last = (
        form.share,
        form.stack_forget,
        form.prior,
        form.unit,
        form.scale,
        form.wide,
        form.width,
        form.wider,
        form.grounded,
    )
    counts = np.array([*form.orders, *form.taps], dtype=np.int64)
    return counts, np.array([*form.forgets, *form.rates, *form.decays, *last])


def unroll(
    form: FilterForm, x: Array, memory: Array, rate: NDArray[np.float32], lengths: NDArray[np.int64] | None
) -> Array:
    """Move memory on in place and return what is predicted; arguments are those of the reference.

    Raises:
        ConfigError: An array does not have the shape that the form and the other arrays ask for.
        ValueError: The memory is not contiguous float64.
    """
    T, B, D = x.shape
    for name, array, shape in (
        ("values", x, (T, B, form.channels)),
        ("memory", memory, (B, D, form.size)),
        ("rate", rate, (B,)),
        ("lengths", lengths, (B,)),
    ):
        if array is not None and array.shape != shape:
            raise ConfigError(
                f"the {name} of a filter must have the shape {shape}, got {array.shape}",
                fix="give values of (T, B, D), and a memory that AdaptiveFilter.initial_state made for them",
            )
    out = np.empty((T + 1, B, D, form.width_out))
    if not memory.flags.c_contiguous or memory.dtype != np.float64:
        raise ValueError("the memory of a filter must be contiguous float64, because it is changed in place")
    counts, rates = arrays_of(form)
    values, learns = np.ascontiguousarray(x, dtype=np.float64), np.ascontiguousarray(rate, dtype=np.float32)
    taken = None if lengths is None else np.ascontiguousarray(lengths, dtype=np.int64)
    sizes = B, T, D, *form.counts, form.lattice
    _engine.filters(
        sizes,
        counts.ctypes.data,
        rates.ctypes.data,
        values.ctypes.data,
        0 if taken is None else taken.ctypes.data,
        learns.ctypes.data,
        memory.ctypes.data,
        out.ctypes.data,
    )
    return out
