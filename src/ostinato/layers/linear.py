"""The diagonal linear RNN: a linear recurrence that can be unrolled in parallel, with a gate for the nonlinearity."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn

from ostinato.layers.recurrence import Recurrence
from ostinato.ops.selection import pick
from ostinato.shapes import State


@final
class LinearRNN(Recurrence):
    """The linear recurrent unit (Orvieto et al. 2023, section 3): s_t = a s_{t-1} + gamma B x_t.

    h_t = V s_t * sigmoid(W s_t) + D x_t, s_t taken as real and imaginary parts.

    a = exp(-exp(nu) + i theta), so |a| < 1 for all weights; gamma = sqrt(1 - |a|^2) keeps s at the size of x. The state
    is one tensor s (B, 2H), the real parts and then the imaginary parts.

    Args:
        input_size: The width of the input, D.
        hidden_size: The number of hidden units, H.
        implementation: The name of the implementation in ops.selection; None leaves the choice open.

    Raises:
        ConfigError: The implementation cannot run.
    """

    def __init__(self, input_size: int, hidden_size: int, implementation: str | None = None) -> None:
        super().__init__()
        pick("linear", implementation)
        self.input_size, self.output_size = input_size, hidden_size
        H = hidden_size
        # radii between 0.5 and 0.999, so that units that decay over a few and over a thousand steps exist at the start
        radius = torch.sqrt(torch.rand(H) * (0.999**2 - 0.5**2) + 0.5**2)
        self.nu = nn.Parameter(torch.log(-torch.log(radius)))
        self.theta = nn.Parameter(torch.log(torch.rand(H) * math.pi + 1e-4))
        self.weight_in = nn.Parameter(torch.randn(2 * H, input_size) / math.sqrt(2 * input_size))
        self.weight_out = nn.Linear(2 * H, 2 * H)
        self.weight_skip = nn.Linear(input_size, H, bias=False)
        self.implementation = implementation

    def initial_state(self, batch: int) -> State:
        """Return zeros, (B, 2H)."""
        return (self.nu.new_zeros(batch, 2 * self.output_size),)

    def unroll(self, x: Tensor, state: State | None = None, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """Return the outputs of all steps and the last state (see ``Recurrence.unroll``)."""
        (s,) = self.initial_state(x.shape[1]) if state is None else state
        decay = torch.exp(self.nu)
        a = torch.polar(torch.exp(-decay), torch.exp(self.theta))
        gamma = torch.sqrt(-torch.expm1(-2 * decay))
        u = _complex(x @ self.weight_in.t() * torch.cat([gamma, gamma]))
        run = pick("linear", self.implementation, device=u.device.type, dtype=u.dtype, steps=len(u))
        path, (last,) = run(u, (_complex(s),), a, lengths)
        value, gate = self.weight_out(_real(path)).chunk(2, dim=-1)
        return value * torch.sigmoid(gate) + self.weight_skip(x), (_real(last),)


def _complex(pair: Tensor) -> Tensor:
    """Return the complex tensor (..., H) of real and imaginary parts (..., 2H)."""
    real, imaginary = pair.chunk(2, dim=-1)
    return torch.complex(real, imaginary)


def _real(z: Tensor) -> Tensor:
    """Return the real and imaginary parts (..., 2H) of a complex tensor (..., H)."""
    return torch.cat([z.real, z.imag], dim=-1)
