"""Several processes that train one model: each computes whole rows of every batch and carries their states.

The processes belong to torch.distributed, started by torchrun or by Ray Train, and DistributedDataParallel averages the
gradients. Times are those of the first process, so that all processes decide the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from ostinato import randomness
from ostinato.data.batching import Batch
from ostinato.device import asked
from ostinato.errors import ConfigError, LostError
from ostinato.shapes import State
from ostinato.wording import option


@dataclass(frozen=True)
class WorkerGroup:
    """The place of this process among those that train together.

    The process computes the rows rank, rank + size, ... of every batch.

    Attributes:
        rank: The number of this process, from 0.
        size: The number of processes.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def share(self, batch: Batch) -> Batch:
        """Return the rows of this process; if there are fewer rows than processes, a row in which nothing counts."""
        if self.size == 1:
            return batch
        rows = list(range(len(batch.rows)))[self.rank :: self.size]
        at = torch.tensor(rows or [0])
        return replace(
            batch,
            x=batch.x[:, at],
            weight=batch.weight[:, at] & bool(rows),
            reset=batch.reset[at],
            unit=batch.unit[at],
            low=batch.low[at],
            high=batch.high[at],
            rows=[batch.rows[r] for r in rows or [0]],
            starts=[batch.starts[r] for r in rows or [0]],
        )

    def wrap(self, module: nn.Module) -> nn.Module:
        """Return the module with its gradients averaged over the processes during the backward pass."""
        return module if self.size == 1 else nn.parallel.DistributedDataParallel(module)

    def total(self, *values: float) -> list[float]:
        """Return the sum of each value over the processes, equal to the bit in all of them."""
        if self.size == 1:
            return list(values)
        sums = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(sums)
        return [float(s) for s in sums]

    def first(self, value: float) -> float:
        """Return the value of the first process."""
        return self.total(value if self.leads else 0.0)[0]

    def seed(self, seed: int) -> None:
        """Seed the generator of this process, each of several processes with a seed of its own."""
        if self.size > 1:
            seed = int(np.random.SeedSequence((seed, self.rank)).generate_state(1)[0])
        randomness.seed(seed)

    def gather(self, tensor: Tensor) -> list[Tensor]:
        """Return the tensors of all processes, which all have the same shape."""
        if self.size == 1:
            return [tensor]
        out = [torch.empty_like(tensor) for _ in range(self.size)]
        dist.all_gather(out, tensor.contiguous())
        return out

    def joined(self, state: State, rows: int) -> State:
        """Return the rows of a state of all processes, in the order of the batch, (rows, ...)."""
        if self.size == 1:
            return state
        most = -(-rows // self.size)
        padded = (torch.cat([s, s.new_zeros(most - len(s), *s.shape[1:])]) for s in state)
        return tuple(torch.stack(self.gather(s), dim=1).flatten(0, 1)[:rows] for s in padded)

    def own(self, state: State) -> State:
        """Return the rows of this process of a state of all rows: the inverse of ``joined``."""
        if self.size == 1:
            return state
        return tuple(s[self.rank :: self.size] if self.rank < len(s) else s[:1] for s in state)


def current() -> WorkerGroup:
    """Return the WorkerGroup of this process; without torch.distributed, a group of one process."""
    if dist.is_available() and dist.is_initialized():
        return WorkerGroup(dist.get_rank(), dist.get_world_size())
    return WorkerGroup()


def restarts() -> int:
    """Return how often torchrun restarted these processes (``--max-restarts``) because one of them died."""
    return _set_to("TORCHELASTIC_RESTART_COUNT", 0)


def _set_to(variable: str, usual: int) -> int:
    """Return the whole number in an environment variable of torchrun, or the usual one if it is not set.

    Raises:
        ConfigError: It holds something else.
    """
    given = os.environ.get(variable, "") or str(usual)
    if not (given.isascii() and given.isdigit()):
        raise ConfigError(
            f"{variable} must be a whole number, got {given!r}",
            where=f"the environment variable {variable}",
            fix="unset it, or start the processes with torchrun, which sets it",
        )
    return int(given)


@contextmanager
def parted() -> Iterator[None]:
    """Leave the group at the end of the work of several processes, so that none waits for one that stopped.

    Raises:
        LostError: Another process of the group has stopped.
    """
    try:
        yield
    except RuntimeError as error:
        if not any(name in str(error) for name in ("gloo", "NCCL")):
            raise
        fix = (
            f"continue from the checkpoint with {option('--resume')}; torchrun does so by itself with --max-restarts 3"
        )
        raise LostError("another of the training processes has stopped", fix=fix) from error
    finally:
        if dist.is_available() and dist.is_initialized():
            dist.destroy_process_group()


@contextmanager
def started() -> Iterator[WorkerGroup]:
    """Join the processes if torchrun started them: over gloo, and over NCCL for what is on a GPU.

    Sums of the losses and the random generators are on the CPU, so that gloo is there in both cases.

    Raises:
        ConfigError: An environment variable of torchrun is missing or holds no number.
    """
    if _set_to("WORLD_SIZE", 1) < 2 or dist.is_initialized():
        yield current()
        return
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    try:
        store, rank, size = next(rendezvous("env://"))
    except ValueError as error:
        raise ConfigError(
            f"WORLD_SIZE asks for several processes, and another variable is missing or wrong: {error}",
            where="the environment",
            fix="unset WORLD_SIZE, or start the processes with torchrun, which sets them all",
        ) from error
    # restarted processes get the same store from torchrun: without a prefix they would wait for the dead ones
    backend = "cpu:gloo,cuda:nccl" if asked().startswith("cuda") and dist.is_nccl_available() else "gloo"
    if "nccl" in backend:
        torch.cuda.set_device(asked())
    dist.init_process_group(backend, store=PrefixStore(f"{restarts()}", store), rank=rank, world_size=size)
    with parted():
        yield current()
