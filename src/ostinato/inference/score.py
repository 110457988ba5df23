"""The verb score: the log-likelihood of sequences under a model, step by step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.data.batching import Batch, Piece, aligned
from ostinato.data.corpus import blocks, forget, scratch
from ostinato.data.describe import when
from ostinato.data.encoded import Encoded
from ostinato.data.ids import restored
from ostinato.data.sequences import SequenceSet
from ostinato.data.spelling import spelling_of
from ostinato.device import Device, on_device, placed
from ostinato.emissions.emission import Support
from ostinato.forecasting.inputs import as_sequences, words
from ostinato.forecasting.protocol import fitted
from ostinato.inference.adapt import Learner, learns
from ostinato.inference.dynamic import WINDOW, LearningWeights, has_weights
from ostinato.inference.rollout import window_of
from ostinato.inference.stream import Stream
from ostinato.look import Shown
from ostinato.model import SequenceModel
from ostinato.model_file import Model
from ostinato.numbers import counted
from ostinato.settings import undisturbed
from ostinato.shapes import Array, State
from ostinato.threads import Threads, in_threads

if TYPE_CHECKING:
    import polars as pl


class ScoredStep(NamedTuple):
    """One scored step.

    Attributes:
        unique_id: The id of the sequence, of the type that it came in.
        step: The step, counted from 0.
        nats: The surprisal of the step in nats.
        row: The row of the sequence in the data.
    """

    unique_id: Any
    step: int
    nats: float
    row: int


@dataclass(frozen=True, repr=False, eq=False)
class Scores(Shown):
    """The surprisal of every step of the data under a model.

    Text, sound and counts have probabilities. Series have densities in their own units. Prices have the density of
    their log return, which is the same in any currency; the density of the price itself is that over the price. The
    first price of a sequence has no return and is not scored.

    Attributes:
        data: The data that were scored.
        surprisal: -log P(x_t | x_<t) of every step in nats, over all its channels together, (N,). NaN where a value is
            missing. The end of a sequence is one step more if it is an event. For data on disk, this is a mapped file
            of float32 that vanishes with the array.
        offsets: The surprisals of sequence b are surprisal[offsets[b]:offsets[b + 1]], (B + 1).
        adapted: Whether the model went on learning: each sequence was scored by what the model had learned from those
            before it, too.
    """

    data: SequenceSet
    surprisal: Array
    offsets: NDArray[np.int64]
    adapted: bool = False

    @property
    def spaced(self) -> str:
        """A note on the amplitudes that the probabilities of a sound are over; empty if they are all whole numbers."""
        step = self.data.step
        if self.data.kind != "sound" or step is None or not (step > 1).any():
            return ""
        spacings = np.unique(step[step > 1])
        of = " or ".join(f"{spacing:g}" for spacing in spacings) if len(spacings) < 4 else "a power of 2"
        return (
            f"{counted(int((step > 1).sum()), 'sequence')} of {len(step):,} with only multiples of {of}: the "
            "probabilities are over these multiples. Those of a stream are over all whole numbers, unless it is given "
            "the spacing"
        )

    def look(self) -> tuple[list[str], pl.DataFrame]:
        """Return the likelihood in words, and the most surprising steps."""
        import polars as pl

        unit = self.data.traits.judged
        what = f"{self.nats_per_unit:.4f} nats a {unit} over {self.units:,} {unit}s; the most surprising:"
        rows = [
            {"unique_id": key, "step": step + 1, "when": when(self.data, row, step)}
            | {"value": self.label(row, step), "surprisal": nats}
            for key, step, nats, row in self.most_surprising()
        ]
        return [what], pl.DataFrame(rows)

    @property
    def log_prob(self) -> Array:
        """The log-probability of each sequence in nats, (B,)."""
        return np.array([-sum(float(np.nansum(b, dtype=np.float64)) for b in self._of(a, z)) for a, z in self._spans()])

    @property
    def steps(self) -> NDArray[np.int64]:
        """The number of scored steps of each sequence, (B,)."""
        counts = [sum(int((~np.isnan(b)).sum()) for b in self._of(a, z)) for a, z in self._spans()]
        return np.array(counts, dtype=np.int64)

    @property
    def nats_per_step(self) -> float:
        """The mean surprisal of a step in nats; NaN if no step was scored."""
        total = int(self.steps.sum())
        return -float(self.log_prob.sum()) / total if total else math.nan

    @property
    def units(self) -> int:
        """The number of scored steps; of text, of its characters and of the ends that are events."""
        if self.data.traits.numeric:
            return int(self.steps.sum())
        ends = len(self.surprisal) - len(self.data.values)
        spelling = spelling_of(self.data.meta)
        return sum(int(spelling.characters(block[:, 0]).sum()) for block in blocks(self.data.values)) + ends

    @property
    def nats_per_unit(self) -> float:
        """The mean surprisal of a step in nats; of text, of a character, whatever the vocabulary."""
        return -float(self.log_prob.sum()) / self.units if self.units else math.nan

    @property
    def bits_per_unit(self) -> float:
        """The mean surprisal of a step in bits; of text, of a character, whatever the vocabulary."""
        return self.nats_per_unit / math.log(2)

    @property
    def bits_per_step(self) -> float:
        """The mean surprisal of a step in bits."""
        return self.nats_per_step / math.log(2)

    def most_surprising(self, count: int = 5) -> list[ScoredStep]:
        """Return the ``count`` least likely steps, the least likely first.

        Args:
            count: The number of steps, or all scored steps if there are fewer.
        """
        ranked = np.zeros(0, dtype=np.int64)
        at = 0
        for block in blocks(self.surprisal):
            seen = np.concatenate([ranked, at + np.flatnonzero(~np.isnan(block))])
            ranked = seen[np.argsort(-self.surprisal[seen], kind="stable")[: max(count, 0)]]
            at += len(block)
        rows = np.searchsorted(self.offsets, ranked, side="right") - 1
        keys = restored(self.data.ids, self.data.meta)
        return [
            ScoredStep(keys[b], i - int(self.offsets[b]), float(self.surprisal[i]), b)
            for i, b in zip(ranked.tolist(), rows.tolist(), strict=True)
        ]

    def label(self, row: int, step: int) -> str:
        """Return the value at a step of a sequence, for a person to read.

        Args:
            row: The number of the sequence.
            step: The number of the step, from 0; that after the last one is the end of a text.
        """
        values = self.data[row]
        if step >= len(values):
            return "the end"
        if not self.data.traits.numeric:
            return spelling_of(self.data.meta).word(int(values[step, 0]))
        return words(values[step])

    def by(self, unit: str, corpus: Any = None) -> pl.DataFrame:
        """Return the surprisal of every "symbol", "word", "line" or "sentence" of a text: one row a unit.

        The columns are unique_id, unit (its number in the sequence), start and length (in characters, with the space
        after it), text, count (in these data), nats and bits. A corpus adds letters (the letters and digits of text)
        and frequency (in a million units of the corpus; of words without regard to case and to marks at their ends).

        Args:
            unit: What a row is.
            corpus: Anything that ``read`` takes as text, in which the units are counted. Not for symbols.

        Raises:
            ConfigError: The data are not text, or the unit is unknown.
            DataError: The corpus cannot be read, or holds no unit.
        """
        from ostinato.inference.units import units

        return units(self, unit, corpus)

    def _of(self, a: int, z: int) -> Iterator[Array]:
        """Yield the surprisals of steps a up to z in blocks."""
        return blocks(self.surprisal[a:z])

    def _spans(self) -> list[tuple[int, int]]:
        return list(zip(self.offsets[:-1].tolist(), self.offsets[1:].tolist(), strict=True))


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
    window = min(window_of(sequence_model), max(64, 65_536 // rows))

    def chunks() -> Iterator[Batch]:
        return aligned(encoded, items, rows * window, window)

    def first(model: SequenceModel) -> None:
        chunk = next(chunks()).to(model.device)
        model.unroll(chunk.x, model.initial_state(len(chunk.rows)))

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
        conditional, state = model.unroll(batch.x, state)
        given = conditional.log_prob(batch.x, Support(batch.unit, batch.low, batch.high))
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
