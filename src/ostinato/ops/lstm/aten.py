"""Long short-term memory by torch's own unrolled operator. Same signature and result as the reference."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ostinato.ops.weights import Weights
from ostinato.shapes import State


def unroll(
    x: Tensor,
    state: State,
    weights: Weights,
    lengths: Tensor | None = None,
) -> tuple[Tensor, State]:
    """Unroll the cell by torch's own operator; arguments and results are those of the reference."""
    given = [weights.w_ih, weights.w_hh, *weights.biases, *(() if weights.w_hr is None else (weights.w_hr,))]
    train = torch.is_grad_enabled()
    if not len(x):
        return x.new_zeros(0, *state[0].shape), state
    if lengths is None or bool((lengths == len(x)).all()):
        h, *last = torch.lstm(x, [s[None] for s in state], given, True, 1, 0.0, train, False, False)
        return h, (last[0][0], last[1][0])
    # c is not among the outputs, so rows of different length need the packed form, which does not allow empty rows
    rows = torch.nonzero(lengths > 0)[:, 0]
    h = x.new_zeros(*x.shape[:2], state[0].shape[1])
    if not len(rows):
        return h, state
    packed = pack_padded_sequence(x[:, rows], lengths[rows].cpu(), enforce_sorted=False)
    order, back = packed.sorted_indices, packed.unsorted_indices
    starts = [s[rows][order][None] for s in state]
    out, h_n, c_n = torch.lstm(packed.data, packed.batch_sizes, starts, given, True, 1, 0.0, train, False)
    padded, _ = pad_packed_sequence(
        torch.nn.utils.rnn.PackedSequence(out, packed.batch_sizes, order, back), total_length=len(x)
    )
    h = h.index_copy(1, rows, padded)
    return h, (state[0].index_copy(0, rows, h_n[0][back]), state[1].index_copy(0, rows, c_n[0][back]))
