"""RNNCell, LSTMCell and GRUCell with torch.nn's calls: one step."""

from __future__ import annotations

from typing import Any, final

from torch import Tensor, nn

from ostinato.nn.networks import engine_runs
from ostinato.ops.engine.unroll import specified, unroll
from ostinato.shapes import State


def _step(module: nn.RNNCellBase, cell: str, x: Tensor, hx: State | None) -> State:
    """One step: x (B, D) or (D,), states (B, H) or (H,) -> the states after it."""
    name = type(module).__name__
    if x.dim() not in (1, 2):
        raise ValueError(f"{name}: Expected input to be 1D or 2D, got {x.dim()}D instead")
    if any(s.dim() not in (1, 2) for s in hx or ()):
        raise ValueError(f"{name}: Expected hidden to be 1D or 2D, got {[s.dim() for s in hx or ()]} instead")
    batched = x.dim() == 2
    x = x if batched else x[None]
    if x.shape[1] != module.input_size:
        raise RuntimeError(f"input has inconsistent input_size: got {x.shape[1]} expected {module.input_size}")
    shape = len(x), module.hidden_size
    if hx is None:
        hx = tuple(x.new_zeros(shape) for _ in range(2 if cell == "lstm" else 1))
    elif not batched:
        hx = tuple(s[None] for s in hx)
    for s in hx:
        if s.shape != shape:
            raise RuntimeError(f"hidden has the shape {tuple(s.shape)}, expected {shape}")
    run = unroll if engine_runs(cell, x) else specified
    _, last = run(cell, x[None], hx, module.weight_ih, module.weight_hh, module.bias_ih, module.bias_hh)
    return last if batched else tuple(s[0] for s in last)


@final
class RNNCell(nn.RNNCell):
    """torch.nn.RNNCell by the engine. Raises what it raises."""

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:  # noqa: A002
        """See torch.nn.RNNCell."""
        if not engine_runs("rnn", input):
            return super().forward(input, hx)
        return _step(self, f"rnn_{self.nonlinearity}", input, None if hx is None else (hx,))[0]


@final
class GRUCell(nn.GRUCell):
    """torch.nn.GRUCell by the engine. Raises what it raises. reset_after is ours: see GRU."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        reset_after: bool = True,
    ) -> None:
        """See torch.nn.GRUCell."""
        super().__init__(input_size, hidden_size, bias, device, dtype)
        self.reset_after = reset_after

    def extra_repr(self) -> str:
        """As torch's, and the reset where it is not torch's."""
        return super().extra_repr() + ("" if self.reset_after else ", reset_after=False")

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:  # noqa: A002
        """See torch.nn.GRUCell."""
        cell = "gru" if self.reset_after else "gru_before"
        if self.reset_after and not engine_runs(cell, input):
            return super().forward(input, hx)
        return _step(self, cell, input, None if hx is None else (hx,))[0]


@final
class LSTMCell(nn.LSTMCell):
    """torch.nn.LSTMCell by the engine. Raises what it raises."""

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:  # noqa: A002
        """See torch.nn.LSTMCell."""
        if not engine_runs("lstm", input):
            return super().forward(input, hx)
        h, c = _step(self, "lstm", input, hx)
        return h, c
