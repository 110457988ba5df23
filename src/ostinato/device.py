"""Where a model computes: one decision for each verb, on the CPU or on a GPU.

Every verb has the option ``device``. A verb computes with a copy of its model on that device and leaves the model where
it was, so several verbs may use one model at the same time.
"""

from __future__ import annotations

import copy
import logging
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from threading import local
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, final

from ostinato.choices import unknown
from ostinato.errors import ConfigError
from ostinato.hardware import checked, devices, in_words

if TYPE_CHECKING:
    from torch import nn

#: "auto", "cpu", "cuda", "cuda:1", "mps": a name of torch, or the decision by a timed step.
Device = str

#: Seconds of work on the CPU below which "auto" does not start a GPU: to start one takes a second or two.
WORTH = 5.0
#: Runs before a step is timed on a GPU, where the first ones load and choose kernels; and runs that are timed.
WARM, TIMED = 3, 3

#: The log that receives every decision by "auto", with its reason.
log = logging.getLogger("ostinato.device")

P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M", bound="nn.Module")


@final
@dataclass(frozen=True)
class Decision:
    """The device of one model in one verb.

    Attributes:
        device: The name of the device, such as "cpu" or "cuda:0".
        why: The reason, as a clause.
        considered: Whether a GPU was considered, so that the user is told.
    """

    device: str
    why: str
    considered: bool = True

    def __str__(self) -> str:
        """Return the device and the reason in one line."""
        return f"{self.device}: {self.why}"


@final
@dataclass(frozen=True)
class _Scope:
    """A verb that runs: its device, and the copies of models on other devices, which end with it."""

    device: str
    copies: dict[tuple[int, str], tuple[Any, Any]] = field(default_factory=dict)


class _PerThread(local):
    """What each thread of Python has of its own: the verbs that run in it, the innermost last."""

    def __init__(self) -> None:
        self.scopes: list[_Scope] = []


_thread = _PerThread()


def in_bf16(precision: str) -> bool:
    """Return whether products are computed in bfloat16: for "bf16", on a GPU.

    Args:
        precision: "float32" or "bf16".

    Raises:
        ConfigError: The precision is unknown, or the device of the verb does not compute with it.
    """
    if precision == "float32":
        return False
    if precision != "bf16":
        raise unknown("precision", precision, ("float32", "bf16"), "use float32 or bf16")
    name = asked()
    cards = [d for d in devices() if d.startswith("cuda")]
    if name == "auto" and cards:
        return True
    if not name.startswith("cuda"):
        here = "this machine has no CUDA GPU" if name == "auto" else f"the device is {name}"
        raise ConfigError(
            f"bf16 speeds up only products on a CUDA GPU, and {here}",
            fix="remove the precision, or use a CUDA device",
        )
    return True


@contextmanager
def computing_on(device: Any = "auto") -> Iterator[str]:
    """Let the models of a verb compute on a device.

    Inside another ``computing_on`` of the same thread, "auto" keeps the device of the outer one.

    Args:
        device: A name, a torch.device, or "auto".

    Yields:
        The full name of the device, or "auto".

    Raises:
        ConfigError: The name is unknown, this machine has no such device, or the device lacks a type of number.
    """
    outer, name = _thread.scopes[-1] if _thread.scopes else None, checked(device)
    if outer is not None and name in ("auto", outer.device):
        yield outer.device
        return
    _thread.scopes.append(_Scope(name))
    if name.startswith("cuda"):
        # the layers hold their weights apart, as their names say, so the user can do nothing about the warning of cuDNN
        warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous chunk")
    try:
        yield name
    except (TypeError, RuntimeError) as error:
        if name == "mps" and "float64" in str(error):
            what = "this model needs float64 for its probabilities, which mps does not have"
            raise ConfigError(what, fix="use the device cpu") from error
        raise
    finally:
        _thread.scopes.pop()


