"""PyTorch's own inputs and error inputs of RNN, GRU, LSTM and their cells, on ours; torch.nn gives the right values.

The inputs are those of ``module_db`` in torch.testing._internal.common_modules, which PyTorch's test_modules.py runs.
"""

from __future__ import annotations

import copy
import importlib
import io
import pickle
import re
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.nn.utils.rnn import PackedSequence

from ostinato import nn

NAMES = ("RNN", "GRU", "LSTM", "RNNCell", "GRUCell", "LSTMCell")
pytestmark = [pytest.mark.usefixtures("infos"), pytest.mark.filterwarnings("ignore")]


@cache
def database() -> Any:
    """The module with module_db, which takes two seconds to load."""
    return importlib.import_module("torch.testing._internal.common_modules")


@cache
def infos_by_name() -> dict[str, Any]:
    """The rows of module_db for recurrent networks and their cells."""
    homes = [(one, one.module_cls) for one in database().module_db]
    return {home.__name__: info for info, home in homes if home.__module__ == "torch.nn.modules.rnn"}


@pytest.fixture(name="infos")
def _infos() -> None:
    pytest.importorskip("torch.testing._internal.common_modules")
    if set(infos_by_name()) < set(NAMES):
        pytest.skip("module_db of this torch lacks a module")


class Sample(NamedTuple):
    """One input of module_db: a network of each home with the same parameters, and the arguments of a call."""

    theirs: torch.nn.Module
    ours: torch.nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def rows(name: str, *, training: bool = True, grad: bool = False, dtype: torch.dtype = torch.float64) -> list[Any]:
    info = infos_by_name()[name]
    torch.manual_seed(0)
    how = {"device": "cpu", "dtype": dtype, "requires_grad": grad, "training": training}
    return list(info.module_inputs_func(info, **how, with_packed_sequence=True))


def build(home: Any, name: str, constructor: Any, dtype: torch.dtype = torch.float64) -> torch.nn.Module:
    torch.manual_seed(1)
    made: torch.nn.Module = getattr(home, name)(*constructor.args, **constructor.kwargs)
    return made.to(dtype)


def samples(
    name: str, *, grad: bool = False, dtype: torch.dtype = torch.float64, modes: tuple[bool, ...] = (True, False)
) -> Iterator[Sample]:
    for training in modes:
        for row in rows(name, training=training, grad=grad, dtype=dtype):
            theirs, ours = (build(home, name, row.constructor_input, dtype).train(training) for home in (torch.nn, nn))
            yield Sample(theirs, ours, row.forward_input.args, row.forward_input.kwargs)


def in_turn(name: str) -> Iterator[Sample]:
    """Each row of module_db once, every other one in training."""
    both = zip(samples(name, modes=(True,)), samples(name, modes=(False,)), strict=True)
    return (pair[i % 2] for i, pair in enumerate(both))


