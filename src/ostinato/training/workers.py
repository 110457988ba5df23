"""Several processes that train one model: each has whole rows of every batch, and the states that they carry.

The processes are torch.distributed's, started by torchrun or by Ray Train; the gradient is averaged by its
DistributedDataParallel. What follows from a clock is the first process's, so that all of them decide the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ostinato.data.batching import Batch
from ostinato.errors import LostError
from ostinato.shapes import State


@dataclass(frozen=True)
class WorkerGroup:
    """This process among those that train together; rows rank, rank + size, ... of a batch are its own."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the one that writes files."""
        return self.rank == 0

    def share(self, batch: Batch) -> Batch:
        """This process's rows of a batch; where there are fewer rows than processes, one in which nothing counts."""
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
        """module, with its gradients averaged over the processes as they are made."""
        return module if self.size == 1 else nn.parallel.DistributedDataParallel(module)

    def total(self, *values: float) -> list[float]:
        """Each value added up over the processes, the same to the bit in all of them."""
        if self.size == 1:
            return list(values)
        sums = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(sums)
        return [float(s) for s in sums]

    def first(self, value: float) -> float:
        """The first process's value."""
        return self.total(value if self.leads else 0.0)[0]

    def gather(self, tensor: Tensor) -> list[Tensor]:
        """Every process's tensor, all of one shape."""
        if self.size == 1:
            return [tensor]
        out = [torch.empty_like(tensor) for _ in range(self.size)]
        dist.all_gather(out, tensor.contiguous())
        return out

    def joined(self, state: State, rows: int) -> State:
        """Every process's rows of a state, in the order of the batch (rows, ...)."""
        if self.size == 1:
            return state
        most = -(-rows // self.size)
        padded = (torch.cat([s, s.new_zeros(most - len(s), *s.shape[1:])]) for s in state)
        return tuple(torch.stack(self.gather(s), dim=1).flatten(0, 1)[:rows] for s in padded)

    def own(self, state: State) -> State:
        """The inverse of ``joined``."""
        if self.size == 1:
            return state
        return tuple(s[self.rank :: self.size] if self.rank < len(s) else s[:1] for s in state)


def current() -> WorkerGroup:
    """This process among those of torch.distributed, where it runs."""
    if dist.is_available() and dist.is_initialized():
        return WorkerGroup(dist.get_rank(), dist.get_world_size())
    return WorkerGroup()


def restarts() -> int:
    """How often torchrun started these processes again (``--max-restarts``) because one of them had died."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))


@contextmanager
def parted() -> Iterator[None]:
    """Around what several processes do: one that stops leaves the others, so that none of them waits for it.

    Raises LostError in those that are left.
    """
    try:
        yield
    except RuntimeError as error:
        if "gloo" not in str(error):
            raise
        fix = "go on from the checkpoint with --resume; torchrun does so by itself with --max-restarts 3"
        raise LostError("another of the processes that train together has ended", fix=fix) from error
    finally:
        if dist.is_available() and dist.is_initialized():
            dist.destroy_process_group()


@contextmanager
def started() -> Iterator[WorkerGroup]:
    """Join the processes that torchrun started, if it did; over gloo, as these models compute on the processor."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or dist.is_initialized():
        yield current()
        return
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    store, rank, size = next(rendezvous("env://"))
    # torchrun hands the same store to those that it starts again: without a prefix they wait for the dead ones
    dist.init_process_group("gloo", store=PrefixStore(f"{restarts()}", store), rank=rank, world_size=size)
    with parted():
        yield current()
