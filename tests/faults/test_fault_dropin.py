"""Calls of torch.nn that users got wrong or made in an unusual way: ostinato.nn gives what torch.nn gives.

torch.nn computes the right value of each row: its results, or the type of its error. The words of an error must name
the argument that is wrong.
"""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from rows import Row
from torch import Tensor, zeros
from torch.nn import Parameter
from torch.nn.utils import parametrizations, parametrize, prune
from torch.nn.utils.rnn import PackedSequence, pack_sequence

from ostinato import nn

KIND = "drop-in"
Home = Any
Case = Callable[[Home], Any]


def ones(*shape: int) -> Tensor:
    return torch.linspace(-1, 1, torch.Size(shape).numel()).reshape(shape)


def run(case: Case, home: Home) -> Any:
    """What a case gives: its result, or its error."""
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return case(home)
        except Exception as error:
            return error


def flat(value: Any) -> list[Any]:
    if isinstance(value, PackedSequence):
        return [value.data, value.batch_sizes]
    return [t for v in value for t in flat(v)] if isinstance(value, tuple | list) else [value]


def refused(name: str, word: str, case: Case) -> Row:
    """A row whose case is an error of torch.nn; ours has the same type, and its words have ``word``."""

    def check() -> str:
        true, ours = run(case, torch.nn), run(case, nn)
        assert isinstance(true, Exception), f"torch.nn takes it: {true}"
        assert type(ours) is type(true), f"{type(true).__name__} in torch.nn, got {ours!r}"
        assert word in str(ours), str(ours)
        return f"refused: {type(ours).__name__}"

    return Row(KIND, name, "torch.nn", check)


def ours_alone(name: str, word: str, case: Case) -> Row:
    """A row that ours refuses, and that torch.nn, which is not called, computes from memory outside of the tensors."""

    def check() -> str:
        ours = run(case, nn)
        assert isinstance(ours, RuntimeError), ours
        assert word in str(ours), str(ours)
        return "refused: RuntimeError"

    return Row(KIND, name, "sizes of torch.nn's documentation", check)


def taken(name: str, case: Case) -> Row:
    """A row whose case gives a result; ours gives the same numbers, shapes and types."""

    def check() -> str:
        true, ours = run(case, torch.nn), run(case, nn)
        if "could not create a primitive" in str(true):
            pytest.skip("torch.nn has no kernel for this on this processor")
        assert not isinstance(true, Exception), true
        assert not isinstance(ours, Exception), ours
        assert type(true) is type(ours)
        for a, b in zip(flat(true), flat(ours), strict=True):
            if isinstance(a, Tensor) and a.device.type != "meta":
                torch.testing.assert_close(b, a, rtol=1e-4, atol=1e-5)
            elif isinstance(a, Tensor):
                assert (a.shape, a.dtype, a.device) == (b.shape, b.dtype, b.device)
            else:
                assert a == b
        return "right: as torch.nn"

    return Row(KIND, name, "torch.nn", check)


def changed(net: Any, change: Callable[[Any], Any]) -> Any:
    """Run a network after a change of it."""
    change(net)
    return net(ones(5, 2, 3))


def replaced(name: str, value: Any) -> Callable[[Any], None]:
    return lambda net: setattr(net, name, value)


def halved(net: Any) -> None:
    net.weight_hh_l0 = Parameter(net.weight_hh_l0.detach() / 2)


def plain_tensor(net: Any) -> None:
    w = net.weight_hh_l0.detach() / 2
    del net.weight_hh_l0
    net.weight_hh_l0 = w


def in_the_list(net: Any) -> None:
    net._flat_weights[1] = net.weight_hh_l0.detach() / 2


def pruned(net: Any) -> None:
    prune.l1_unstructured(net, "weight_hh_l0", 0.5)  # type: ignore[no-untyped-call]


def traced(net: Any, x: Tensor) -> Any:
    return torch.jit.trace(net, (x,))  # type: ignore[no-untyped-call]


def doubled(net: Any) -> None:
    parametrize.register_parametrization(net, "weight_ih_l0", torch.nn.Softplus())


