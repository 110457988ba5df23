"""The base class of RNN, GRU and LSTM: calls in the forms of torch.nn, which the engine takes as (T, B, D)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.compiler import is_compiling
from torch.nn.utils.rnn import PackedSequence

from ostinato.errors import ConfigError
from ostinato.nn.drop_in import DropIn, by_torch
from ostinato.nn.on_cuda import DeclinedError, by_kernels, kernels_run
from ostinato.nn.traced import traced
from ostinato.ops.engine.buffers import kept_zeros, zeros
from ostinato.ops.engine.call import LARGE
from ostinato.ops.engine.extension import ABSENT
from ostinato.ops.engine.gate import ApartError, are_listed, is_plain
from ostinato.ops.engine.layer import LayerForm
from ostinato.ops.engine.places import Places
from ostinato.ops.engine.unroll import run_plain, specified, unroll, unroll_both
from ostinato.ops.variables import is_named
from ostinato.ops.weights import Weights
from ostinato.shapes import State

_PADDED = Places(), Places(reverse=True)
_SEQUENCES = tuple, list


def _cell(mode: str, reset_after: bool, projects: bool) -> str:
    """Return the name of the cell in the engine."""
    if not reset_after:
        return "gru_before"
    return "lstm_projected" if projects else mode.lower()


class Start(NamedTuple):
    """What the calls of a layer on padded batches of equally many rows share.

    Attributes:
        form: The form of the layer.
        h0: The first hidden state, zeros (directions, B, P), which nobody may change.
        c0: The first cell state, zeros (directions, B, H); None for a cell of one state.
    """

    form: LayerForm
    h0: Tensor
    c0: Tensor | None


#: The starts by what they depend on, see ``_start_of``. Those whose states are small and plain are kept.
_STARTS: dict[tuple[Any, ...], Start] = {}


def _start_of(key: tuple[Any, ...]) -> Start:
    """Return the start for a mode, reset_after, P or 0, H, whether there are two directions, a type, and B."""
    mode, after, P, H, both, dtype, rows = key
    form = LayerForm(_cell(mode, after, P > 0), (None, None, None), (False, True)[: 1 + both])
    h0 = kept_zeros(dtype, (1 + both, rows, P or H))
    c0 = kept_zeros(dtype, (1 + both, rows, H)) if mode == "LSTM" else None
    start = Start(form, h0, c0)
    if all(s is None or (s.numel() < LARGE and is_plain(s)) for s in start[1:]):
        if len(_STARTS) >= 64:
            _STARTS.clear()
        _STARTS[key] = start
    return start


class RecurrentNetwork(DropIn, nn.RNNBase):
    """A stack of recurrent layers in one or two directions; each subclass derives from its counterpart in torch.nn too.

    The parameters of layer k are weight_ih_lk, weight_hh_lk, bias_ih_lk, bias_hh_lk and, if proj_size is given,
    weight_hr_lk; those of the backward direction have the suffix _reverse.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Create the network by the constructor of torch.nn, whose errors are given the arguments in addition."""
        try:
            super().__init__(*args, **kwargs)
        except (TypeError, ValueError) as error:
            given = ", ".join([*map(repr, args), *(f"{name}={value!r}" for name, value in kwargs.items())])
            raise type(error)(f"{error}: got {type(self).__name__}({given})") from error

    @property
    def engine_cell(self) -> str:
        """The name of the cell in the engine."""
        return _cell(self.mode, self.reset_after, self.proj_size > 0)

    def forward(self, input: Any, hx: Any = None) -> Any:  # noqa: A002 - the name in torch.nn
        """Return the outputs of all steps, in the form of the input, and the last state, in the form of hx."""
        results = None
        if is_compiling():
            results = traced(self, input, hx)
        elif hx is None and self.num_layers == 1 and type(input) is Tensor and input.is_cpu and not ABSENT:
            results = None if is_named() else self._usual(input)
        return self._in_any_form(input, hx) if results is None else results

    def _in_any_form(self, input: Any, hx: Any) -> Any:  # noqa: A002 - the name in torch.nn
        """Return the results of a call that has not the usual form, or that torch.nn refuses with its words."""
        x = input[0] if isinstance(input, PackedSequence) else input
        if isinstance(x, Tensor) and self.engine_runs(x):
            try:
                results = self._by(unroll, input, hx)
            except (ConfigError, ApartError):  # weights of other shapes or devices: by_torch refuses them
                results = None
            if results is not None:
                return results
        elif isinstance(x, Tensor) and kernels_run(self, self.engine_cell, x, ragged=x is not input):
            try:
                results = self._by(by_kernels, input, hx)
            except (ConfigError, DeclinedError):
                results = None
            if results is not None:
                return results
        results = by_torch(self, super().forward, input, hx)
        # for a cell that torch.nn does not have, the call above is only the check of the input
        return results if self.reset_after else self._by(specified, input, hx)

    def _usual(self, x: Tensor) -> Any:
        """Return the results of one layer on a padded batch, without a state; None unless all is plain and fits.

        Most calls have this form, and what the others must be asked takes longer than a small recurrence.
        """
        # what ``_weights`` asks, in a loop of C++
        known = are_listed(self)
        if not known or x.is_nested or x.dim() != 3:
            return None
        weights = self._flat_weights
        if self.batch_first:
            x = x.transpose(0, 1)
        steps, rows, width = x.shape
        if width != self.input_size or not steps:
            return None
        both, P = bool(self.bidirectional), self.proj_size
        key = self.mode, self.reset_after, P, self.hidden_size, both, x.dtype, rows
        form, h0, c0 = _STARTS.get(key) or _start_of(key)
        if h0._version or (c0 is not None and c0._version):  # a hook or a mode may have got hold of them
            form, h0, c0 = _start_of(key)
        if self.bias and not P and not both:
            tensors = (x, h0, c0, *weights, None)
        else:
            size = len(weights) // (1 + both)
            halves = [_of_cell(weights[i : i + size], self.bias) for i in range(0, len(weights), size)]
            tensors = (x, h0, c0, *[w for half in halves for w in half])
        try:
            results = run_plain(tensors, form)
        except ConfigError:  # weights of other shapes
            return None
        if results is None:
            return None
        y = results[0].transpose(0, 1) if self.batch_first else results[0]
        return y, (results[1] if c0 is None else (results[1], results[2]))

    def extra_repr(self) -> str:
        """Return the text of torch.nn, followed by reset_after if it is False."""
        return super().extra_repr() + ("" if self.reset_after else ", reset_after=False")

    def _by(self, run: Callable[..., tuple[Tensor, State]], given: Tensor | PackedSequence, hx: Any) -> Any:
        """Run the network by unroll or specified; return None if the input or the state does not have the right form.

        Args:
            run: The function.
            given: The input: (T, B, D), (B, T, D) if batch_first, (T, D), or a PackedSequence.
            hx: The initial state, each (layers * directions, B, H), without B for an input without it; None for zero.

        Returns:
            The outputs in the form of the input, and the last state in the form of hx.
        """
        sizes = order = back = None
        if isinstance(given, PackedSequence):
            x, sizes, order, back = given
            if x.dim() != 2 or not len(sizes) or int(sizes.sum()) != len(x) or bool((sizes.diff() > 0).any()):
                return None
            rows, batched = int(sizes[0]), True
        else:
            if given.dim() not in (2, 3):
                return None
            batched = given.dim() == 3
            x = given if batched else given[:, None]
            x = x.transpose(0, 1) if batched and self.batch_first else x
            if not x.shape[0]:
                return None
            rows = x.shape[1]
        weights = self._weights()
        state = self._start(x, rows, hx, batched=batched)
        if state is None or weights is None:
            return None
        if order is not None and hx is not None:
            state = tuple([s.index_select(1, order) for s in state])
        y: Any
        y, last = self._layers(run, x, state, weights, sizes)
        if sizes is not None:
            y = PackedSequence(y, sizes, order, back)
            last = last if back is None else tuple([s.index_select(1, back) for s in last])
        elif not batched:
            y, last = y[:, 0], tuple([s[:, 0] for s in last])
        elif self.batch_first:
            y = y.transpose(0, 1)
        return y, (last if self.mode == "LSTM" else last[0])

    def _start(self, x: Tensor, rows: int, hx: Any, *, batched: bool) -> State | None:
        """Return the initial states, each (layers * directions, B, H), or None if a size does not fit.

        Args:
            x: The inputs, (T, B, D) or packed, (N, D).
            rows: The number of rows, B.
            hx: The states that the caller gave, without the axis B if the input has none; None for zeros.
            batched: Whether the input has the axis B.
        """
        if x.shape[-1] != self.input_size:
            return None
        pair = self.mode == "LSTM"
        count, H = self.num_layers * (2 if self.bidirectional else 1), self.hidden_size
        P = self.proj_size or H
        if hx is None:
            h0 = zeros(x, count, rows, P)
            return (h0,) if not pair else (h0, h0 if P == H else zeros(x, count, rows, H))
        state = hx if pair else (hx,)
        # an older torch, such as 2.7, traces neither a union of types nor zip over unequal lengths
        if not isinstance(state, _SEQUENCES) or len(state) != 1 + pair:
            return None
        for i, width in enumerate((P, H)[: 1 + pair]):
            s = state[i]
            if not isinstance(s, Tensor) or s.shape != ((count, rows, width) if batched else (count, width)):
                return None
        return tuple(state) if batched else tuple([s[:, None] for s in state])

    def _weights(self) -> Any:
        """Return the weights as torch.nn runs them: its list, after each parameter that was replaced is taken in.

        None if one of them is missing or is not a tensor.
        """
        if is_compiling():  # the list of torch.nn would hold the tensors of torch.func.grad when it has ended
            weights = [getattr(self, name, None) for name in self._flat_weights_names]
            return weights if all(isinstance(w, Tensor) for w in weights) else None
        parameters = self._parameters
        for name, known in zip(self._flat_weights_names, self._flat_weight_refs, strict=True):
            weight = parameters.get(name)
            if weight is None or known is None or weight is not known():
                # torch.nn's own, slower comparison, for weights that are not parameters
                self._update_flat_weights()
                if not all(isinstance(w, Tensor) for w in self._flat_weights):
                    return None
                break
        return self._flat_weights

    def _layers(
        self,
        run: Callable[..., tuple[Tensor, State]],
        x: Tensor,
        state: State,
        weights: list[Any],
        sizes: Tensor | None,
    ) -> tuple[Tensor, State]:
        """Run all layers and directions.

        Args:
            run: The function that runs a cell.
            x: The inputs, (T, B, D), or packed, (N, D).
            state: The initial states, each (layers * directions, B, H).
            weights: The weights of all layers and directions, one after the other.
            sizes: The number of rows that have step t, (T,), if the inputs are packed; else None.

        Returns:
            The outputs of the last layer, with the axes of x, and the last states, each (layers * directions, B, H).
        """
        cell = self.engine_cell
        directions = 2 if self.bidirectional else 1
        each = (4 if self.bias else 2) + (1 if self.proj_size else 0)
        places = _PADDED
        if sizes is not None:
            packed = Places.packed(sizes)
            places = packed, replace(packed, reverse=True)
        if run is unroll and len(weights) == each:
            # one cell: its states have the axis of the cells already, which is 1
            return unroll(cell, x, state, _of_cell(weights, self.bias), places[0])
        ends: list[State] = []
        for layer in range(self.num_layers):
            cells = range(layer * directions, (layer + 1) * directions)
            of_cells = [_of_cell(weights[i * each : (i + 1) * each], self.bias) for i in cells]
            if run is unroll and directions == 2:
                states = tuple([s[cells.start : cells.stop] for s in state])
                x, last = unroll_both(cell, x, states, (of_cells[0], of_cells[1]), places[0])
                ends += [tuple([s[d] for s in last]) for d in range(2)] if self.num_layers > 1 else [last]
            else:
                halves = []
                for i, own, where in zip(cells, of_cells, places, strict=False):
                    h, last = run(cell, x, tuple([s[i] for s in state]), own, where)
                    halves.append(h)
                    ends.append(last)
                x = halves[0] if directions == 1 else torch.cat(halves, -1)
            if self.dropout and self.training and layer + 1 < self.num_layers:
                x = nn.functional.dropout(x, self.dropout, training=True)
        if len(ends) == 1 and directions == 2:
            return x, ends[0]
        return x, tuple([torch.stack(s) for s in zip(*ends, strict=True)])


def _of_cell(weights: list[Any], bias: bool) -> Weights:
    """Return the weights of one cell, given those that it has, in the order of torch.nn."""
    if bias:
        return Weights(*weights)
    w_ih, w_hh, *w_hr = weights
    return Weights(w_ih, w_hh, None, None, *w_hr)
