"""RNNCell, LSTMCell and GRUCell: the classes of torch.nn, one step per call by the engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

from torch import Tensor, nn

from ostinato.errors import ConfigError
from ostinato.nn.drop_in import DropIn, by_torch
from ostinato.ops.engine.buffers import zeros
from ostinato.ops.engine.gate import ApartError
from ostinato.ops.engine.unroll import specified, unroll
from ostinato.ops.weights import Weights
from ostinato.shapes import State


class RecurrentCell(DropIn, nn.RNNCellBase):
    """One step of a recurrence; each subclass derives from its counterpart in torch.nn too."""

    def forward(self, input: Any, hx: Any = None) -> Any:  # noqa: A002 - the name in torch.nn
        """Return the state after one step, with the axes of the input."""
        if isinstance(input, Tensor) and self.engine_runs(input):
            try:
                results = self._by(unroll, input, hx)
            except (ConfigError, ApartError):  # weights of other shapes or devices: by_torch refuses them
                results = None
            if results is not None:
                return results
        results = by_torch(self, super().forward, input, hx)
        # for a cell that torch.nn does not have, the call above is only the check of the input
        return results if self.reset_after else self._by(specified, input, hx)

    def extra_repr(self) -> str:
        """Return the text of torch.nn, followed by reset_after if it is False."""
        return super().extra_repr() + ("" if self.reset_after else ", reset_after=False")

    def _by(self, run: Callable[..., tuple[Tensor, State]], x: Tensor, hx: Any) -> Any:
        """Make the step by unroll or specified; return None if the input or the state does not have the right form.

        Args:
            run: The function.
            x: The input, (B, D) or (D,).
            hx: The state before the step: h, and c for a cell of two states, each (B, H) or (H,); None for zero.
        """
        if x.dim() not in (1, 2) or x.shape[-1] != self.input_size:
            return None
        batched = x.dim() == 2
        x = x if batched else x[None]
        pair = isinstance(self, nn.LSTMCell)
        shape = len(x), self.hidden_size
        if hx is None:
            state: State = (zeros(x, *shape),) * (1 + pair)
        else:
            given = hx if pair else (hx,)
            if not isinstance(given, tuple | list) or len(given) != 1 + pair:
                return None
            for s in given:
                if not isinstance(s, Tensor) or s.shape != (shape if batched else shape[1:]):
                    return None
            state = tuple(given) if batched else tuple([s[None] for s in given])
        weights = self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh
        if not all(isinstance(w, Tensor) for w in (weights if self.bias else weights[:2])):
            return None
        _, last = run(self.engine_cell, x[None], state, Weights(*weights))
        last = last if batched else tuple([s[0] for s in last])
        return last if pair else last[0]


@final
class RNNCell(RecurrentCell, nn.RNNCell):
    """The plain recurrent cell, computed by the engine; otherwise the same as torch.nn.RNNCell."""

    @property
    def engine_cell(self) -> str:
        """The name of the cell in the engine."""
        return f"rnn_{self.nonlinearity}"

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Any:  # noqa: A002 - the name in torch.nn
        """Return the hidden state after one step.

        Args:
            input: The input, (B, D) or (D,).
            hx: The hidden state before the step, (B, H) or (H,); None for zero.

        Returns:
            The hidden state after the step, (B, H) or (H,).

        Raises:
            ValueError: The input or the state has the wrong number of axes.
            RuntimeError: The input or the state has the wrong size, or the nonlinearity is unknown.
        """
        return super().forward(input, hx)


@final
class GRUCell(RecurrentCell, nn.GRUCell):
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

    @property
    def engine_cell(self) -> str:
        """The name of the cell in the engine."""
        return "gru" if self.reset_after else "gru_before"

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Any:  # noqa: A002 - the name in torch.nn
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
        return super().forward(input, hx)


@final
class LSTMCell(RecurrentCell, nn.LSTMCell):
    """The long short-term memory cell, computed by the engine; otherwise the same as torch.nn.LSTMCell."""

    @property
    def engine_cell(self) -> str:
        """The name of the cell in the engine."""
        return "lstm"

    def forward(
        self,
        input: Tensor,  # noqa: A002 - the name in torch.nn
        hx: tuple[Tensor, Tensor] | None = None,
    ) -> Any:
        """Return the hidden state and the cell state after one step.

        Args:
            input: The input, (B, D) or (D,).
            hx: The hidden state and the cell state before the step, each (B, H) or (H,); None for zero.

        Returns:
            The hidden state and the cell state after the step, each (B, H) or (H,).

        Raises:
            ValueError: The input or a state has the wrong number of axes.
            RuntimeError: The input or a state has the wrong size.
            TypeError: The state is one tensor.
        """
        return super().forward(input, hx)
