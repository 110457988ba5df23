"""torch.compile on the networks: by default its tracer passes over subclasses of torch.nn.RNN, GRU and LSTM.

The tracer, torch._dynamo, breaks the graph at every instance of these classes, because to trace their time loop takes
long. Its switch ``config.allow_rnn`` lets all of them in. Here it lets in our networks alone, whose time loop is one
operator.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from ostinato.nn.base import RecurrentNetwork
from ostinato.nn.traced import engine_cell
from ostinato.ops.cuda import operator

_BUILDER = "torch._dynamo.variables.builder"


def admit(builder: Any) -> None:
    """Let the tracer take our networks.

    Args:
        builder: The module torch._dynamo.variables.builder. If it has changed, nothing is done: torch.compile then runs
            the networks between two graphs, and gives the same results.
    """
    from torch._dynamo import config

    # as torch.compiler.assume_constant_result does, which cannot be imported during the import of the tracer
    for asked in (operator.compiled, engine_cell):
        vars(asked)["_dynamo_marked_constant"] = True
    wrap = getattr(getattr(builder, "VariableBuilder", None), "wrap_module", None)
    if wrap is None or not hasattr(config, "allow_rnn"):
        return

    def wrap_module(self: Any, value: Any) -> Any:
        if not isinstance(value, RecurrentNetwork):
            return wrap(self, value)
        with config.patch(allow_rnn=True):
            return wrap(self, value)

    builder.VariableBuilder.wrap_module = wrap_module


class _Awaited(MetaPathFinder):
    """Calls admit when the tracer is imported, which takes a second and which many programs never do."""

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return how to import the tracer, with admit at the end; None for every other module."""
        if name != _BUILDER:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                admit(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def admit_when_imported() -> None:
    """Let the tracer take our networks, now or as soon as it is imported."""
    if _BUILDER in sys.modules:
        admit(sys.modules[_BUILDER])
    else:
        sys.meta_path.insert(0, _Awaited())