def on_device(verb: Callable[P, R]) -> Callable[P, R]:
    """Run a verb on the device of its keyword ``device``, which is "auto" by default."""

    @wraps(verb)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with computing_on(kwargs.get("device", "auto")):
            return verb(*args, **kwargs)

    return run


def asked() -> str:
    """Return the device of the verb that runs in this thread, or "auto"."""
    return _thread.scopes[-1].device if _thread.scopes else "auto"


def decide(home: Any, step: Callable[[str], Callable[[], Any]] | None = None, count: float = 1.0) -> Decision:
    """Return where a model computes in the verb that runs.

    With "auto" a model on a GPU stays there. A model on the CPU moves to the first CUDA GPU if one step of the work
    is faster there and the whole would take some seconds on the CPU.

    Args:
        home: The torch.device of the model.
        step: Takes a device and returns a function that runs one step of the work there. None leaves the model.
        count: The number of steps of the whole work, roughly.
    """
    name = asked()
    if name != "auto":
        return Decision(name, "the device that was given", name != "cpu")
    if home.type != "cpu":
        return Decision(str(home), "the model is there")
    cards = [d for d in devices() if d.startswith("cuda")]
    if not cards or step is None:
        return Decision(
            "cpu", "auto; there is no CUDA GPU" if not cards else "auto; the model is there", considered=False
        )
    here = _timed(step("cpu"))
    if here * count < WORTH:
        return Decision(
            "cpu", f"auto; the work takes less than {WORTH:g} s there, which needs no GPU", considered=False
        )
    try:
        there = _timed(step(cards[0]), cards[0])
    except RuntimeError as error:  # no memory, or no kernel: the CPU has both
        found = Decision("cpu", f"auto; {cards[0]} failed at a first step: {str(error).splitlines()[0]}")
    else:
        times = f"a step took {1e3 * here:.3g} ms on the CPU and {1e3 * there:.3g} ms on {in_words(cards[0])}"
        found = Decision(cards[0] if there < here else "cpu", f"auto; {times}")
    log.info("%s", found)
    return found


def _timed(run: Callable[[], Any], device: str = "cpu") -> float:
    """Return the seconds of a step: the least of several runs, because other work only adds to a time."""
    import torch

    card = device.startswith("cuda")
    best = float("inf")
    for i in range((WARM if card else 1) + TIMED):
        begun = time.perf_counter()
        run()
        if card:
            torch.cuda.synchronize(device)
        if i >= (WARM if card else 1):
            best = min(best, time.perf_counter() - begun)
        if not card and i == 0 and time.perf_counter() - begun > 1.0:
            return time.perf_counter() - begun  # long enough to be exact
    return best


def copy_on(model: M, device: str) -> M:
    """Return a model if it is on a device, and otherwise a copy there, which lasts as long as the outermost verb.

    Args:
        model: A module.
        device: The name of the device.
    """
    import torch

    home = next(model.parameters()).device
    if home == torch.device(device):
        return model
    copies = _thread.scopes[0].copies if _thread.scopes else {}
    if (id(model), device) not in copies:
        # outside of inference mode, because the copy may be differentiated
        with torch.inference_mode(mode=False):
            copies[id(model), device] = (model, copy.deepcopy(model).to(device))
    found: M = copies[id(model), device][1]
    return found


def placed(model: M, step: Callable[[M], Any] | None = None, count: float = 1.0) -> M:
    """Return a model where the verb computes: the model itself, or a copy that lasts as long as the verb.

    Args:
        model: A module.
        step: Runs one step of the work with the model that it is given. None leaves the model where it is, unless a
            device was given.
        count: The number of steps of the whole work, roughly.
    """
    if getattr(model, "on_processor", False):
        if asked() not in ("auto", "cpu"):
            log.info("the CPU: a model that counts, filters or smooths computes there alone")
        return copy_on(model, "cpu")
    home = next(model.parameters()).device
    run = None if step is None else lambda device: lambda: step(copy_on(model, device))
    return copy_on(model, decide(home, run, count).device)