def flat(value: Any) -> list[Tensor]:
    """All tensors of arguments or results."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, PackedSequence):
        return [value.data]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple | list) else ()
    return [t for part in parts for t in flat(part)]


def equal(one: Any, other: Any) -> None:
    assert type(one) is type(other)
    for a, b in zip(flat(one), flat(other), strict=True):
        exact = 1e-4 if a.dtype is torch.float32 else 1e-8
        torch.testing.assert_close(b, a, rtol=exact, atol=exact)


modules = pytest.mark.parametrize("name", NAMES)


def test_the_numbers_of_rows() -> None:
    """So that a torch without rows does not pass in silence."""
    assert all(len(rows(name)) >= 2 for name in NAMES)
    assert sum(len(rows(name)) for name in NAMES) >= 40


@modules
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_forward_and_backward(name: str, dtype: torch.dtype) -> None:
    for theirs, ours, args, kwargs in samples(name, grad=True, dtype=dtype):
        found = []
        for net in (theirs, ours):
            torch.manual_seed(2)
            out = net(*args, **kwargs)
            leaves = [t for t in [*flat(args), *flat(kwargs), *net.parameters()] if t.requires_grad]
            loss = torch.stack([t.square().sum() for t in flat(out)]).sum()
            found.append((out, torch.autograd.grad(loss, leaves)))
        equal(found[0][0], found[1][0])
        for a, b in zip(found[0][1], found[1][1], strict=True):
            equal(a, b)


def of_tensors(net: torch.nn.Module, args: Any, kwargs: Any) -> tuple[Callable[..., Any], list[Tensor]]:
    """A function of the tensors that have gradients, inputs and parameters, for gradcheck; and these tensors."""
    torch.manual_seed(2)
    names = [name for name, _ in net.named_parameters()]
    leaves = [t for t in [*flat(args), *flat(kwargs)] if t.requires_grad]

    def place(value: Any, new: list[Tensor]) -> Any:
        if isinstance(value, Tensor):
            return new.pop(0) if value.requires_grad else value
        if isinstance(value, PackedSequence):
            return PackedSequence(new.pop(0), *value[1:]) if value.data.requires_grad else value
        if isinstance(value, dict):
            return {k: place(v, new) for k, v in value.items()}
        return type(value)(place(v, new) for v in value) if isinstance(value, tuple | list) else value

    def function(*tensors: Tensor) -> Any:
        new = list(tensors[: len(leaves)])
        called = place(args, new), place(kwargs, new)
        weights = dict(zip(names, tensors[len(leaves) :], strict=True))
        return tuple(flat(torch.func.functional_call(net, weights, *called)))

    return function, [*leaves, *net.parameters()]


@modules
def test_gradcheck(name: str) -> None:
    for _, ours, args, kwargs in samples(name, grad=True, modes=(True,)):
        function, leaves = of_tensors(ours, args, kwargs)
        assert gradcheck(function, leaves, fast_mode=True, check_batched_grad=True)


@modules
def test_gradgradcheck(name: str) -> None:
    # every seventh row, for time: each option and form of input is among them
    for _, ours, args, kwargs in list(samples(name, grad=True, modes=(True,)))[::7]:
        function, leaves = of_tensors(ours, args, kwargs)
        assert gradgradcheck(function, leaves, fast_mode=True)


@modules
def test_non_contiguous_inputs(name: str) -> None:
    for theirs, ours, args, kwargs in in_turn(name):
        strided = [_strided(value) for value in (args, kwargs)]
        assert not all(t.is_contiguous() for t in flat(strided))
        equal(theirs(*args, **kwargs), ours(*strided[0], **strided[1]))


def _strided(value: Any) -> Any:
    if isinstance(value, Tensor):
        return torch.stack([value, torch.full_like(value, torch.nan)], -1)[..., 0]
    if isinstance(value, PackedSequence):
        return PackedSequence(_strided(value.data), *value[1:])
    if isinstance(value, dict):
        return {k: _strided(v) for k, v in value.items()}
    return type(value)(_strided(v) for v in value) if isinstance(value, tuple | list) else value


@modules
def test_state_dicts_pickles_and_copies(name: str) -> None:
    for theirs, ours, args, kwargs in in_turn(name):
        assert list(theirs.state_dict()) == list(ours.state_dict())
        file = io.BytesIO()
        torch.save(ours, file)
        file.seek(0)
        others = [copy.deepcopy(ours), pickle.loads(pickle.dumps(ours)), torch.load(file, weights_only=False)]
        torch.manual_seed(2)
        expected = ours(*args, **kwargs)
        for other in others:
            torch.manual_seed(2)
            equal(expected, other(*args, **kwargs))
        with torch.no_grad():
            for w in theirs.parameters():
                w.mul_(0.5)
        assert str(ours.load_state_dict(theirs.state_dict())) == "<All keys matched successfully>"
        torch.manual_seed(2)
        expected = theirs(*args, **kwargs)
        torch.manual_seed(2)
        equal(expected, ours(*args, **kwargs))


@modules
def test_moves_between_types_and_devices(name: str) -> None:
    for theirs, ours, args, kwargs in in_turn(name):
        for net in (theirs, ours):
            net.to(torch.float32).to("cpu").to(torch.float64)
        torch.manual_seed(2)
        expected = theirs(*args, **kwargs)
        torch.manual_seed(2)
        equal(expected, ours(*args, **kwargs))
        weights = copy.deepcopy(ours.state_dict())
        assert {w.device.type for w in ours.to("meta").parameters()} == {"meta"}
        ours.to_empty(device="cpu").load_state_dict(weights)
        torch.manual_seed(2)
        equal(expected, ours(*args, **kwargs))


@modules
def test_factory_arguments(name: str) -> None:
    for row in rows(name):
        args, kwargs = row.constructor_input.args, {**row.constructor_input.kwargs, "device": "meta"}
        for dtype in (torch.float32, torch.float64):
            found = [getattr(home, name)(*args, **kwargs, dtype=dtype) for home in (torch.nn, nn)]
            for a, b in zip(*(net.named_parameters() for net in found), strict=True):
                assert (a[0], a[1].shape, a[1].dtype, a[1].device) == (b[0], b[1].shape, b[1].dtype, b[1].device)
        skip: Any = torch.nn.utils.skip_init
        made = skip(getattr(nn, name), *args, **row.constructor_input.kwargs)
        assert {w.device.type for w in made.parameters()} == {"cpu"}


@modules
def test_error_inputs(name: str) -> None:
    info = infos_by_name()[name]
    found = 0
    for training in (True, False):
        given = info.module_error_inputs_func(
            info, device="cpu", dtype=torch.float64, requires_grad=False, training=training
        )
        for wrong in given:
            row, found = wrong.module_error_input, found + 1
            if wrong.error_on is database().ModuleErrorEnum.CONSTRUCTION_ERROR:
                with pytest.raises(wrong.error_type, match=wrong.error_regex):
                    build(nn, name, row.constructor_input)
                continue
            ours = build(nn, name, row.constructor_input).train(training)
            with pytest.raises(wrong.error_type, match=wrong.error_regex) as error:
                ours(*row.forward_input.args, **row.forward_input.kwargs)
            assert re.search(r"[Ii]nput|hidden|hx|state", str(error.value))
    assert found >= 6


@modules
def test_every_row_is_an_instance_of_torchs_class(name: str) -> None:
    with warnings.catch_warnings():
        for theirs, ours, _, _ in samples(name):
            assert isinstance(ours, type(theirs))
            assert repr(ours) == repr(theirs)
