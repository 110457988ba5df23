"""The drop-in layers have the state_dict, results, gradients and errors of torch.nn."""

from __future__ import annotations

import copy
import io
import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence

from ostinato import nn
from ostinato.errors import ConfigError
from ostinato.ops.engine import extension
from ostinato.ops.variables import IMPLEMENTATION

D, H, T, B = 5, 7, 6, 4
FORMS = [
    {},
    {"batch_first": True},
    {"bias": False},
    {"num_layers": 2, "bidirectional": True},
    {"num_layers": 3, "batch_first": True, "bidirectional": True},
]
NAMES = ["RNN", "LSTM", "GRU"]
#: Of a step of two products.
PRODUCTS: list[dict[str, Any]] = [{"mode": "LSTM", "proj_size": 3}, {"mode": "GRU", "reset_after": False}]
networks = pytest.mark.parametrize("name", NAMES)
forms = pytest.mark.parametrize("form", FORMS, ids=str)


def pair(name: str, **form: Any) -> tuple[torch.nn.Module, torch.nn.Module]:
    """Torch's module and ours, in float64, with the same weights."""
    torch.manual_seed(0)
    theirs = getattr(torch.nn, name)(D, H, **form).double()
    ours = getattr(nn, name)(D, H, **form).double()
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def flat(value: Any) -> list[Tensor]:
    """All tensors of a result."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, PackedSequence):
        return [value.data]
    return [t for v in value for t in flat(v)]


def both(theirs: torch.nn.Module, ours: torch.nn.Module, x: Any, *hx: Any) -> None:
    """The same results, and the same gradients of a random functional of them."""
    data = x.data if isinstance(x, PackedSequence) else x
    found = []
    for net in (theirs, ours):
        leaf = data.detach().clone().requires_grad_()
        given = PackedSequence(leaf, *x[1:]) if isinstance(x, PackedSequence) else leaf
        out = flat(net(given, *hx))
        g = torch.Generator().manual_seed(3)
        loss = sum(((t * torch.randn(t.shape, generator=g, dtype=t.dtype)).sum() for t in out), torch.zeros(()))
        found.append((out, torch.autograd.grad(loss, [leaf, *flat(hx), *net.parameters()])))
    for one, other in zip(*found, strict=True):
        for a, b in zip(one, other, strict=True):
            torch.testing.assert_close(b, a, rtol=1e-10, atol=1e-10)


def states(name: str, *shape: int) -> Any:
    s = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for _ in range(2 if name == "LSTM" else 1)]
    return tuple(s) if name == "LSTM" else s[0]


def count(form: dict[str, Any]) -> int:
    return int(form.get("num_layers", 1)) * (2 if form.get("bidirectional") else 1)


@networks
@forms
def test_padded(name: str, form: dict[str, Any]) -> None:
    theirs, ours = pair(name, **form)
    x = torch.randn(B, T, D, dtype=torch.float64) if form.get("batch_first") else torch.randn(T, B, D).double()
    both(theirs, ours, x)
    both(theirs, ours, x, states(name, count(form), B, H))


@networks
@forms
def test_unbatched(name: str, form: dict[str, Any]) -> None:
    theirs, ours = pair(name, **form)
    both(theirs, ours, torch.randn(T, D).double())
    both(theirs, ours, torch.randn(T, D).double(), states(name, count(form), H))


@networks
@forms
@pytest.mark.parametrize("ordered", [True, False])
def test_packed(name: str, form: dict[str, Any], ordered: bool) -> None:
    theirs, ours = pair(name, **form)
    lengths = [6, 4, 4, 1] if ordered else [4, 1, 6, 4]
    packed = pack_sequence([torch.randn(n, D).double() for n in lengths], enforce_sorted=ordered)
    both(theirs, ours, packed)
    both(theirs, ours, packed, states(name, count(form), B, H))
    y, _ = ours(packed)
    assert type(y) is PackedSequence


def test_relu() -> None:
    both(*pair("RNN", nonlinearity="relu"), torch.randn(T, B, D).double())


@forms
@pytest.mark.parametrize("P", [1, 3])
def test_projections_are_torchs(form: dict[str, Any], P: int) -> None:
    theirs, ours = pair("LSTM", proj_size=P, **form)
    assert repr(theirs) == repr(ours)
    N = count(form)

    def state(*rows: int) -> tuple[Tensor, Tensor]:
        return states("GRU", N, *rows, P), states("GRU", N, *rows, H)

    x = torch.randn(B, T, D).double() if form.get("batch_first") else torch.randn(T, B, D).double()
    packed = pack_sequence([torch.randn(n, D).double() for n in (4, 1, 6, 4)], enforce_sorted=False)
    for given, hx in ((x, state(B)), (packed, state(B)), (torch.randn(T, D).double(), state())):
        both(theirs, ours, given)
        both(theirs, ours, given, hx)


@pytest.mark.parametrize("form", [{}, {"num_layers": 2, "bidirectional": True}, {"bias": False}], ids=str)
def test_a_reset_before_the_product_is_the_reference(form: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    ours = nn.GRU(D, H, reset_after=False, **form).double()
    packed = pack_sequence([torch.randn(n, D).double() for n in (4, 1, 6, 4)], enforce_sorted=False)
    monkeypatch.delenv(IMPLEMENTATION, raising=False)
    for x in (torch.randn(T, B, D).double(), packed):
        found = ours(x, h0 := states("GRU", count(form), B, H))
        grads = torch.autograd.grad([t.sum() for t in flat(found)], [h0, *ours.parameters()])
        with monkeypatch.context() as forced:
            forced.setenv(IMPLEMENTATION, "reference")
            true = ours(x, h0)
            grads_true = torch.autograd.grad([t.sum() for t in flat(true)], [h0, *ours.parameters()])
        for a, b in zip([*flat(found), *grads], [*flat(true), *grads_true], strict=True):
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)
    plain = nn.GRU(D, H, **form).double()
    plain.load_state_dict(ours.state_dict())
    assert not torch.allclose(plain(packed)[0].data, ours(packed)[0].data)
    assert repr(ours) == repr(plain)[:-1] + ", reset_after=False)"
    monkeypatch.setenv(IMPLEMENTATION, "aten")
    with pytest.raises(ConfigError, match="no operator"):
        ours(packed)


@pytest.mark.parametrize("implementation", ["reference", ""])
def test_a_cell_with_the_reset_before_the_product_is_a_step(
    implementation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(IMPLEMENTATION, implementation)
    net, cell = nn.GRU(D, H, reset_after=False).double(), nn.GRUCell(D, H, reset_after=False).double()
    cell.load_state_dict({name.removesuffix("_l0"): w for name, w in net.state_dict().items()})
    x = torch.randn(T, B, D).double()
    y, _ = net(x)
    h = None
    for t in range(T):
        h = cell(x[t], h)
        torch.testing.assert_close(h, y[t])
    assert repr(cell) == f"GRUCell({D}, {H}, reset_after=False)"


@networks
def test_dropout_falls_between_layers_in_training_only(name: str) -> None:
    theirs, ours = pair(name, num_layers=3, dropout=0.5)
    x = torch.randn(T, B, D).double()
    torch.manual_seed(1)
    one = ours(x)[0]
    torch.manual_seed(1)
    assert torch.equal(one, ours(x)[0])
    assert not torch.equal(one, ours(x)[0])
    both(theirs.eval(), ours.eval(), x)


@pytest.mark.parametrize("name", ["RNNCell", "LSTMCell", "GRUCell"])
@pytest.mark.parametrize("bias", [True, False])
def test_cells(name: str, bias: bool) -> None:
    theirs, ours = pair(name, bias=bias)
    kind = name.removesuffix("Cell")
    both(theirs, ours, torch.randn(B, D).double())
    both(theirs, ours, torch.randn(B, D).double(), states(kind, B, H))
    both(theirs, ours, torch.randn(D).double(), states(kind, H))


@networks
def test_copies_and_checkpoints_go_both_ways(name: str) -> None:
    theirs, ours = pair(name, num_layers=2, bidirectional=True)
    assert list(theirs.state_dict()) == list(ours.state_dict())
    theirs.load_state_dict(ours.state_dict())
    file = io.BytesIO()
    torch.save(ours, file)
    file.seek(0)
    x = torch.randn(T, B, D).double()
    for other in (copy.deepcopy(ours), torch.load(file, weights_only=False)):
        assert torch.equal(other(x)[0], ours(x)[0])


@networks
@forms
def test_attributes_repr_and_first_values_are_torchs(name: str, form: dict[str, Any]) -> None:
    found = []
    for home in (torch.nn, nn):
        torch.manual_seed(7)
        found.append(getattr(home, name)(D, H, **form))
    theirs, ours = found
    assert repr(theirs) == repr(ours)
    for a, b in itertools.zip_longest(theirs.state_dict().items(), ours.state_dict().items()):
        assert a[0] == b[0]
        assert torch.equal(a[1], b[1])
    assert [len(w) for w in theirs.all_weights] == [len(w) for w in ours.all_weights]
    for attribute in ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional"):
        assert getattr(theirs, attribute) == getattr(ours, attribute)


@networks
@pytest.mark.parametrize(
    "form", [{"dropout": 2}, {"dropout": True}, {"hidden_size": 0}, {"hidden_size": 2.0}, {"num_layers": 0}], ids=str
)
def test_invalid_layer_arguments_are_refused(name: str, form: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)) as true:
        getattr(torch.nn, name)(**{"input_size": D, "hidden_size": H, **form})
    with pytest.raises(true.type):
        getattr(nn, name)(**{"input_size": D, "hidden_size": H, **form})


WRONG = {
    "width": lambda net, name: net(torch.zeros(T, B, D + 1).double()),
    "axes": lambda net, name: net(torch.zeros(1, T, B, D).double()),
    "state of another batch": lambda net, name: net(torch.zeros(T, B, D).double(), states(name, 1, B + 1, H)),
    "state of another width": lambda net, name: net(torch.zeros(T, B, D).double(), states(name, 1, B, H + 1)),
    "unbatched state": lambda net, name: net(torch.zeros(T, B, D).double(), states(name, B, H)),
    "batched state": lambda net, name: net(torch.zeros(T, D).double(), states(name, 1, B, H)),
}


@networks
@pytest.mark.parametrize("case", WRONG)
def test_invalid_inputs_are_refused_as_in_torch(name: str, case: str) -> None:
    theirs, ours = pair(name)
    with pytest.raises((RuntimeError, ValueError)) as true:
        WRONG[case](theirs, name)
    with pytest.raises(true.type):
        WRONG[case](ours, name)


@pytest.mark.skipif(extension.ABSENT is not None, reason=extension.ABSENT or "")
@pytest.mark.parametrize("form", [{"mode": n} for n in NAMES] + PRODUCTS, ids=str)
@pytest.mark.filterwarnings("ignore")
def test_compiles_and_exports(form: dict[str, Any]) -> None:
    torch.manual_seed(0)
    how = {k: v for k, v in form.items() if k != "mode"}
    ours = getattr(nn, form["mode"])(D, H, num_layers=2, bidirectional=True, **how).double()
    x = torch.randn(T, B, D).double()
    torch.compiler.reset()
    compiled: Callable[[Tensor], Any] = torch.compile(ours, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x)[0], ours(x)[0])
    torch.autograd.backward(compiled(x)[0].sum())
    exported = torch.export.export(ours.eval(), (x,)).module()
    for a, b in itertools.zip_longest(flat(exported(x)), flat(ours(x))):
        torch.testing.assert_close(a, b)


def test_a_padded_and_a_packed_batch_agree() -> None:
    _, ours = pair("LSTM", batch_first=True)
    x, lengths = torch.randn(B, T, D).double(), torch.tensor([6, 5, 2, 2])
    y, _ = ours(pack_padded_sequence(x, lengths, batch_first=True))
    padded, _ = torch.nn.utils.rnn.pad_packed_sequence(y, batch_first=True)
    for b, n in enumerate(lengths):
        torch.testing.assert_close(padded[b, :n], ours(x)[0][b, :n])
