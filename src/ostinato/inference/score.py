"""The verb score: the log-likelihood of sequences under a model, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.data.batching import Batch, Piece, aligned
from ostinato.data.corpus import blocks, forget, scratch
from ostinato.data.encoded import Encoded
from ostinato.data.sequences import SequenceSet
from ostinato.device import Device, on_device, placed
from ostinato.emissions.emission import Support
from ostinato.forecasting.inputs import as_sequences
from ostinato.forecasting.protocol import fitted
from ostinato.inference.adapt import Learner, learns
from ostinato.inference.dynamic import WINDOW, LearningWeights, has_weights
from ostinato.inference.rollout import LEAST_WINDOW, PROBABILITIES, window_of
from ostinato.inference.scores import Scores
from ostinato.inference.stream import Stream
from ostinato.model import SequenceModel
from ostinato.model_file import Model
from ostinato.settings import undisturbed
from ostinato.shapes import State
from ostinato.threads import Threads, in_threads

#: The most steps that are unrolled together, and that are looked up together: the more, the more contexts they share.
UNROLLED, LOOKED_UP = 1 << 16, 1 << 19


@undisturbed
@in_threads
@on_device
@torch.inference_mode()
def score(
    model: Model,
    data: SequenceSet | Any,
    *,
    adapt: bool | None = None,
    robust: float | None = None,
    threads: Threads = "auto",
    device: Device = "auto",
) -> Scores:
    """Score data under a model, each sequence from its own start.

    An adaptive model goes on learning: it predicts a value, then learns it, and takes what it has learned from one
    sequence to the next, in their order. With ``adapt=True`` a network does so too: after each window of steps that it
    has predicted, its weights take a step of gradient descent (dynamic evaluation, Krause et al. 2018). The model
    itself stays as it is.

    A series that is new to the model of a panel is scaled like the whole panel: to use its own scale would be to look
    ahead.

    Args:
        model: A fitted SequenceModel.
        data: A SequenceSet, or anything that ``read`` takes.
        adapt: Whether the model goes on learning. None: an adaptive model does, and a network does not.
        robust: The number of standard deviations beyond which a value does not enter the state, as in ``Stream``.
        threads: The number of threads that compute, or "auto" for the decision by the machine.
        device: Where the model computes: "cpu", "cuda", "cuda:1", "mps", or "auto", which takes a GPU if a timed step
            is faster there.

    Raises:
        ConfigError: The model is a DirectModel, adapt is True and the model can learn nothing, adapt is given to
            adaptive filters, or robust cannot be used.
        ModelFileError: The data do not suit the model, as in ``as_sequences``.
        DataError: A value has no probability.
    """
    sequence_model = fitted(model).likelihood("score")
    data = as_sequences(sequence_model, data)
    encoded = sequence_model.encoding.encode(data)
    dynamic = bool(adapt) and robust is None and has_weights(sequence_model)
    adapted = not dynamic and learns(sequence_model, adapt)
    if robust is not None:
        streams = (Stream(sequence_model, key, robust=robust) for key in data.ids)
        parts = [stream.update(values).surprisal for stream, values in zip(streams, data, strict=True)]
        return Scores(data, np.concatenate([np.zeros(0), *parts]), encoded.offsets)
    lengths = encoded.lengths
    surprisal = scratch(len(encoded.values), np.float32) if data.on_disk else np.full(len(encoded.values), np.nan)
    if adapted:
        _adapt(sequence_model, encoded, surprisal)
        return Scores(data, _in_units(surprisal, encoded), encoded.offsets, adapted=True)
    usual = max(1, int(np.median(lengths[lengths > 0]))) if lengths.any() else 1
    if dynamic:
        # in their order, in windows that are as long as a step of learning
        items = [Piece(b, 0, 0, int(n)) for b, n in enumerate(lengths) if n]
        window = min(WINDOW, int(lengths.max(initial=1)))
        with torch.inference_mode(False), torch.enable_grad():
            learning = LearningWeights(sequence_model)
            in_order = aligned(encoded, items, max(1, WINDOW // usual) * window, window)
            _in_chunks(learning.model, encoded, in_order, surprisal, learning.learn)
        return Scores(data, _in_units(surprisal, encoded), encoded.offsets, adapted=True)
    # in order of length, so that few rows are idle at the end
    items = [Piece(b, 0, 0, int(lengths[b])) for b in np.argsort(lengths, kind="stable") if lengths[b]]
    rows = max(1, min(512, 16_384 // usual, len(items) or 1))
    window = max(LEAST_WINDOW, (LOOKED_UP if sequence_model.looks_up else UNROLLED) // rows)
    if not sequence_model.looks_up:
        rows = max(1, min(rows, PROBABILITIES // (LEAST_WINDOW * (sequence_model.encoding.vocabulary_size or 1))))
        window = min(window, window_of(sequence_model, rows))

    def chunks() -> Iterator[Batch]:
        return aligned(encoded, items, rows * window, window)

    def first(model: SequenceModel) -> None:
        chunk = next(chunks()).to(model.device)
        model.log_prob(chunk.x, Support(chunk.unit, chunk.low, chunk.high))

    if items:
        sequence_model = placed(sequence_model, first, len(encoded.values) / (rows * window))
    _in_chunks(sequence_model, encoded, chunks(), surprisal)
    return Scores(data, _in_units(surprisal, encoded), encoded.offsets)


def _in_chunks(
    model: SequenceModel,
    encoded: Encoded,
    chunks: Iterable[Batch],
    surprisal: NDArray[Any],
    learn: Callable[[Tensor], None] | None = None,
) -> None:
    """Fill the surprisal of every step, (N,), in model space, computed in chunks.

    Args:
        model: The model.
        encoded: The sequences in model space.
        chunks: The chunks of the sequences, in the order in which they are taken.
        surprisal: The surprisals, (N,). Those of the sequences in the chunks are replaced.
        learn: Called with the nats of each chunk, (N,), after they were kept; it may change the weights of the model.
    """
    state: State | None = None
    for chunk in chunks:
        batch = chunk.to(model.device)
        if state is not None:
            state = model.restarted(state, batch.reset)
        given, state = model.log_prob(batch.x, Support(batch.unit, batch.low, batch.high), state)
        nats = given.detach().cpu().double()
        joint = torch.where(chunk.weight, nats, torch.zeros_like(nats)).sum(-1).numpy()
        for b, (row, start) in enumerate(zip(batch.rows, batch.starts, strict=True)):
            if row >= 0:
                take = min(len(joint), int(encoded.lengths[row]) - start)
                at = int(encoded.offsets[row]) + start
                surprisal[at : at + take] = -joint[:take, b]
        forget(surprisal)
        if learn is not None:
            state = tuple(s.detach() for s in state)
            learn(given[batch.weight])


def _adapt(model: SequenceModel, encoded: Encoded, surprisal: NDArray[Any]) -> None:
    """Fill surprisals (N,) by a model that goes on learning, in model space."""
    spans, at, observed = [(b, 0, int(n)) for b, n in enumerate(encoded.lengths)], 0, encoded.observed
    for nats in Learner(model).nats(encoded, spans):
        here = slice(at, at + len(nats))
        joint = torch.where(observed[here], nats, torch.zeros_like(nats)).double().sum(-1)
        surprisal[here], at = -joint.numpy(), here.stop
        forget(surprisal)


def _in_units(surprisal: NDArray[Any], encoded: Encoded) -> NDArray[Any]:
    """Return surprisals of model space in the units of the data, in place; NaN where no value is observed."""
    observed, at = encoded.observed, 0
    for block in blocks(surprisal):
        here = slice(at, at + len(block))
        at += len(block)
        seen = observed[here]
        measure = torch.where(seen, encoded.log_measure[here], torch.zeros(())).sum(-1).double().numpy()
        block[:] = np.where(seen.any(-1).numpy(), block - measure, np.nan)
    return surprisal
