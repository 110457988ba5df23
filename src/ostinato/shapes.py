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

from typing import TypeAlias

from torch import Tensor

#: The state of a recurrence: a flat tuple of tensors, each with the batch axis first, (B, ...).
State: TypeAlias = tuple[Tensor, ...]
