"""The settings of the caller that would change results, and the usual ones in their place while a verb runs.

A program may compute in float64 by default, on another default device, without gradients, under autocast, or with
NumPy's and decimal's errors raised. None of that is meant for a verb, whose results would differ or which would fail
within. So each verb runs with the usual settings, and those of the caller hold again afterwards.
"""

from __future__ import annotations

import decimal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from inspect import signature
from threading import Lock
from typing import Any, ParamSpec, TypeVar

import numpy as np

from ostinato.choices import advice

P = ParamSpec("P")
R = TypeVar("R")

#: What NumPy does about each kind of error if nobody asks for anything else.
_ERRORS = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
_lock = Lock()
#: How many verbs run with another default type than the caller's, which torch has once for a process, and that type.
_types: dict[str, Any] = {"running": 0, "earlier": None}


def undisturbed(verb: Callable[P, R]) -> Callable[P, R]:
    """Run a verb with the usual settings, and say which argument was meant if it has none of a name that is given."""
    parameters = signature(verb).parameters
    known = None if any(p.kind is p.VAR_KEYWORD for p in parameters.values()) else frozenset(parameters)

    @wraps(verb)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if known is not None and not known.issuperset(kwargs):
            raise _no_argument(verb.__qualname__, next(name for name in kwargs if name not in known), list(parameters))
        if are_usual():
            return verb(*args, **kwargs)
        with usual_settings():
            return verb(*args, **kwargs)

    return run


def _no_argument(verb: str, given: str, names: list[str]) -> TypeError:
    """Return the error about a keyword that a verb does not have, in the words of Python and with what to do."""
    do = advice(given, [name for name in names if name != "self"])
    if "data" in names:
        do += "; options of a file, such as target, are given to read: data = read(path, target=...)"
    return TypeError(f"{verb}() got an unexpected keyword argument {given!r}\nfix: {do}")


def are_usual() -> bool:
    """Return whether the settings are the usual ones, which most calls find; it takes about a microsecond."""
    context = decimal.getcontext()
    if context.prec < 28 or context.traps[decimal.Inexact] or np.geterr() != _ERRORS:
        return False
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "get_default_device"):  # torch is still being loaded, or not there
        return True
    with _lock:  # the usual type may hold only as long as a verb in another thread, which ends between two questions
        lasting = not _types["running"] and torch.get_default_dtype() == torch.float32
    return bool(
        lasting
        and torch.is_grad_enabled()
        and not torch.is_inference_mode_enabled()
        and not torch.is_autocast_enabled("cpu")
        and not torch.is_autocast_enabled("cuda")
        and not torch._C._len_torch_function_stack()
    )


@contextmanager
def usual_settings() -> Iterator[None]:
    """Compute with the usual settings of torch, NumPy and decimal, and put those of the caller back at the end."""
    torch = sys.modules.get("torch")
    with ExitStack() as stack:
        stack.enter_context(np.errstate(**_ERRORS))  # type: ignore[arg-type]
        stack.enter_context(decimal.localcontext(decimal.DefaultContext))
        if torch is not None:
            stack.enter_context(_usual_type(torch))
            stack.enter_context(torch.inference_mode(mode=False))
            stack.enter_context(torch.enable_grad())
            for kind in ("cpu", "cuda"):
                if torch.is_autocast_enabled(kind):
                    stack.enter_context(torch.autocast(kind, enabled=False))
            if torch._C._len_torch_function_stack():
                stack.enter_context(torch.device("cpu"))
        yield


@contextmanager
def _usual_type(torch: Any) -> Iterator[None]:
    """Let torch make tensors in float32. The last of the verbs that run at once puts the type of the caller back."""
    with _lock:
        now = torch.get_default_dtype()
        changes = _types["running"] > 0 or now != torch.float32
        if changes:
            if not _types["running"]:
                _types["earlier"] = now
            _types["running"] += 1
            torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        if changes:
            with _lock:
                _types["running"] -= 1
                if not _types["running"]:
                    torch.set_default_dtype(_types["earlier"])
