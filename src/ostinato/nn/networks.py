"""RNN, LSTM and GRU: the classes of torch.nn, computed by the engine."""

from __future__ import annotations

from typing import Any, final

from torch import Tensor, nn

from ostinato.nn.base import RecurrentNetwork


@final
class RNN(RecurrentNetwork, nn.RNN):
    """The plain recurrent network, computed by the engine; otherwise the same as torch.nn.RNN.

    Args:
        input_size: The number of inputs of a step, D.
        hidden_size: The number of hidden units, H.
        num_layers: The number of layers. A layer takes the outputs of the layer below it.
        nonlinearity: The nonlinearity of the cell: "tanh" or "relu".
        bias: Whether the layers have biases.
        batch_first: Whether inputs and outputs are (B, T, D) instead of (T, B, D). States are not affected.
        dropout: The probability that an output of a layer, except the last layer, is zeroed in training.
        bidirectional: Whether each layer also runs from the last step to the first.
        device: The device of the parameters; None for torch's default.
        dtype: The type of the parameters; None for torch's default.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: The nonlinearity is unknown, a size is too small, or dropout lies outside of [0, 1].
    """

    def __init__(  # noqa: PLR0917 - the positional signature of torch.nn
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
        **refused: Any,
    ) -> None:
        sizes = input_size, hidden_size, num_layers, nonlinearity, bias, batch_first, dropout, bidirectional
        super().__init__(*sizes, device=device, dtype=dtype, **refused)

    def forward(self, input: Any, hx: Tensor | None = None) -> Any:  # noqa: A002 - the name in torch.nn
        """Return the outputs of all steps and the last hidden states.

        Args:
            input: The inputs, (T, B, D), (B, T, D) if batch_first, (T, D), or a PackedSequence.
            hx: The initial hidden states, (layers * directions, B, H), or (layers * directions, H) for an input
                without B; None for zero.

        Returns:
            The outputs of the last layer, (T, B, directions * H), in the form of the input; and the last hidden
            states, in the form of hx.

        Raises:
            ValueError: The input has the wrong number of axes or the wrong type.
            RuntimeError: The input or the states have the wrong size, or there is no step.
        """
        return super().forward(input, hx)


@final
class GRU(RecurrentNetwork, nn.GRU):
    """The gated recurrent network, computed by the engine; the same as torch.nn.GRU, and reset_after in addition.

    With reset_after=False the network is the GRU as published (Cho et al. 2014), with the reset before the product:
    n = tanh(W_in x + b_in + W_hn (r h) + b_hn). torch has no operator for it, so the reference runs if the engine
    cannot run.

    Args:
        input_size: The number of inputs of a step, D.
        hidden_size: The number of hidden units, H.
        num_layers: The number of layers. A layer takes the outputs of the layer below it.
        bias: Whether the layers have biases.
        batch_first: Whether inputs and outputs are (B, T, D) instead of (T, B, D). States are not affected.
        dropout: The probability that an output of a layer, except the last layer, is zeroed in training.
        bidirectional: Whether each layer also runs from the last step to the first.
        device: The device of the parameters; None for torch's default.
        dtype: The type of the parameters; None for torch's default.
        reset_after: Whether the reset gate acts after the product, as in torch.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: A size is too small, or dropout lies outside of [0, 1].
    """

    def __init__(  # noqa: PLR0917 - the positional signature of torch.nn
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        reset_after: bool = True,
        **refused: Any,
    ) -> None:
        sizes = input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional
        super().__init__(*sizes, device=device, dtype=dtype, **refused)
        self.reset_after = reset_after

    def forward(self, input: Any, hx: Tensor | None = None) -> Any:  # noqa: A002 - the name in torch.nn
        """Return the outputs of all steps and the last hidden states.

        Args:
            input: The inputs, (T, B, D), (B, T, D) if batch_first, (T, D), or a PackedSequence.
            hx: The initial hidden states, (layers * directions, B, H), or (layers * directions, H) for an input
                without B; None for zero.

        Returns:
            The outputs of the last layer, (T, B, directions * H), in the form of the input; and the last hidden
            states, in the form of hx.

        Raises:
            ValueError: The input has the wrong number of axes or the wrong type.
            RuntimeError: The input or the states have the wrong size, or there is no step.
        """
        return super().forward(input, hx)


@final
class LSTM(RecurrentNetwork, nn.LSTM):
    """The long short-term memory network, computed by the engine; otherwise the same as torch.nn.LSTM.

    With proj_size the cell projects h (Sak et al. 2014). P is the width of h: proj_size, or H if there is no
    projection.

    Args:
        input_size: The number of inputs of a step, D.
        hidden_size: The number of hidden units, H.
        num_layers: The number of layers. A layer takes the outputs of the layer below it.
        bias: Whether the layers have biases.
        batch_first: Whether inputs and outputs are (B, T, D) instead of (T, B, D). States are not affected.
        dropout: The probability that an output of a layer, except the last layer, is zeroed in training.
        bidirectional: Whether each layer also runs from the last step to the first.
        proj_size: The width of h if the cell projects it, 0 for no projection.
        device: The device of the parameters; None for torch's default.
        dtype: The type of the parameters; None for torch's default.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: A size is too small, dropout lies outside of [0, 1], or proj_size is not smaller than hidden_size.
    """

    def __init__(  # noqa: PLR0917 - the positional signature of torch.nn
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        sizes = input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional
        super().__init__(*sizes, proj_size=proj_size, device=device, dtype=dtype)

    def forward(self, input: Any, hx: tuple[Tensor, Tensor] | None = None) -> Any:  # noqa: A002 - the name in torch.nn
        """Return the outputs of all steps, and the last hidden states and cell states.

        Args:
            input: The inputs, (T, B, D), (B, T, D) if batch_first, (T, D), or a PackedSequence.
            hx: The initial hidden states, (layers * directions, B, P), and cell states, (layers * directions, B, H),
                without B for an input without B; None for zero.

        Returns:
            The outputs of the last layer, (T, B, directions * P), in the form of the input; and the last hidden states
            and cell states, in the form of hx.

        Raises:
            ValueError: The input has the wrong number of axes or the wrong type.
            RuntimeError: The input or the states have the wrong size, or there is no step.
        """
        return super().forward(input, hx)
