"""RNNCell, LSTMCell and GRUCell with the interface of torch.nn: one step per call."""

from __future__ import annotations

from typing import Any, final

from torch import Tensor, nn

from ostinato.nn.networks import engine_runs
from ostinato.ops.engine.unroll import specified, unroll
from ostinato.shapes import State


def _step(module: nn.RNNCellBase, cell: str, x: Tensor, hx: State | None) -> State:
    """Make one step of a cell, after checks that raise the exceptions of torch.nn.

    Args:
        module: The module that holds the weights.
        cell: The name of the cell in the engine.
        x: The input, (B, D) or (D,).
        hx: The state before the step: h, and c for a cell of two states, each (B, H) or (H,); None for zero.

    Returns:
        The state after the step, with the axes of the input.
    """
    name = type(module).__name__
    if x.dim() not in (1, 2):
        raise ValueError(f"{name}: Expected input to be 1D or 2D, got {x.dim()}D instead")
    if any(s.dim() not in (1, 2) for s in hx or ()):
        raise ValueError(f"{name}: Expected hidden to be 1D or 2D, got {[s.dim() for s in hx or ()]} instead")
    batched = x.dim() == 2
    x = x if batched else x[None]
    if x.shape[1] != module.input_size:
        raise RuntimeError(
            f"input has {x.shape[1]} channels, expected input_size={module.input_size}: "
            "give an input whose last axis has that size"
        )
    shape = len(x), module.hidden_size
    if hx is None:
        hx = tuple(x.new_zeros(shape) for _ in range(2 if cell == "lstm" else 1))
    elif not batched:
        hx = tuple(s[None] for s in hx)
    for s in hx:
        if s.shape != shape:
            raise RuntimeError(
                f"hidden has the shape {tuple(s.shape)}, expected {shape}: give one state of hidden_size for each row"
            )
    run = unroll if engine_runs(cell, x) else specified
    _, last = run(cell, x[None], hx, module.weight_ih, module.weight_hh, module.bias_ih, module.bias_hh)
    return last if batched else tuple(s[0] for s in last)


@final
class RNNCell(nn.RNNCell):
    """The plain recurrent cell, computed by the engine; otherwise the same as torch.nn.RNNCell."""

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:  # noqa: A002 - the name in torch.nn
        """Return the hidden state after one step.

        Args:
            input: The input, (B, D) or (D,).
            hx: The hidden state before the step, (B, H) or (H,); None for zero.

        Returns:
            The hidden state after the step, (B, H) or (H,).

        Raises:
            ValueError: The input or the state has the wrong number of axes.
            RuntimeError: The input or the state has the wrong size.
        """
        if not engine_runs("rnn", input):
            return super().forward(input, hx)
        return _step(self, f"rnn_{self.nonlinearity}", input, None if hx is None else (hx,))[0]


@final
class GRUCell(nn.GRUCell):
    """The gated recurrent cell, computed by the engine; the same as torch.nn.GRUCell, and reset_after in addition.

    Args:
        input_size: The number of inputs, D.
        hidden_size: The number of hidden units, H.
        bias: Whether the cell has biases.
        device: The device of the parameters; None for torch's default.
        dtype: The type of the parameters; None for torch's default.
        reset_after: Whether the reset gate acts after the product, as in torch. See GRU. torch has no counterpart.
    """

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
        super().__init__(input_size, hidden_size, bias, device, dtype)
        self.reset_after = reset_after

    def extra_repr(self) -> str:
        """Return the text of torch.nn.GRUCell, followed by reset_after if it is False."""
        return super().extra_repr() + ("" if self.reset_after else ", reset_after=False")

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:  # noqa: A002 - the name in torch.nn
        """Return the hidden state after one step.

        Args:
            input: The input, (B, D) or (D,).
            hx: The hidden state before the step, (B, H) or (H,); None for zero.

        Returns:
            The hidden state after the step, (B, H) or (H,).

        Raises:
            ValueError: The input or the state has the wrong number of axes.
            RuntimeError: The input or the state has the wrong size.
        """
        cell = "gru" if self.reset_after else "gru_before"
        if self.reset_after and not engine_runs(cell, input):
            return super().forward(input, hx)
        return _step(self, cell, input, None if hx is None else (hx,))[0]


@final
class LSTMCell(nn.LSTMCell):
    """The long short-term memory cell, computed by the engine; otherwise the same as torch.nn.LSTMCell."""

    def forward(
        self,
        input: Tensor,  # noqa: A002 - the name in torch.nn
        hx: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the hidden state and the cell state after one step.

        Args:
            input: The input, (B, D) or (D,).
            hx: The hidden state and the cell state before the step, each (B, H) or (H,); None for zero.

        Returns:
            The hidden state and the cell state after the step, each (B, H) or (H,).

        Raises:
            ValueError: The input or a state has the wrong number of axes.
            RuntimeError: The input or a state has the wrong size.
        """
        if not engine_runs("lstm", input):
            return super().forward(input, hx)
        h, c = _step(self, "lstm", input, hx)
        return h, c
