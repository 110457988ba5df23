"""The loss: the negative log-likelihood of what was observed, in nats, and its held-out counterpart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ostinato.data.batching import Batch, Piece, bucketed, whole
from ostinato.data.encoded import Encoded
from ostinato.emissions.emission import Support
from ostinato.errors import NonFiniteLossError
from ostinato.gradients.checkpointed import chain
from ostinato.gradients.methods import CheckpointedBPTT, Method
from ostinato.model import SequenceModel
from ostinato.shapes import State
from ostinato.training.workers import WorkerGroup

#: Steps that are evaluated at a time.
JUDGED = 16_384


@dataclass(frozen=True)
class Likelihood:
    """A log-likelihood of held-out data, in the data's own units.

    nats   the sum of log P(x_t | x_<t)
    steps  the steps it is over: those with anything observed
    """

    nats: float
    steps: int

    @property
    def per_step(self) -> float:
        """Nats a step; higher is better."""
        return self.nats / max(self.steps, 1)


def negative_log_likelihood(model: SequenceModel, batch: Batch, state: State | None) -> tuple[Tensor, State]:
    """Sum of -log P in nats over the batch's counted values, in model space, and the state after it.

    No lengths are passed on: a row that ends inside a batch begins the next one from its initial state, so what its
    state becomes over the padding is of no consequence.
    """
    conditional, state = model.unroll(batch.x, state)
    nats = conditional.log_prob(batch.x, Support(batch.unit, batch.low, batch.high))
    # not a product with the weights: 0 times infinity would be NaN
    return -nats[batch.weight].sum(), state


def in_segments(model: SequenceModel, batch: Batch, method: CheckpointedBPTT) -> Tensor:
    """The same of whole sequences, with the emission inside the segments: nothing as long as they are is kept."""

    def segment(model: SequenceModel, x: Tensor, t: int, state: State) -> tuple[Tensor, State]:
        loss, state = negative_log_likelihood(model, batch.steps(t, len(x)), state)
        return loss, state

    losses, _ = chain(segment, model, batch.x, model.initial_state(len(batch.rows)), method)
    return torch.stack(losses).sum()


class Loss(nn.Module):
    """The loss of a batch as a module, which is what DistributedDataParallel takes."""

    def __init__(self, model: SequenceModel, method: Method) -> None:
        super().__init__()
        self.model, self.method = model, method

    def forward(self, batch: Batch, state: State | None) -> tuple[Tensor, State | None]:
        """-log P of the counted values in nats; and the state after them, where one is given."""
        if isinstance(self.method, CheckpointedBPTT):
            return in_segments(self.model, batch, self.method), None
        loss, after = negative_log_likelihood(self.model, batch, state)
        return loss, None if state is None else after


def check_finite(loss: float, batch: Batch, ids: tuple[str, ...], where: str) -> None:
    """Raise NonFiniteLossError that names the batch, before its gradient is used."""
    if loss == loss and abs(loss) != float("inf"):  # noqa: PLR0124 - NaN is the one value unequal to itself
        return
    named = [f"{ids[r]!r} from step {s + 1}" for r, s in zip(batch.rows, batch.starts, strict=True) if r >= 0]
    raise NonFiniteLossError(
        f"the loss became {loss} at {where}",
        where=f"batch of {', '.join(named[:4])}{' ...' if len(named) > 4 else ''}",
        fix="try a smaller --learning-rate, or look at these steps for extreme values",
    )


@torch.no_grad()
def evaluate(model: SequenceModel, data: Encoded, items: list[Piece], workers: WorkerGroup | None = None) -> Likelihood:
    """The log-likelihood of the counted steps of these pieces, in the data's own units; workers share them."""
    workers = workers or WorkerGroup()
    training = model.training
    model.eval()
    own = items[workers.rank :: workers.size]
    nats = sum(-float(negative_log_likelihood(model, whole(data, b), None)[0]) for b in bucketed(own, JUDGED, None))
    measure, count = _measure(data, own)
    model.train(training)
    total, steps = workers.total(nats + measure, count)
    return Likelihood(total, int(steps))


def mean_measure(data: Encoded, items: list[Piece]) -> float:
    """Nats a step between model space and the data's units: what to add to a log_prob a step."""
    nats, count = _measure(data, items)
    return nats / max(count, 1)


def _measure(data: Encoded, items: Iterable[Piece]) -> tuple[float, int]:
    """Nats between model space and the data's units over the counted steps, and the number of those steps."""
    nats, count, observed = 0.0, 0, data.observed
    for p in items:
        at = int(data.offsets[p.row])
        span = slice(at + p.counted, at + p.stop)
        nats += float(data.log_measure[span][observed[span]].sum(dtype=torch.float64))
        count += int(observed[span].any(dim=-1).sum())
    return nats, count
