"""Optimiser steps on a CUDA GPU as CUDA graphs: the host sends a batch and starts all kernels of the step at once.

A step of a small network has some hundred kernels, and Python takes longer to start them than the GPU to run them.
"""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from ostinato.data.batching import Batch
from ostinato.shapes import State
from ostinato.training.update import StepSettings, Update

#: The greatest number of shapes that get a graph of their own. Each keeps the state of its rows and its batch.
MOST = 64
#: The alignment in bytes of tensors within the block of a batch.
ALIGNED = 16

Step: TypeAlias = "Callable[[Batch, State | None, StepSettings], tuple[Tensor, State | None]]"

log = logging.getLogger("ostinato.device")


def fastest(update: Update, *, alone: bool) -> Step:
    """Return how an update runs: by graphs on a CUDA GPU if one process trains, otherwise as it is.

    Args:
        update: The optimiser step.
        alone: Whether one process trains.
    """
    # a GPU that tests pretend has no streams
    real = update.model.device.type == "cuda" and torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return Replay(update) if real and alone else update


def pinned(size: int) -> Tensor:
    """Return bytes of the host that the GPU reads by itself, from a pool that takes them back after the copy."""
    return torch.empty(size, dtype=torch.uint8, pin_memory=True)


def record(run: Callable[[], Any], pool: Any, stream: Any) -> tuple[Any, Any]:
    """Return the CUDA graph of the kernels that a function starts, none of which runs yet, and what it returns.

    Args:
        run: The function.
        pool: The memory that graphs which never run at the same time share.
        stream: A stream that is not torch's default one.
    """
    graph: Any = torch.cuda.CUDAGraph()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        graph.capture_begin(pool=pool)
        try:
            found = run()
        finally:
            graph.capture_end()
    torch.cuda.current_stream().wait_stream(stream)
    return graph, found


class _Block:
    """The tensors of a batch and the settings in one block of memory, which is copied to the GPU at once."""

    def __init__(self, batch: Batch, settings: Tensor, device: torch.device) -> None:
        like, end = [*batch.tensors(), settings], 0
        self._places: list[tuple[int, int]] = []
        for t in like:
            self._places.append((end, t.nbytes))
            end += -(-t.nbytes // ALIGNED) * ALIGNED
        self._bytes = torch.empty(end, dtype=torch.uint8, device=device)
        *parts, self.settings = self._views(self._bytes, like)
        self.batch = batch.with_tensors(parts)

    def send(self, batch: Batch, settings: Tensor) -> None:
        """Copy a batch of the host to the block, without waiting for the GPU."""
        host, given = pinned(len(self._bytes)), [*batch.tensors(), settings]
        for place, t in zip(self._views(host, given), given, strict=True):
            place.copy_(t)
        self._bytes.copy_(host, non_blocking=True)

    def _views(self, block: Tensor, like: list[Tensor]) -> list[Tensor]:
        """Return the tensors in a block, with the types and shapes of those given."""
        places = zip(like, self._places, strict=True)
        return [block[at : at + size].view(t.dtype).view(t.shape) for t, (at, size) in places]


@dataclass(frozen=True)
class _Graph:
    """A captured step.

    Attributes:
        graph: The kernels.
        block: The batch that they read.
        before: The carried state that they read, (B, ...) each, or None.
        outcome: The loss and the norm that they write, (2,).
        after: The state that they write, (B, ...) each, or None.
    """

    graph: Any
    block: _Block
    before: State | None
    outcome: Tensor
    after: State | None

    def run(self, batch: Batch, carried: State | None, settings: Tensor) -> tuple[Tensor, State | None]:
        """Make the step on a batch of the host."""
        self.block.send(batch, settings)
        if self.before is not None and carried is not None:
            torch._foreach_copy_(list(self.before), list(carried))
        self.graph.replay()
        return self.outcome.clone(), self.after


class Replay:
    """Runs an update by a graph for each shape of a batch that comes a second time.

    If the host must wait for the GPU within a step, as some emissions make it do, no graph can hold it, and all steps
    run as they are.

    Args:
        update: The optimiser step.
    """

    def __init__(self, update: Update) -> None:
        self._update = update
        self._seen: Counter[Any] = Counter()
        self._graphs: dict[Any, _Graph] = {}
        with torch.cuda.device(update.model.device):
            self._pool = torch.cuda.graph_pool_handle()
            self._stream: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._free = False  # whether a step was seen in which the host does not wait
        #: why no graph holds a step, or empty
        self.refused = ""

    def __call__(self, batch: Batch, carried: State | None, settings: StepSettings) -> tuple[Tensor, State | None]:
        """Make a step on a batch of the host; see ``Update.on_device``."""
        with torch.cuda.device(self._update.model.device):  # of several GPUs, the one whose streams are asked for
            return self._step(batch, carried, settings)

    def _step(self, batch: Batch, carried: State | None, settings: StepSettings) -> tuple[Tensor, State | None]:
        key = tuple((t.shape, t.dtype) for t in (*batch.tensors(), *(carried or ())))
        known = self._graphs.get(key)
        if known is None and not self.refused and self._seen[key] and len(self._graphs) < MOST:
            if self._free:
                known = self._captured(key, batch, carried, self._update.numbers(settings))
            elif (found := self._watched(batch, carried, settings)) is not None:
                return found
        if known is not None:
            return known.run(batch, carried, self._update.numbers(settings))
        self._seen[key] += 1
        return self._update(batch, carried, settings)

    def _watched(
        self, batch: Batch, carried: State | None, settings: StepSettings
    ) -> tuple[Tensor, State | None] | None:
        """Make a step in which the host must not wait; None if it had to, before any weight has changed."""
        device = self._update.model.device
        there, given = batch.to(device), self._update.numbers(settings).to(device)
        before = torch.cuda.get_sync_debug_mode()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Synchronization debug mode")
            torch.cuda.set_sync_debug_mode("error")
            try:
                found = self._update.on_device(there, carried, given)
            except RuntimeError as error:
                self._refuse(error)
                return None
            finally:
                torch.cuda.set_sync_debug_mode(before)
        self._free = True
        return found

    def _captured(self, key: Any, batch: Batch, carried: State | None, settings: Tensor) -> _Graph | None:
        """Return the graph of a step, which has not run yet; None if it cannot be captured."""
        block = _Block(batch, settings, self._update.model.device)
        block.send(batch, settings)
        before = None if carried is None else tuple(s.clone() for s in carried)
        try:
            graph, (outcome, after) = record(
                lambda: self._update.on_device(block.batch, before, block.settings), self._pool, self._stream
            )
        except RuntimeError as error:
            self._refuse(error)
            return None
        self._graphs[key] = _Graph(graph, block, before, outcome, after)
        return self._graphs[key]

    def _refuse(self, error: RuntimeError) -> None:
        self.refused = str(error).splitlines()[0]
        log.info("each kernel of a training step is started by the host: %s", self.refused)
