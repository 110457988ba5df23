"""An ONNX graph that is written as arithmetic on its tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

#: A tensor of a graph, or what becomes a constant of its dtype.
Operand: TypeAlias = "Wire | float | NDArray[Any]"


@final
class Graph:
    """Nodes and constants, in the order in which they were asked for.

    Args:
        outer: The graph that this one is the body of, whose tensors it may read; None for the whole graph.
    """

    def __init__(self, outer: Graph | None = None) -> None:
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self._root: Graph = self if outer is None else outer._root
        self._numbers: Iterator[int] = count() if outer is None else outer._numbers
        self.depth: int = 0 if outer is None else outer.depth + 1
        self._known: dict[tuple[str, bytes, tuple[int, ...]], Wire] = {}

    def constant(self, array: NDArray[Any]) -> Wire:
        """Return a constant; equal arrays are stored once."""
        from onnx import numpy_helper

        array = np.asarray(array)
        root, key = self._root, (str(array.dtype), array.tobytes(), array.shape)
        if key not in root._known:
            name = f"c{next(self._numbers)}"
            root.initializers.append(numpy_helper.from_array(np.array(array, order="C"), name))
            root._known[key] = Wire(root, name, array.dtype)
        return root._known[key]

    def op(self, kind: str, *inputs: Wire, dtype: Any = None, **attributes: Any) -> Wire:
        """Return the output of a new node.

        Args:
            kind: The name of the operator in ONNX.
            inputs: Its inputs.
            dtype: The dtype of its output; None is that of the first input.
            attributes: Its attributes.
        """
        from onnx import helper

        # a node belongs to the innermost body that it reads from
        home = max((wire.graph for wire in inputs), key=lambda graph: graph.depth)
        name = f"t{next(self._numbers)}"
        home.nodes.append(helper.make_node(kind, [wire.name for wire in inputs], [name], name=name, **attributes))
        return Wire(home, name, inputs[0].dtype if dtype is None else np.dtype(dtype))

    def repeat(
        self, times: int, start: Sequence[Wire], body: Callable[[Sequence[Wire]], tuple[Sequence[Wire], Wire | None]]
    ) -> list[Wire]:
        """Return what is left after a body ran several times.

        Args:
            times: The greatest number of times.
            start: What the body first takes.
            body: A function of tensors of the body's graph that returns the next ones, and whether to go on; None
                means always.
        """
        from onnx import helper

        inner = Graph(self)
        names = [f"t{next(self._numbers)}" for _ in start]
        at, going = f"t{next(self._numbers)}", f"t{next(self._numbers)}"
        after, on = body([Wire(inner, name, wire.dtype) for name, wire in zip(names, start, strict=True)])
        if on is None:
            on = inner.op("Identity", Wire(inner, going, np.dtype(bool)))
        # an output of the body may be one of its inputs, which ONNX takes as a node's output only
        out = [inner.op("Identity", wire) for wire in after]

        def info(name: str, dtype: Any, *shape: int) -> Any:
            return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), list(shape))

        def any_shape(name: str, dtype: Any) -> Any:
            return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), None)

        graph = helper.make_graph(
            inner.nodes,
            f"body{at}",
            [info(at, np.int64), info(going, bool)]
            + [any_shape(n, w.dtype) for n, w in zip(names, start, strict=True)],
            [info(on.name, bool), *(any_shape(w.name, w.dtype) for w in out)],
        )
        results = [f"t{next(self._numbers)}" for _ in start]
        limit, true = self.constant(np.array(times, dtype=np.int64)), self.constant(np.array(True))
        self.nodes.append(
            helper.make_node(
                "Loop", [limit.name, true.name, *(w.name for w in start)], results, name=results[0], body=graph
            )
        )
        return [Wire(self, name, wire.dtype) for name, wire in zip(results, start, strict=True)]


@final
class Wire:
    """A tensor of a graph. Arithmetic on it adds nodes; numbers and arrays become constants of its dtype."""

    __array_ufunc__ = None  # NumPy leaves ``array + wire`` to this class

    def __init__(self, graph: Graph, name: str, dtype: Any) -> None:
        self.graph, self.name, self.dtype = graph, name, np.dtype(dtype)

    def const(self, value: Operand) -> Wire:
        """Return a value as a tensor of the graph of this one."""
        if isinstance(value, Wire):
            return value
        return self.graph.constant(np.asarray(value, dtype=self.dtype))

    def _two(self, kind: str, other: Operand, dtype: Any = None) -> Wire:
        right = self.const(other)
        return self.graph.op(kind, self, right, dtype=dtype)

    def _flipped(self, kind: str, other: Operand) -> Wire:
        return self.graph.op(kind, self.const(other), self)

    def __add__(self, other: Operand) -> Wire:
        return self._two("Add", other)

    __radd__ = __add__

    def __sub__(self, other: Operand) -> Wire:
        return self._two("Sub", other)

    def __rsub__(self, other: Operand) -> Wire:
        return self._flipped("Sub", other)

    def __mul__(self, other: Operand) -> Wire:
        return self._two("Mul", other)

    __rmul__ = __mul__

    def __truediv__(self, other: Operand) -> Wire:
        return self._two("Div", other)

    def __rtruediv__(self, other: Operand) -> Wire:
        return self._flipped("Div", other)

    def __matmul__(self, other: Operand) -> Wire:
        return self._two("MatMul", other)

    def __neg__(self) -> Wire:
        return self.graph.op("Neg", self)

    def __lt__(self, other: Any) -> Wire:
        return self._two("Less", other, bool)

    def __le__(self, other: Any) -> Wire:
        return self._two("LessOrEqual", other, bool)

    def __gt__(self, other: Any) -> Wire:
        return self._two("Greater", other, bool)

    def __ge__(self, other: Any) -> Wire:
        return self._two("GreaterOrEqual", other, bool)

    def __and__(self, other: Operand) -> Wire:
        return self._two("And", other)

    def __or__(self, other: Operand) -> Wire:
        return self._two("Or", other)

    def __invert__(self) -> Wire:
        return self.graph.op("Not", self)

    def equals(self, other: Operand) -> Wire:
        """Return where this tensor equals another one."""
        return self._two("Equal", other, bool)

    def cast(self, dtype: Any) -> Wire:
        """Return the tensor in another dtype."""
        from onnx import helper

        if np.dtype(dtype) == self.dtype:
            return self
        return self.graph.op("Cast", self, dtype=dtype, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def sum(self, axis: int = -1, *, keep: bool = False) -> Wire:
        """Return the sum over an axis."""
        return self.graph.op("ReduceSum", self, _axes(self, axis), keepdims=int(keep))

    def expand(self, axis: int = -1) -> Wire:
        """Return the tensor with an axis of size 1."""
        return self.graph.op("Unsqueeze", self, _axes(self, axis))

    def squeeze(self, axis: int = -1) -> Wire:
        """Return the tensor without an axis of size 1."""
        return self.graph.op("Squeeze", self, _axes(self, axis))

    def slice(self, start: int, stop: int, axis: int = -1) -> Wire:
        """Return the entries from start to before stop on an axis."""
        ends = [self.graph.constant(np.array([v], dtype=np.int64)) for v in (start, stop, axis)]
        return self.graph.op("Slice", self, *ends)

    def take(self, index: int | Sequence[int], axis: int = -1) -> Wire:
        """Return the entries at fixed places of an axis; one place removes the axis."""
        return self.graph.op("Gather", self, self.graph.constant(np.array(index, dtype=np.int64)), axis=axis)

    def reshape(self, *shape: int) -> Wire:
        """Return the entries in another shape; 0 keeps an axis."""
        return self.graph.op("Reshape", self, self.graph.constant(np.array(shape, dtype=np.int64)))

    def __getattr__(self, name: str) -> Callable[[], Wire]:
        """Return the function of each element of that name."""
        if name not in _EACH:
            raise AttributeError(name)
        kind, dtype = _EACH[name]
        return lambda: self.graph.op(kind, self, dtype=dtype)


#: The functions of each element: the name of the operator, and the dtype of its output.
_EACH: dict[str, tuple[str, Any]] = {
    "exp": ("Exp", None),
    "log": ("Log", None),
    "sqrt": ("Sqrt", None),
    "abs": ("Abs", None),
    "tanh": ("Tanh", None),
    "relu": ("Relu", None),
    "sigmoid": ("Sigmoid", None),
    "asinh": ("Asinh", None),
    "round": ("Round", None),
    "floor": ("Floor", None),
    "ceil": ("Ceil", None),
    "is_nan": ("IsNaN", bool),
}


def lookup(table: NDArray[Any], index: Wire) -> Wire:
    """Return the rows of a constant table at an index (...)."""
    held = index.graph.constant(table)
    return index.graph.op("Gather", held, index, axis=0)


def where(condition: Wire, a: Operand, b: Operand) -> Wire:
    """Return a where the condition holds, and b elsewhere; one of them is a tensor."""
    like = a if isinstance(a, Wire) else b
    assert isinstance(like, Wire)
    first, second = like.const(a), like.const(b)
    return like.graph.op("Where", condition, first, second, dtype=like.dtype)


def maximum(a: Wire, b: Operand) -> Wire:
    """Return the greater of two tensors, element by element."""
    return a._two("Max", b)


def minimum(a: Wire, b: Operand) -> Wire:
    """Return the lesser of two tensors, element by element."""
    return a._two("Min", b)


def clip(a: Wire, low: float, high: float) -> Wire:
    """Return a tensor between two numbers."""
    return minimum(maximum(a, low), high)


def concat(parts: Sequence[Wire], axis: int = -1) -> Wire:
    """Return tensors joined along an axis."""
    return parts[0] if len(parts) == 1 else parts[0].graph.op("Concat", *parts, axis=axis)


def any_of(flags: Wire) -> Wire:
    """Return whether any flag of a tensor is set, a scalar."""
    return flags.graph.op("ReduceMax", flags.cast(np.float32), keepdims=0) > 0.5


def softplus(x: Wire) -> Wire:
    """Return log(1 + exp(x)) without overflow."""
    return maximum(x, 0.0) + (1.0 + (-x.abs()).exp()).log()


def log_sigmoid(x: Wire) -> Wire:
    """Return log(1 / (1 + exp(-x)))."""
    return -softplus(-x)


def logsumexp(x: Wire) -> Wire:
    """Return log sum exp over the last axis."""
    top = x.graph.op("ReduceMax", x, keepdims=1, axes=[-1])
    # minus infinity everywhere would give NaN
    top = maximum(top, -1e300)
    return (x - top).exp().sum(-1).log() + top.squeeze(-1)


def _axes(like: Wire, axis: int) -> Wire:
    return like.graph.constant(np.array([axis], dtype=np.int64))
