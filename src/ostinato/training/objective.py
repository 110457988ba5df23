"""The loss: the negative log-likelihood of the observed values in nats, in training and on the held-out part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
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
from ostinato.wording import option

#: The greatest number of steps in a batch of an evaluation, and of probabilities of symbols, which are 32 MB.
JUDGED, SYMBOLS = 16_384, 1 << 23
#: The number of steps that are looked at together.
BLOCK = 1 << 20


@dataclass(frozen=True)
class Likelihood:
    """The log-likelihood of a part of the data, in the units of the data.

    Attributes:
        nats: The sum of log P(x_t | x_<t).
        steps: The number of steps with an observed value; of text, of its characters.
        error: The standard error of ``per_step``, from the differences between the stretches of the part that were
            looked at (see ``ratio_error``); None if it was not asked for, or if there is one stretch.
    """

    nats: float
    steps: int
    error: float | None = None

    @property
    def per_step(self) -> float:
        """The mean log-likelihood in nats a step, of text a character; higher is better."""
        return self.nats / max(self.steps, 1)


def judged_together(vocabulary: int | None) -> int:
    """Return the number of steps in a batch of an evaluation, in each of which every symbol has a probability.

    Args:
        vocabulary: The number of symbols, V; None for numbers.
    """
    return max(1, min(JUDGED, SYMBOLS // (vocabulary or 1)))


def negative_log_likelihood(model: SequenceModel, batch: Batch, state: State | None) -> tuple[Tensor, State]:
    """Return the negative log-likelihood of a batch and the state after it.

    No lengths are passed on: a row that ends inside a batch starts the next batch from its initial state, so its state
    over the padding is never used.

    Args:
        model: The model.
        batch: The batch, in model space.
        state: The state before the batch. None starts from the initial state.

    Returns:
        The sum of -log P over the counted values in nats, and the state.
    """
    nats, state = _counted(model, batch, state)
    return -nats.sum(), state


def _counted(model: SequenceModel, batch: Batch, state: State | None) -> tuple[Tensor, State]:
    """Return the nats of the counted values of a batch and 0 for the others, (T, B, D), and the state after it."""
    nats, state = model.log_prob(batch.x, Support(batch.unit, batch.low, batch.high), state)
    # selected, and not multiplied by the weights: 0 times infinity would be NaN
    return torch.where(batch.weight, nats, 0.0), state


def in_segments(model: SequenceModel, batch: Batch, method: CheckpointedBPTT) -> Tensor:
    """Return the negative log-likelihood of whole sequences, computed in segments so that not all outputs are kept."""

    def segment(model: SequenceModel, x: Tensor, t: int, state: State) -> tuple[Tensor, State]:
        loss, state = negative_log_likelihood(model, batch.steps(t, len(x)), state)
        return loss, state

    losses, _ = chain(segment, model, batch.x, model.initial_state(len(batch.rows)), method)
    return torch.stack(losses).sum()


class Loss(nn.Module):
    """The loss of a batch as a module, because DistributedDataParallel takes modules only."""

    def __init__(self, model: SequenceModel, method: Method) -> None:
        super().__init__()
        self.model, self.method = model, method

    def forward(self, batch: Batch, state: State | None) -> tuple[Tensor, State | None]:
        """Return -log P of the counted values in nats, and the state after them if a state is given."""
        if isinstance(self.method, CheckpointedBPTT):
            return in_segments(self.model, batch, self.method), None
        loss, after = negative_log_likelihood(self.model, batch, state)
        return loss, None if state is None else after


def check_finite(loss: float, batch: Batch, ids: tuple[str, ...], where: str) -> None:
    """Raise NonFiniteLossError with the sequences of the batch if the loss is not finite."""
    if loss == loss and abs(loss) != float("inf"):  # noqa: PLR0124 - NaN is the one value unequal to itself
        return
    named = [f"{ids[r]!r} from step {s + 1}" for r, s in zip(batch.rows, batch.starts, strict=True) if r >= 0]
    raise NonFiniteLossError(
        f"the loss became {loss} at {where}",
        where=f"batch of {', '.join(named[:4])}{' ...' if len(named) > 4 else ''}",
        fix=f"use a smaller {option('--learning-rate')}, or check these steps for extreme values",
    )


@torch.no_grad()
def evaluate(
    model: SequenceModel,
    data: Encoded,
    items: list[Piece],
    workers: WorkerGroup | None = None,
    *,
    error: bool = False,
) -> Likelihood:
    """Return the log-likelihood of the counted steps of some pieces, in the units of the data.

    Args:
        model: The model.
        data: The encoded data.
        items: The pieces.
        workers: The processes that share the pieces.
        error: Whether the standard error is asked for. Several processes find none.
    """
    workers = workers or WorkerGroup()
    training = model.training
    model.eval()
    own = items[workers.rank :: workers.size]
    groups = [*bucketed(own, judged_together(model.encoding.vocabulary_size), None)]
    # the host looks at the sums once, at the end, so that a GPU never waits for it
    nats = [_counted(model, whole(data, group).to(model.device), None)[0] for group in groups] if error else []
    sums = [part.sum() for part in nats]
    if not error:
        batches = (whole(data, group).to(model.device) for group in groups)
        sums = [-negative_log_likelihood(model, batch, None)[0] for batch in batches]
    found = sum(torch.stack(sums).tolist()) if sums else 0.0
    measure, count = _measure(data, own)
    model.train(training)
    total, steps = workers.total(found + measure, count)
    if not error or workers.size > 1:
        return Likelihood(total, int(steps))
    each = [x for part in nats for x in part.sum((0, 2), dtype=torch.float64).tolist()]
    of = dict(zip((piece for group in groups for piece in group), each, strict=True))
    return Likelihood(total, int(steps), ratio_error(_stretches(data, own, of)))


def _stretches(data: Encoded, items: list[Piece], nats: Mapping[Piece, float]) -> list[tuple[float, int]]:
    """Return the nats in the units of the data, and the steps or characters, of pieces that go on from each other.

    Args:
        data: The sequences.
        items: The pieces.
        nats: The nats of each of them in model space.
    """
    observed, judged, parts, before = data.observed, data.judged, list[tuple[float, int]](), None
    for piece in items:
        at = int(data.offsets[piece.row])
        span = slice(at + piece.counted, at + piece.stop)
        own = nats[piece] + float(data.log_measure[span][observed[span]].sum(dtype=torch.float64))
        count = int(judged[span].sum())
        if before == (piece.row, piece.counted):
            own, count = own + parts[-1][0], count + parts.pop()[1]
        parts.append((own, count))
        before = piece.row, piece.stop
    return parts


def ratio_error(parts: list[tuple[float, int]]) -> float | None:
    """Return the standard error of the mean of all steps, by the nats and the steps of independent stretches.

    The mean is a ratio of two sums over the stretches, so that their errors are those of their nats around the mean
    (Cochran 1977, Sampling Techniques, chapter 6).

    Args:
        parts: The nats and the number of steps of each stretch.

    Returns:
        The error in nats a step; None for fewer than two stretches with a step.
    """
    seen = [part for part in parts if part[1]]
    if len(seen) < 2:
        return None
    x, n = (np.array(column, dtype=np.float64) for column in zip(*seen, strict=True))
    residual = x - n * x.sum() / n.sum()
    return float(np.sqrt((residual**2).sum() * len(n) / (len(n) - 1)) / n.sum())


def mean_measure(data: Encoded, items: list[Piece]) -> float:
    """Return the nats a step to add to a log-likelihood in model space, so that it is in the units of the data."""
    nats, count = _measure(data, items, steps=True)
    return nats / max(count, 1)


def steps_per_unit(data: Encoded, items: list[Piece]) -> float:
    """Return the steps for each unit that a mean likelihood is for: of text the symbols of a character, otherwise 1."""
    if data.characters is None:
        return 1.0
    return _measure(data, items, steps=True)[1] / max(_measure(data, items)[1], 1)


def _measure(data: Encoded, items: list[Piece], *, steps: bool = False) -> tuple[float, int]:
    """Return the nats between model space and the units of the data over the counted steps, and what they count for.

    Args:
        data: The sequences.
        items: The pieces.
        steps: Whether each observed step counts as one, and not for its characters.
    """
    if not items:
        return 0.0, 0
    # stretches of steps that are in equally many pieces; all pieces at once, because a list of names has thousands
    at = data.offsets[[p.row for p in items]]
    begin, end = (np.array(part) + at for part in zip(*((p.counted, p.stop) for p in items), strict=True))
    edges, place = np.unique(np.concatenate([begin, end]), return_inverse=True)
    times = np.bincount(place, np.repeat([1, -1], len(items))).cumsum().astype(np.int64)[:-1]
    first, times, last = edges[:-1][times > 0], times[times > 0], np.diff(edges)[times > 0].cumsum()
    nats, count, observed, characters = 0.0, 0, data.observed, None if steps else data.characters
    for start in range(0, int(last[-1]), BLOCK):
        step = np.arange(start, min(start + BLOCK, int(last[-1])))
        run = np.searchsorted(last, step, side="right")
        index = torch.from_numpy(first[run] + step - np.insert(last, 0, 0)[run])
        seen, weight = observed[index], torch.from_numpy(times[run])
        measure = torch.where(seen, data.log_measure[index], 0.0).sum(-1, dtype=torch.float64)
        judged = seen.any(-1).long() * (1 if characters is None else characters[index])
        nats, count = nats + float((measure * weight).sum()), count + int((judged * weight).sum())
    return nats, count