def autocast(dtype: torch.dtype, make: Callable[[Home], Any], x: Any) -> Case:
    def case(home: Home) -> Any:
        net = make(home)
        with torch.autocast("cpu", dtype), torch.no_grad():
            return [(t.dtype, t.shape) if isinstance(t, Tensor) else t for t in flat(net(x))]

    return case


PACKED = pack_sequence([ones(4, 3), ones(1, 3), ones(3, 3)], enforce_sorted=False)
SIZES = torch.tensor
CONSTRUCTORS: dict[str, tuple[str, Case]] = {
    "input_size 0": ("input_size", lambda home: home.LSTM(0, 3)),
    "input_size -1": ("input_size", lambda home: home.GRU(-1, 3)),
    "input_size 3.0": ("input_size", lambda home: home.RNN(3.0, 3)),
    "hidden_size 0": ("hidden_size", lambda home: home.RNN(3, 0)),
    "hidden_size of text": ("hidden_size", lambda home: home.GRU(3, "4")),
    "num_layers 0": ("num_layers", lambda home: home.LSTM(3, 4, 0)),
    "num_layers 1.0": ("1.0", lambda home: home.LSTM(3, 4, 1.0)),
    "bias 1": ("bias", lambda home: home.RNN(3, 4, bias=1)),
    "batch_first 1": ("batch_first", lambda home: home.GRU(3, 4, batch_first=1)),
    "dropout 1.5": ("dropout", lambda home: home.GRU(3, 4, 2, dropout=1.5)),
    "dropout True": ("dropout", lambda home: home.LSTM(3, 4, 2, dropout=True)),
    "dropout None": ("None", lambda home: home.LSTM(3, 4, 2, dropout=None)),
    "proj_size of an RNN": ("proj_size", lambda home: home.RNN(3, 4, proj_size=2)),
    "proj_size of a GRU": ("proj_size", lambda home: home.GRU(3, 4, proj_size=2)),
    "proj_size -1": ("proj_size", lambda home: home.LSTM(3, 4, proj_size=-1)),
    "proj_size as wide as hidden_size": ("proj_size", lambda home: home.LSTM(3, 4, proj_size=4)),
    "an unknown nonlinearity": ("nonlinearity", lambda home: home.RNN(3, 4, nonlinearity="sine")),
    "an unknown nonlinearity of a cell": ("sine", lambda home: home.RNNCell(3, 4, nonlinearity="sine")(ones(2, 3))),
    "an unknown argument": ("layers", lambda home: home.GRU(3, 4, layers=2)),
    "integer parameters": ("floating point", lambda home: home.GRU(3, 4, dtype=torch.int64)),
    "input_size -1 of a cell": ("-1", lambda home: home.LSTMCell(-1, 3)),
}
CALLS: dict[str, tuple[str, Case]] = {
    "no step": ("sequence length", lambda home: home.GRU(3, 4)(ones(0, 2, 3))),
    "no step, no batch axis": ("sequence length", lambda home: home.LSTM(3, 4)(ones(0, 3))),
    "no step, batch first": ("sequence length", lambda home: home.RNN(3, 4, batch_first=True)(ones(2, 0, 3))),
    "one axis": ("1D", lambda home: home.GRU(3, 4)(ones(3))),
    "four axes": ("4D", lambda home: home.LSTM(3, 4)(ones(1, 5, 2, 3))),
    "three axes for a cell": ("3D", lambda home: home.GRUCell(3, 4)(ones(1, 2, 3))),
    "another width": ("input_size", lambda home: home.RNN(3, 4)(ones(5, 2, 2))),
    "another width for a cell": ("input_size", lambda home: home.LSTMCell(3, 4)(ones(2, 2))),
    "a list": ("input", lambda home: home.GRU(3, 4)([[1.0, 2.0, 3.0]])),
    "a numpy array": ("input", lambda home: home.LSTM(3, 4)(ones(5, 2, 3).numpy())),
    "float64": ("the input", lambda home: home.GRU(3, 4)(ones(5, 2, 3).double())),
    "float64 for a cell": ("the input", lambda home: home.RNNCell(3, 4)(ones(2, 3).double())),
    "integers": ("the input", lambda home: home.LSTM(3, 4)(ones(5, 2, 3).long())),
    "integers for a cell": ("the input", lambda home: home.LSTMCell(3, 4)(ones(2, 3).long())),
    "float16": ("the input", lambda home: home.RNN(3, 4)(ones(5, 2, 3).half())),
    "packed float64": ("the input", lambda home: home.GRU(3, 4)(PackedSequence(PACKED.data.double(), *PACKED[1:]))),
    "a float64 h_0": ("h_0", lambda home: home.GRU(3, 4)(ones(5, 2, 3), zeros(1, 2, 4).double())),
    "a float64 c_0": (
        "c_0",
        lambda home: home.LSTM(3, 4)(ones(5, 2, 3), (zeros(1, 2, 4), zeros(1, 2, 4).double())),
    ),
    "a float64 h of a cell": ("h_0", lambda home: home.GRUCell(3, 4)(ones(2, 3), zeros(2, 4).double())),
    "h_0 on another device": ("h_0", lambda home: home.GRU(3, 4)(ones(5, 2, 3), zeros(1, 2, 4, device="meta"))),
    "parameters on another device": ("device", lambda home: home.GRU(3, 4, device="meta")(ones(5, 2, 3))),
    "h_0 alone for an LSTM": ("pair", lambda home: home.LSTM(3, 4)(ones(5, 2, 3), zeros(1, 2, 4))),
    "one of two states": ("pair", lambda home: home.LSTM(3, 4)(ones(5, 2, 3), (zeros(1, 2, 4),))),
    "three states": ("pair", lambda home: home.LSTM(3, 4)(ones(5, 2, 3), (zeros(1, 2, 4),) * 3)),
    "one tensor of both states": ("pair", lambda home: home.LSTM(3, 4)(ones(5, 2, 3), zeros(2, 1, 2, 4))),
    "h alone for an LSTMCell": ("pair", lambda home: home.LSTMCell(3, 3)(ones(2, 3), zeros(2, 3))),
    "one of two states of a cell": ("pair", lambda home: home.LSTMCell(3, 4)(ones(2, 3), (zeros(2, 4),))),
    "three states of a cell": ("pair", lambda home: home.LSTMCell(3, 4)(ones(2, 3), (zeros(2, 4),) * 3)),
    "a pair for a GRU": ("one tensor", lambda home: home.GRU(3, 4)(ones(5, 2, 3), (zeros(1, 2, 4),) * 2)),
    "a state of another batch": ("hidden", lambda home: home.RNN(3, 4)(ones(5, 2, 3), zeros(1, 3, 4))),
    "a state of another width": ("hidden", lambda home: home.RNN(3, 4)(ones(5, 2, 3), zeros(1, 2, 3))),
    "a state of another depth": ("hidden", lambda home: home.GRU(3, 4, 2)(ones(5, 2, 3), zeros(1, 2, 4))),
    "a state without a batch axis": ("hx", lambda home: home.GRU(3, 4)(ones(5, 2, 3), zeros(1, 4))),
    "a state with a batch axis": ("hx", lambda home: home.GRU(3, 4)(ones(5, 3), zeros(1, 1, 4))),
    "a state of a cell of another batch": ("hidden", lambda home: home.GRUCell(3, 4)(ones(2, 3), zeros(3, 4))),
    "a packed state of another batch": ("hidden", lambda home: home.GRU(3, 4)(PACKED, zeros(1, 2, 4))),
    "batch sizes that rise": ("size", lambda home: home.GRU(3, 4)(PackedSequence(ones(5, 3), SIZES([2, 3])))),
    "batch sizes beyond the data": ("size", lambda home: home.GRU(3, 4)(PackedSequence(ones(4, 3), SIZES([3, 2])))),
    "weights of two types": (
        "weight_hh_l0",
        lambda home: changed(home.GRU(3, 4), lambda n: setattr(n, "weight_hh_l0", Parameter(n.weight_hh_l0.double()))),
    ),
    "a weight of another shape": (
        "size",
        lambda home: changed(home.GRU(3, 4), replaced("weight_hh_l0", Parameter(zeros(9, 4)))),
    ),
    "a bias that was removed": ("None", lambda home: changed(home.GRU(3, 4), replaced("bias_hh_l0", None))),
}
TAKEN: dict[str, Case] = {
    "no row": lambda home: home.GRU(3, 4)(ones(5, 0, 3)),
    "no row for a cell": lambda home: home.LSTMCell(3, 4)(ones(0, 3)),
    "states in a list": lambda home: home.LSTM(3, 4)(ones(5, 2, 3), [zeros(1, 2, 4), zeros(1, 2, 4)]),
    "meta": lambda home: home.LSTM(3, 4, device="meta")(zeros(5, 2, 3, device="meta")),
    "bfloat16": lambda home: home.GRU(3, 4, dtype=torch.bfloat16)(ones(5, 2, 3).bfloat16()),
    "complex": lambda home: home.RNN(3, 4, dtype=torch.complex64)(ones(5, 2, 3) + 0j),
    "batch sizes less than the data": lambda home: home.GRU(3, 4)(PackedSequence(ones(7, 3), SIZES([3, 2]))),
    "batch sizes that end at 0": lambda home: home.GRU(3, 4)(PackedSequence(ones(5, 3), SIZES([3, 2, 0]))),
    "packed, not sorted, with a state": lambda home: home.LSTM(3, 4)(PACKED, (ones(1, 3, 4), ones(1, 3, 4))),
    "a parameter that was replaced": lambda home: changed(home.GRU(3, 4), halved),
    "a weight that is no parameter": lambda home: changed(home.LSTM(3, 4), plain_tensor),
    "a weight in _flat_weights": lambda home: changed(home.RNN(3, 4), in_the_list),
    "weight_norm": lambda home: changed(home.GRU(3, 4), lambda n: torch.nn.utils.weight_norm(n, "weight_hh_l0")),
    "parametrized weight_norm": lambda home: changed(
        home.LSTM(3, 4), lambda n: parametrizations.weight_norm(n, "weight_hh_l0")
    ),
    "another parametrization": lambda home: changed(home.GRU(3, 4), doubled),
    "prune": lambda home: changed(home.LSTM(3, 4), pruned),
    "a weight that was deleted": lambda home: changed(home.GRU(3, 4), lambda n: delattr(n, "weight_hh_l0")),
    "flatten_parameters": lambda home: changed(home.GRU(3, 4), lambda n: n.flatten_parameters()),
    "pickle": lambda home: pickle.loads(pickle.dumps(home.LSTM(3, 4, 2)))(ones(5, 2, 3)),
    "deepcopy": lambda home: copy.deepcopy(home.GRU(3, 4, bidirectional=True))(ones(5, 2, 3)),
    "functional_call": lambda home: (
        torch.func.functional_call(net := home.GRU(3, 4), {k: w / 2 for k, w in net.named_parameters()}, ones(5, 2, 3)),
        net(ones(5, 2, 3)),
    ),
    "nested tensors": lambda home: home.GRU(3, 4)(torch.nested.nested_tensor([ones(5, 3), ones(5, 3)])),
    "mode": lambda home: [net(3, 4).mode for net in (home.RNN, home.GRU, home.LSTM)],
    "mode of relu": lambda home: home.RNN(3, 4, 1, "relu").mode,
    "_flat_weights and their names": lambda home: (
        (net := home.LSTM(3, 4, 2, proj_size=2))._flat_weights_names,
        net._flat_weights,
        net._all_weights,
        net.all_weights,
    ),
    "get_expected_hidden_size": lambda home: home.LSTM(3, 4, proj_size=2).get_expected_hidden_size(ones(5, 2, 3), None),
    "permute_hidden": lambda home: home.GRU(3, 4).permute_hidden(ones(1, 2, 4), SIZES([1, 0])),
    "torch.jit.script": lambda home: torch.jit.script(torch.nn.Sequential(home.LSTM(3, 4)))(ones(5, 2, 3)),
    "torch.jit.script of a cell": lambda home: torch.jit.script(home.GRUCell(3, 4))(ones(2, 3)),
    "torch.jit.trace": lambda home: traced(home.GRU(3, 4), zeros(5, 2, 3))(ones(5, 2, 3)),
    "autocast of an RNN": autocast(torch.bfloat16, lambda home: home.RNN(3, 4), ones(5, 2, 3)),
    "autocast of a GRU": autocast(torch.bfloat16, lambda home: home.GRU(3, 4), ones(5, 2, 3)),
    "autocast of an LSTM": autocast(torch.bfloat16, lambda home: home.LSTM(3, 4), ones(5, 2, 3)),
    "autocast of a packed LSTM": autocast(torch.bfloat16, lambda home: home.LSTM(3, 4), PACKED),
    "autocast of a projection": autocast(torch.bfloat16, lambda home: home.LSTM(3, 4, proj_size=2), ones(5, 2, 3)),
    "autocast of an LSTMCell": autocast(torch.bfloat16, lambda home: home.LSTMCell(3, 4), ones(2, 3)),
    "autocast of bfloat16 inputs": autocast(torch.bfloat16, lambda home: home.GRU(3, 4), ones(5, 2, 3).bfloat16()),
}
TRUTHS = (1, 2, -1, 2.5, "yes", 0, None)
CHECKS: dict[str, tuple[str, Case]] = {
    "check_input": ("dimensions", lambda home: home.GRU(3, 4).check_input(ones(5, 3), None)),
    "check_hidden_size": ("hidden", lambda home: home.GRU(3, 4).check_hidden_size(ones(1, 2, 3), (1, 2, 4))),
    "check_forward_args": (
        "hidden[1]",
        lambda home: home.LSTM(3, 4).check_forward_args(ones(5, 2, 3), (zeros(1, 2, 4), zeros(1, 2, 3)), None),
    ),
}


