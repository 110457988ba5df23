"""The random numbers of a fit: each fit draws from a generator of its own, and leaves that of the caller alone.

Initial weights and dropout draw from torch's one generator of the processor. If fits seeded it, the caller's own draws
would begin anew after every fit, and two fits in two threads would take numbers from each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from threading import Lock, local
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from torch import Generator, Tensor

P = ParamSpec("P")
R = TypeVar("R")


class _PerThread(local):
    """The generator of the fit that runs in a thread of Python, or None without a fit."""

    def __init__(self) -> None:
        self.generator: Generator | None = None


_thread = _PerThread()
#: Held while torch's generator has the numbers of one fit.
_lock = Lock()


def own_draws(verb: Callable[P, R]) -> Callable[P, R]:
    """Run a verb with a generator of its own, unless the verb that called it has one."""

    @wraps(verb)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if _thread.generator is not None:
            return verb(*args, **kwargs)
        import torch

        cards = [*range(torch.cuda.device_count())] if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
        states = [torch.cuda.get_rng_state(card) for card in cards]
        _thread.generator = torch.Generator()
        try:
            return verb(*args, **kwargs)
        finally:
            _thread.generator = None
            for card, before in zip(cards, states, strict=True):
                torch.cuda.set_rng_state(before, card)

    return run


def seed(number: int) -> None:
    """Seed the generator of this fit, and those of all GPUs; outside of a fit torch's own.

    Args:
        number: The seed, as ``torch.manual_seed`` takes it.
    """
    import torch

    if _thread.generator is None:
        torch.manual_seed(number)
        return
    _thread.generator.manual_seed(number)
    torch.cuda.manual_seed_all(number)  # without a GPU it does nothing
    if torch.backends.mps.is_available():
        torch.mps.manual_seed(number)


def generator() -> Generator | None:
    """Return the generator of the fit in this thread, for the argument ``generator`` of torch; None for torch's own."""
    return _thread.generator


def state() -> Tensor:
    """Return the state of the generator of the processor that this thread draws from, (bytes,)."""
    import torch

    return torch.get_rng_state() if _thread.generator is None else _thread.generator.get_state()


def set_state(before: Tensor) -> None:
    """Set the state of the generator of the processor that this thread draws from, as ``state`` returned it."""
    import torch

    if _thread.generator is None:
        torch.set_rng_state(before)
    else:
        _thread.generator.set_state(before)


@contextmanager
def fork(cards: Sequence[int] = ()) -> Iterator[None]:
    """Put the generators back afterwards: that of the processor, and those of some GPUs.

    Args:
        cards: The numbers of the GPUs.
    """
    import torch

    before = state()
    with torch.random.fork_rng(list(cards), enabled=bool(cards)):
        try:
            yield
        finally:
            set_state(before)


@contextmanager
def drawing() -> Iterator[None]:
    """Let functions of torch that take no generator, such as ``nn.Linear``, draw from that of this fit."""
    own = _thread.generator
    if own is None:
        yield
        return
    import torch

    with _lock:
        before = torch.get_rng_state()
        torch.set_rng_state(own.get_state())
        try:
            yield
        finally:
            own.set_state(torch.get_rng_state())
            torch.set_rng_state(before)
