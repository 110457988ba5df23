"""Sizes that torch.nn does not check. Its LSTM reads and writes outside of tensors of such sizes."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence


def unchecked(module: nn.Module, inputs: Any, hx: Any) -> str | None:
    """Return which size, wrong here, torch.nn would not refuse, as a clause; None if there is no such size.

    torch.nn drops rows of a state of packed inputs that has too many. Its LSTM (torch 2.13) looks neither at the sizes
    of the states of packed inputs nor at those of the weights.

    Args:
        module: The network or cell.
        inputs: The input, as it was given.
        hx: The state, as it was given.
    """
    if isinstance(inputs, PackedSequence) and hx is not None and isinstance(module, nn.RNNBase):
        states = hx if isinstance(hx, tuple | list) else (hx,)
        # torch.nn refuses states of another number of axes
        if all(isinstance(s, Tensor) and s.dim() == 3 for s in states):
            reason = state_of_packed(module, inputs, states)
            if reason is not None:
                return reason
    return _weight_of_lstm(module) if isinstance(module, nn.LSTM) else None


def state_of_packed(module: nn.RNNBase, inputs: PackedSequence, states: Any) -> str | None:
    """Return which state of packed inputs has another size than the sequences ask for, as a clause, or None.

    Args:
        module: The network.
        inputs: The packed sequences.
        states: The hidden states, and the cell states of an LSTM.
    """
    sizes = [module.get_expected_hidden_size(inputs.data, inputs.batch_sizes)]
    if isinstance(module, nn.LSTM):
        sizes.append(module.get_expected_cell_size(inputs.data, inputs.batch_sizes))
    for name, s, size in zip(("hidden state h_0", "hidden state c_0"), states, sizes, strict=False):
        if s.shape != size:
            return f"the {name} must have the shape {tuple(size)}, got {tuple(s.shape)}"
    return None


def _weight_of_lstm(module: nn.LSTM) -> str | None:
    """Return which weight of an LSTM has another size than its constructor gives it, as a clause, or None."""
    # not by getattr: to ask a parametrized weight may change it, as that of spectral_norm
    own: dict[str, Any] = {**vars(module), **module._parameters}
    H, P, both = module.hidden_size, module.proj_size or module.hidden_size, bool(module.bidirectional)
    ends = [f"_l{layer}{way}" for layer in range(module.num_layers) for way in ("", "_reverse")[: 1 + both]]
    for i, end in enumerate(ends):
        below = module.input_size if i < 1 + both else P * (1 + both)
        sizes = {"weight_ih": (4 * H, below), "weight_hh": (4 * H, P), "weight_hr": (P, H)}
        for name, size in sizes.items():
            w = own.get(name + end)
            if isinstance(w, Tensor) and w.shape != size:
                return f"{name}{end} must have the shape {size}, got {tuple(w.shape)}"
        biases: list[Any] = [own.get(name + end) for name in ("bias_ih", "bias_hh")]
        # one bias of another size is broadcast to the other, or refused
        if all(isinstance(b, Tensor) and b.shape != (4 * H,) for b in biases):
            return f"bias_ih{end} must have the shape {(4 * H,)}, got {tuple(biases[0].shape)}"
    return None
