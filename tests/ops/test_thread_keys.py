"""The engine reads the dispatch keys of a thread where torch keeps them: they are those that torch tells."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from ostinato.ops.engine import extension
from ostinato.ops.engine.gate import inference_keys

if extension.ABSENT:
    pytest.skip(extension.ABSENT, allow_module_level=True)

from ostinato.ops.engine import _engine

if inference_keys() is None:
    pytest.skip("this torch does not keep the keys of a thread where the engine reads them", allow_module_level=True)


Mode = Callable[[], AbstractContextManager[Any]]
#: The states of a thread, and whether kernels may take the addresses of plain tensors in it.
STATES: dict[str, tuple[Mode, bool]] = {
    "plain": (nullcontext, True),
    "no_grad": (torch.no_grad, True),
    "inference": (torch.inference_mode, True),
    "autocast": (lambda: torch.autocast("cpu"), False),
    "autocast that is off": (lambda: torch.autocast("cpu", enabled=False), True),
    "fake tensors, a dispatch mode": (FakeTensorMode, False),
    "forward mode": (torch.autograd.forward_ad.dual_level, False),
    "function mode": (lambda: torch.device("cpu"), False),
    "autograd below": (torch._C._AutoDispatchBelowAutograd, False),
}


def told() -> int:
    """Return the keys that torch says are included in this thread, as bits."""
    bits: int = torch._C._dispatch_tls_local_include_set().raw_repr()
    return bits


def gate() -> int:
    """Return what the gate says of a plain tensor."""
    with torch.inference_mode(False):
        x = torch.zeros(2, device="cpu")
    return _engine.gate((x,), (None, None, None))


USUAL = told()


@pytest.mark.parametrize("state", STATES)
def test_the_keys_are_those_that_torch_tells(state: str) -> None:
    make, passes = STATES[state]
    plain = torch.zeros(2)
    with make():
        keys = _engine.keys_of_thread()
        assert keys is not None
        assert keys[0] == told() ^ USUAL
        assert bool(_engine.gate((plain,), (None, None, None))) is passes
    assert _engine.keys_of_thread() == (0, 0)
    assert gate()


def test_each_thread_has_its_own() -> None:
    with torch.inference_mode(), ThreadPoolExecutor(1) as pool:
        assert pool.submit(_engine.keys_of_thread).result() == (0, 0)
        assert pool.submit(gate).result()
        assert _engine.keys_of_thread() == inference_keys()


def test_a_transform_is_seen() -> None:
    seen = []

    def look(x: torch.Tensor) -> torch.Tensor:
        seen.append((_engine.keys_of_thread() != (0, 0), gate()))
        return x

    torch.func.vmap(look)(torch.zeros(3))
    torch.func.grad(lambda x: look(x).sum())(torch.zeros(3))
    assert seen == [(True, 0)] * 2
