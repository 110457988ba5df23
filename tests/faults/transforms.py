"""Every way in which torch wraps, defers, traces or transforms a function of a tensor, and the functions for them."""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import io
import mmap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, func
from torch._subclasses import FakeTensorMode
from torch.autograd import forward_ad as fw
from torch.autograd import functional
from torch.fx.experimental.proxy_tensor import make_fx
from torch.overrides import TorchFunctionMode
from torch.testing._internal.two_tensor import TwoTensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint

import ostinato.nn
from ostinato.ops.selection import IMPLEMENTATIONS

Function = Callable[[Tensor], Tensor]
T, B, D, H = 4, 2, 2, 3


@dataclass(frozen=True)
class Subject:
    """A recurrence as a function of its input alone, ours and the one that gives the right value.

    Attributes:
        name: Its name.
        ours: Our function.
        theirs: The function in operators of torch.
        x: An input.
    """

    name: str
    ours: Function
    theirs: Function
    x: Tensor


def pair(name: str, *sizes: int, **options: Any) -> tuple[Any, Any]:
    """Return our module and the one of torch.nn, in float64, with the same weights."""
    torch.manual_seed(1)
    theirs = getattr(torch.nn, name)(*(sizes or (D, H)), **options).double()
    ours = getattr(ostinato.nn, name)(*(sizes or (D, H)), **options).double()
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def sample(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def joined(module: Any, x: Tensor) -> Tensor:
    """All results of a module in one vector."""
    return torch.cat([t.flatten() for t in torch.utils._pytree.tree_leaves(module(x))])


def _ours_linear(a: Tensor, run: Callable[..., Any], u: Tensor) -> Tensor:
    h: Tensor = run(u, (u.new_zeros(B, D),), a)[0]
    return h


def _linear(a: Tensor, u: Tensor) -> Tensor:
    """The diagonal linear recurrence from zero, by a product with the powers of its coefficients."""
    steps = torch.arange(len(u))
    distance = (steps[:, None] - steps).clamp(min=0)
    kernel = torch.where((steps[:, None] >= steps)[..., None], a ** distance[..., None], 0)
    return torch.einsum("tsh,sbh->tbh", kernel.to(u.dtype), u)


def subjects() -> Iterator[Subject]:
    """The six modules, the linear recurrence by both of its implementations, and the convolution."""
    for name in ("RNN", "GRU", "LSTM"):
        ours, theirs = pair(name)
        yield Subject(name, partial(joined, ours), partial(joined, theirs), sample(T, B, D))
        ours, theirs = pair(f"{name}Cell")
        yield Subject(f"{name}Cell", partial(joined, ours), partial(joined, theirs), sample(B, D))
    ours, theirs = pair("GRU", num_layers=2, bidirectional=True, bias=False)
    yield Subject("deep GRU", partial(joined, ours), partial(joined, theirs), sample(T, B, D))
    a = torch.tensor([0.9, -0.5], dtype=torch.float64)
    for name in ("native", "scan"):
        ours = partial(_ours_linear, a, IMPLEMENTATIONS["linear"][name])
        yield Subject(f"linear recurrence ({name})", ours, partial(_linear, a), sample(T, B, D))
    weight, bias = sample(H, D, 2), sample(H)

    def convolution(x: Tensor) -> Tensor:
        y: Tensor = IMPLEMENTATIONS["conv"]["aten"](x, (x.new_zeros(B, 2, D),), weight, bias, 2)[0]
        return y

    def padded(x: Tensor) -> Tensor:
        past = torch.cat([x.new_zeros(2, B, D), x]).permute(1, 2, 0)
        return torch.nn.functional.conv1d(past, weight, bias, dilation=2).permute(2, 0, 1)

    yield Subject("convolution", convolution, padded, sample(T, B, D))


def loss(f: Function) -> Callable[[Tensor], Tensor]:
    return lambda x: f(x).square().sum()


def moved(x: Tensor) -> Tensor:
    """A direction for derivatives."""
    return torch.cos(torch.arange(x.numel(), dtype=torch.float64)).view(x.shape)


def several(x: Tensor) -> Tensor:
    """Three inputs, stacked."""
    return torch.stack([x, -x, 2 * x])


# -------------------------------------------------------------------------------- torch.func


def linearized(f: Function, x: Tensor) -> Any:
    y, push, *_ = func.linearize(f, x)
    return y, push(moved(x))


def pulled(f: Function, x: Tensor) -> Any:
    y, pull, *_ = func.vjp(f, x)
    return y, pull(moved(y))


TRANSFORMS: dict[str, Callable[[Function, Tensor], Any]] = {
    "grad": lambda f, x: func.grad(loss(f))(x),
    "grad_and_value": lambda f, x: func.grad_and_value(loss(f))(x),
    "vjp": pulled,
    "jvp": lambda f, x: func.jvp(f, (x,), (moved(x),)),
    "jacrev": lambda f, x: func.jacrev(f)(x),
    "jacrev in chunks": lambda f, x: func.jacrev(f, chunk_size=2)(x),
    "jacfwd": lambda f, x: func.jacfwd(f)(x),
    "hessian": lambda f, x: func.hessian(loss(f))(x),
    "jacrev of jacrev": lambda f, x: func.jacrev(func.jacrev(loss(f)))(x),
    "jacrev of jacfwd": lambda f, x: func.jacrev(func.jacfwd(loss(f)))(x),
    "linearize": linearized,
    "vmap": lambda f, x: func.vmap(f)(several(x)),
    "vmap over the last axis": lambda f, x: func.vmap(f, in_dims=-1, out_dims=1)(several(x).movedim(0, -1)),
    "vmap of vmap": lambda f, x: func.vmap(func.vmap(f))(several(x)[None]),
    "vmap of grad": lambda f, x: func.vmap(func.grad(loss(f)))(several(x)),
    "grad of vmap": lambda f, x: func.grad(lambda s: func.vmap(f)(s).square().sum())(several(x)),
    "vmap of jvp": lambda f, x: func.vmap(lambda s: func.jvp(f, (s,), (s,))[1])(several(x)),
    "jvp of grad": lambda f, x: func.jvp(func.grad(loss(f)), (x,), (moved(x),)),
    "grad of jvp": lambda f, x: func.grad(lambda s: func.jvp(loss(f), (s,), (moved(x),))[1])(x),
    "grad of what needs no gradient": lambda f, x: func.grad(lambda s: (s * f(x).sum()).sum())(x),
    "functionalize": lambda f, x: func.functionalize(f)(x),
    "functionalize of grad": lambda f, x: func.functionalize(func.grad(loss(f)))(x),
    "make_fx": lambda f, x: make_fx(f)(x)(x),
    "make_fx of grad": lambda f, x: make_fx(func.grad(loss(f)))(x)(x),
    "make_fx of vmap": lambda f, x: make_fx(func.vmap(f))(several(x))(several(x)),
    "make_fx with symbols": lambda f, x: make_fx(f, tracing_mode="symbolic", _allow_non_fake_inputs=True)(x)(x),
    "make_fx with fakes": lambda f, x: make_fx(f, tracing_mode="fake", _allow_non_fake_inputs=True)(x)(x),
    "grad of a graph of make_fx": lambda f, x: func.grad(loss(make_fx(f)(x)))(x),
    "jvp of a graph of make_fx": lambda f, x: func.jvp(make_fx(f)(x), (x,), (moved(x),)),
    "vmap of a graph of make_fx": lambda f, x: func.vmap(make_fx(f)(x))(several(x)),
}


# -------------------------------------------------------------------------------- torch.autograd


def batched_gradients(f: Function, x: Tensor) -> Any:
    leaf = x.clone().requires_grad_()
    y = f(leaf)
    return torch.autograd.grad(y, leaf, torch.stack([moved(y), y.detach()]), is_grads_batched=True)


def mapped_gradients(f: Function, x: Tensor) -> Any:
    leaf = x.clone().requires_grad_()
    y = f(leaf)
    return func.vmap(lambda v: torch.autograd.grad(y, leaf, v, retain_graph=True))(torch.stack([moved(y), y.detach()]))


def tangent(f: Function, x: Tensor) -> Any:
    with fw.dual_level():
        return fw.unpack_dual(f(fw.make_dual(x, moved(x)))).tangent


def tangent_without_grad(f: Function, x: Tensor) -> Any:
    with torch.no_grad():
        return tangent(f, x)


def tangent_of_gradient(f: Function, x: Tensor) -> Any:
    leaf = x.clone().requires_grad_()
    with fw.dual_level():
        return fw.unpack_dual(*torch.autograd.grad(loss(f)(fw.make_dual(leaf, moved(x))), leaf)).tangent


def tangent_of_output_gradient(f: Function, x: Tensor) -> Any:
    leaf = x.clone().requires_grad_()
    y = f(leaf)
    with fw.dual_level():
        g = fw.make_dual(torch.ones_like(y), moved(y))
        return fw.unpack_dual(*torch.autograd.grad(y, leaf, g)).tangent


def third(f: Function, x: Tensor) -> Any:
    leaf = x.clone().requires_grad_()
    found = [f(leaf).pow(3).sum()]
    for _ in range(3):
        found.append(torch.autograd.grad(found[-1], leaf, create_graph=True)[0].square().sum())
    return torch.stack(found)


def twice(f: Function, x: Tensor) -> Any:
    leaf = x.clone().requires_grad_()
    y = loss(f)(leaf)
    return [torch.autograd.grad(y, leaf, retain_graph=True) for _ in range(2)]


def dependent(f: Function, x: Tensor) -> Any:
    """A second derivative with an input that depends on the leaf."""
    leaf = x.clone().requires_grad_()
    (g,) = torch.autograd.grad(loss(f)(leaf * leaf.sum()), leaf, create_graph=True)
    return torch.autograd.grad(g.square().sum(), leaf)


def only_some(f: Function, x: Tensor) -> Any:
    """A gradient that reaches one number of the outputs alone."""
    leaf = x.clone().requires_grad_()
    return torch.autograd.grad(f(leaf)[-1].flatten()[0], leaf)


def gradient(f: Function, x: Tensor) -> Any:
    leaf = x.detach().clone().requires_grad_()
    y = f(leaf)
    return y, torch.autograd.grad(y.square().sum(), leaf)


TRANSFORMS |= {
    "is_grads_batched": batched_gradients,
    "vmap of autograd.grad": mapped_gradients,
    "jacobian": functional.jacobian,
    "jacobian vectorize": lambda f, x: functional.jacobian(f, x, vectorize=True),
    "jacobian create_graph": lambda f, x: functional.jacobian(f, x, vectorize=True, create_graph=True),
    "jacobian forward-mode": lambda f, x: functional.jacobian(f, x, vectorize=True, strategy="forward-mode"),
    "hessian vectorize": lambda f, x: functional.hessian(loss(f), x, vectorize=True),
    "hessian forward-mode": lambda f, x: functional.hessian(
        loss(f), x, vectorize=True, outer_jacobian_strategy="forward-mode"
    ),
    "functional.jvp": lambda f, x: functional.jvp(f, x, moved(x)),
    "functional.vjp": lambda f, x: functional.vjp(loss(f), x),
    "functional.hvp": lambda f, x: functional.hvp(loss(f), x, moved(x)),
    "functional.vhp": lambda f, x: functional.vhp(loss(f), x, moved(x)),
    "dual_level": tangent,
    "dual_level under no_grad": tangent_without_grad,
    "dual_level around a gradient": tangent_of_gradient,
    "dual output gradient": tangent_of_output_gradient,
    "three derivatives": third,
    "retain_graph": twice,
    "second derivative of a dependent input": dependent,
    "gradient of one number": only_some,
}


# -------------------------------------------------------------------------------- tensors whose bytes are elsewhere


class Named(Tensor):
    """A subclass that changes nothing."""


class Counting(TorchFunctionMode):
    """A mode that sees every function of torch."""

    def __torch_function__(self, f: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return f(*args, **(kwargs or {}))


class Watching(TorchDispatchMode):
    """A mode that sees every operator."""

    def __torch_dispatch__(self, f: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return f(*args, **(kwargs or {}))


def under(manager: Callable[[], Any]) -> Callable[[Function, Tensor], Any]:
    def run(f: Function, x: Tensor) -> Any:
        with manager():
            return gradient(f, x)

    return run


def reentrant(f: Function, x: Tensor) -> Any:
    leaf = x.detach().clone().requires_grad_()
    y = checkpoint(f, leaf, use_reentrant=True)
    y.square().sum().backward()
    return y, leaf.grad


def with_input(change: Callable[[Tensor], Tensor]) -> Callable[[Function, Tensor], Any]:
    def run(f: Function, x: Tensor) -> Any:
        given = change(x)
        return f(given).as_subclass(Tensor), func.grad(loss(f))(given.detach().as_subclass(Tensor))

    return run


def read_only(x: Tensor) -> Tensor:
    array = x.numpy().copy()
    array.flags.writeable = False
    return torch.from_numpy(array)


def mapped_memory(x: Tensor) -> Tensor:
    memory = mmap.mmap(-1, x.nbytes)
    memory[:] = x.numpy().tobytes()
    return torch.frombuffer(memory, dtype=x.dtype).view(x.shape)


def strided(x: Tensor) -> Tensor:
    return torch.stack([x, 0 * x], -1)[..., 0]


def dead_level(x: Tensor) -> Tensor:
    """A tensor of a level of torch.func that has ended."""
    kept: list[Tensor] = []

    def keep(s: Tensor) -> Tensor:
        kept.append(s * 1)
        return s.sum()

    func.grad(keep)(x)
    return kept[0]


def fake_shapes(f: Function, x: Tensor) -> Any:
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        shape = f(mode.from_tensor(x)).shape
    return torch.tensor(shape)


def two_tensors(f: Function, x: Tensor) -> Any:
    y: Any = f(TwoTensor(x.clone(), 2 * x))
    return y.a, y.b


def with_tensors_of_inference(f: Function, x: Tensor) -> Any:
    with torch.inference_mode():
        given, y = x * 1, f(x)
    with torch.no_grad():
        return y.clone(), f(given)


def packed_to_disk(f: Function, x: Tensor) -> Any:
    seen = []

    def pack(t: Tensor) -> Any:
        seen.append(t)
        return t.detach().numpy().copy()

    with torch.autograd.graph.saved_tensors_hooks(pack, torch.from_numpy):
        y, g = gradient(f, x)
    assert seen
    return y, g


TRANSFORMS |= {
    "expanded input": with_input(lambda x: x[:1].expand(len(x), *x.shape[1:])),
    "strided input": with_input(strided),
    "flipped input": with_input(lambda x: x.flip(0).transpose(0, 1).contiguous().transpose(0, 1)),
    "lazily negated input": with_input(torch._neg_view),
    "imaginary part of a conjugate": with_input(lambda x: torch.complex(x, x).conj().imag),
    "efficient zero tensor": with_input(lambda x: torch._efficientzerotensor(x.shape, dtype=x.dtype)),
    "read-only array": with_input(read_only),
    "mapped memory": with_input(mapped_memory),
    "shared memory": with_input(lambda x: x.clone().share_memory_()),
    "copy on write": with_input(lambda x: x._lazy_clone()),
    "a parameter as input": with_input(torch.nn.Parameter),
    "a subclass with __torch_function__": with_input(lambda x: x.clone().as_subclass(Named)),
    "a tensor of a level that has ended": with_input(dead_level),
    "a wrapper with __torch_dispatch__": two_tensors,
    "fake tensors": fake_shapes,
    "tensors of inference_mode": with_tensors_of_inference,
    "a function mode": under(Counting),
    "a dispatch mode": under(Watching),
    "default device meta": under(lambda: torch.device("meta")),
    "anomaly mode": under(torch.autograd.detect_anomaly),
    "allow_mutation_on_saved_tensors": under(torch.autograd.graph.allow_mutation_on_saved_tensors),
    "saved tensors on the CPU": under(torch.autograd.graph.save_on_cpu),
    "saved tensors packed": packed_to_disk,
    "checkpoint": lambda f, x: gradient(lambda s: checkpoint(f, s, use_reentrant=False), x),
    "reentrant checkpoint": reentrant,
}


# -------------------------------------------------------------------------------- tracers


class Whole(torch.nn.Module):
    """A function as a module."""

    def __init__(self, f: Function) -> None:
        super().__init__()
        self.f = f
        # a trace holds the weights of registered modules only
        self.parts = torch.nn.ModuleList(a for a in getattr(f, "args", ()) if isinstance(a, torch.nn.Module))

    def forward(self, x: Tensor) -> Tensor:
        return self.f(x)


def traced(f: Function, x: Tensor) -> Any:
    graph = torch.jit.trace(Whole(f), x, check_trace=False)
    return graph(x), gradient(graph, 2 * x)


def saved_and_loaded(f: Function, x: Tensor) -> Any:
    file = io.BytesIO()
    torch.jit.save(torch.jit.trace(Whole(f), x, check_trace=False), file)
    file.seek(0)
    return gradient(torch.jit.load(file), -x)


def exported(f: Function, x: Tensor) -> Any:
    graph = torch.export.export(Whole(f), (x,), strict=False).module()
    return graph(x), func.jvp(graph, (x,), (moved(x),))


def compiled(f: Function, backend: str = "aot_eager") -> Function:
    torch.compiler.reset()
    run: Function = torch.compile(f, backend=backend, fullgraph=True)
    return run


TRACERS: dict[str, Callable[[Function, Tensor], Any]] = {
    "jit.trace": traced,
    "jit.trace, saved and loaded": saved_and_loaded,
    "export, then jvp": exported,
    "compile": lambda f, x: gradient(compiled(f), x),
    "compile of grad": lambda f, x: compiled(func.grad(loss(f)), "eager")(x),
    "compile of vmap": lambda f, x: compiled(func.vmap(f), "eager")(several(x)),
    "compile of jvp": lambda f, x: compiled(lambda s: func.jvp(f, (s,), (moved(x),))[1], "eager")(x),
}


def each(g: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """A function for each of several inputs, one after the other."""
    return lambda xs: torch.stack([g(x) for x in xs])


#: The right values where torch.nn has none, because it has no rule for this transform: by what the transform means.
MEANINGS: dict[str, Callable[[Function, Tensor], Any]] = {
    "linearize": lambda f, x: func.jvp(f, (x,), (moved(x),)),
    "vmap": lambda f, x: each(f)(several(x)),
    "vmap over the last axis": lambda f, x: each(f)(several(x)).movedim(0, 1),
    "vmap of vmap": lambda f, x: each(f)(several(x))[None],
    "vmap of grad": lambda f, x: each(func.grad(loss(f)))(several(x)),
    "grad of vmap": lambda f, x: func.grad(lambda s: each(f)(s).square().sum())(several(x)),
    "vmap of jvp": lambda f, x: each(lambda s: func.jvp(f, (s,), (s,))[1])(several(x)),
    "make_fx of vmap": lambda f, x: each(f)(several(x)),
    "vmap of a graph of make_fx": lambda f, x: each(f)(several(x)),
    "jacobian forward-mode": functional.jacobian,
    "hessian forward-mode": lambda f, x: functional.hessian(loss(f), x),
    "a wrapper with __torch_dispatch__": lambda f, x: (f(x), f(2 * x)),
    "default device meta": gradient,
    "compile": gradient,
    "compile of grad": lambda f, x: func.grad(loss(f))(x),
    "compile of vmap": lambda f, x: each(f)(several(x)),
    "compile of jvp": lambda f, x: func.jvp(f, (x,), (moved(x),))[1],
}


def arrays(value: Any) -> list[np.ndarray]:
    """All tensors of a result as arrays."""
    leaves = torch.utils._pytree.tree_leaves(value)
    return [np.asarray(t.detach().resolve_neg().resolve_conj()) for t in leaves]