def of_packed(cls: str, lengths: list[int], rows: int) -> Case:
    """Run a network on packed sequences of these lengths, with states of so many rows."""
    inputs = pack_sequence([ones(n, 3) for n in lengths], enforce_sorted=False)
    pair = ones(1, rows, 4), ones(1, rows, 4)
    return lambda home: getattr(home, cls)(3, 4)(inputs, pair if cls == "LSTM" else pair[0])


def cut(name: str, **kwargs: Any) -> Case:
    """Run an LSTM, one of whose weights has lost all but its first column or value."""

    def change(net: Any) -> None:
        for each in name.split():
            w = getattr(net, each)
            w.data = w.data[..., :1].clone()

    return lambda home: changed(home.LSTM(3, 4, **kwargs), change)


UNCHECKED: dict[str, tuple[str, Case]] = {
    **{
        f"{cls}, {rows} rows of states for sequences of {lengths}": (
            f"(1, {len(lengths)}, 4)",
            of_packed(cls, lengths, rows),
        )
        for cls in ("RNN", "GRU", "LSTM")
        for lengths in ([5, 5], [5, 3], [3, 5])
        for rows in (1, 3)
    },
    **{
        f"LSTM{kwargs}, {name} cut": (name.split()[0], cut(name, **kwargs))
        for kwargs, names in (
            ({}, ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0 bias_hh_l0")),
            (
                {"num_layers": 2, "bidirectional": True},
                ("weight_ih_l1_reverse", "weight_hh_l1", "weight_hh_l0_reverse"),
            ),
            ({"proj_size": 2}, ("weight_hr_l0", "weight_hh_l0")),
        )
        for name in names
    },
}
ROWS = [
    *[ours_alone(name, word, case) for name, (word, case) in UNCHECKED.items()],
    *[refused(name, word, case) for name, (word, case) in (CONSTRUCTORS | CALLS | CHECKS).items()],
    *[taken(name, case) for name, case in TAKEN.items()],
]


@pytest.mark.parametrize("value", TRUTHS, ids=str)
def test_bidirectional_is_its_truth(value: Any) -> None:
    torch.manual_seed(0)
    true = torch.nn.GRU(3, 4, bidirectional=bool(value))(ones(5, 2, 3))
    torch.manual_seed(0)
    ours = nn.GRU(3, 4, bidirectional=value)(ones(5, 2, 3))
    torch.testing.assert_close(ours, true)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_drop_in(row: Row) -> None:
    assert row.check()
