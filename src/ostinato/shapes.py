"""The legend of the axes: every docstring in the package writes shapes with these letters.

T  time steps in one unroll          B  sequences (rows) in a batch
N  steps of all sequences, joined    D  channels of an observation, or inputs of a layer
H  hidden units                      G  gates
V  symbols in a vocabulary           K  lags of an autoregression
M  components of a mixture           P  parameters of an emission, per channel
Q  quantile levels                   S  sample paths

Tensors inside the library are time-major, (T, B, ...). Sequences at rest are ragged: values (N, D) and
offsets (B + 1), never padded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # torch takes a second to import, and much that needs ``Array`` needs no torch
    from torch import Tensor

#: Numbers in 64-bit floats; the docstring of what takes or gives them says their shape.
Array: TypeAlias = NDArray[np.float64]
#: Times: instants as datetime64[us], or whole numbers as int64.
Times: TypeAlias = NDArray[Any]
#: Steps of a sequence: its number, the first step, and the step after the last one.
Span: TypeAlias = tuple[int, int, int]
#: The state of a recurrence: a flat tuple of tensors, each with the batch axis first, (B, ...).
State: TypeAlias = "tuple[Tensor, ...]"
