"""The compiled engine (csrc/bindings.cpp). Arrays cross as addresses, 0 for none; the caller checks shapes and types.

sizes    rows B, steps T, places (rows of x), inputs D, hidden H, outputs P (the width of h), reverse
places   addresses of lengths (B), base (T) and column (B), int64: see csrc/plan.h
weights  addresses of w_ih, w_hh, b_ih, b_hh, w_hr
"""

import numpy as np
from numpy.typing import NDArray

Sizes = tuple[int, int, int, int, int, int, bool]
Places = tuple[int, int, int]
Five = tuple[int, int, int, int, int]

def sets() -> list[str]:
    """The instruction sets that this processor can run, the best first."""

def set_in_use() -> str: ...
def use_set(name: str) -> None:
    """Raises ValueError for a set that is not there or cannot run."""

def cells() -> list[tuple[str, int, int, bool]]:
    """(name, gates, states, whether it has w_hr) of every cell."""

def saved_size(cell: str, bits: int, hidden: int) -> tuple[int, int]:
    """(head, width): ``saved`` holds head + width (places + B + 1) numbers, however many threads there are."""

def peak(loops: int) -> float:
    """Multiply and add on registers, float32, for so many rounds; returns the number of operations."""

def empty32(count: int) -> NDArray[np.float32]:
    """Memory that is kept between calls: it returns to the engine when the last reference to it goes."""

def empty64(count: int) -> NDArray[np.float64]: ...

class Buffer:
    """So many bytes that are kept between calls, and where they are."""

    def __init__(self, count: int) -> None: ...
    @property
    def address(self) -> int: ...

def release_memory() -> int:
    """What is kept goes back to the system; how many bytes that was."""

class Step32:
    """One row, one step at a time, by weights packed once; not for several threads at once."""

    def __init__(self, cell: str, inputs: int, hidden: int, outputs: int, weights: Five) -> None: ...
    def __call__(self, x: int, h: int, c: int, h_next: int, c_next: int) -> None: ...

class Step64:
    def __init__(self, cell: str, inputs: int, hidden: int, outputs: int, weights: Five) -> None: ...
    def __call__(self, x: int, h: int, c: int, h_next: int, c_next: int) -> None: ...

# forward and backward raise ValueError for lengths and places that cannot be.
def forward32(
    cell: str,
    sizes: Sizes,
    places: Places,
    weights: Five,
    threads: int,
    x: int,
    h0: int,
    c0: int,
    y: int,
    h_n: int,
    c_n: int,
    saved: int,
) -> None: ...
def forward64(
    cell: str,
    sizes: Sizes,
    places: Places,
    weights: Five,
    threads: int,
    x: int,
    h0: int,
    c0: int,
    y: int,
    h_n: int,
    c_n: int,
    saved: int,
) -> None: ...
def backward32(
    cell: str,
    sizes: Sizes,
    places: Places,
    weights: Five,
    x: int,
    h0: int,
    c0: int,
    y: int,
    saved: int,
    dy: int,
    dh_n: int,
    dc_n: int,
    dx: int,
    dh0: int,
    dc0: int,
    gradients: Five,
) -> None: ...
def backward64(
    cell: str,
    sizes: Sizes,
    places: Places,
    weights: Five,
    x: int,
    h0: int,
    c0: int,
    y: int,
    saved: int,
    dy: int,
    dh_n: int,
    dc_n: int,
    dx: int,
    dh0: int,
    dc0: int,
    gradients: Five,
) -> None: ...

# The diagonal linear recurrence. sizes: rows B, steps T, numbers a row (two for a complex one), whether it is complex.
LinearSizes = tuple[int, int, int, bool]

def linear_forward32(
    sizes: LinearSizes, lengths: int, threads: int, a: int, u: int, h0: int, y: int, h_n: int
) -> None: ...
def linear_forward64(
    sizes: LinearSizes, lengths: int, threads: int, a: int, u: int, h0: int, y: int, h_n: int
) -> None: ...
def linear_backward32(
    sizes: LinearSizes,
    lengths: int,
    threads: int,
    a: int,
    h0: int,
    y: int,
    dy: int,
    dh_n: int,
    du: int,
    dh0: int,
    da: int,
) -> None: ...
def linear_backward64(
    sizes: LinearSizes,
    lengths: int,
    threads: int,
    a: int,
    h0: int,
    y: int,
    dy: int,
    dh_n: int,
    du: int,
    dh0: int,
    da: int,
) -> None: ...
