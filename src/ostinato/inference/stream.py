"""The verb stream: follow a live sequence, one value or one block at a time, in constant memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.arguments import real, share
from ostinato.data.encoded import Encoded
from ostinato.data.lines import continued
from ostinato.data.sequences import SequenceSet
from ostinato.data.spelling import spelling_of
from ostinato.device import Device, computing_on, placed
from ostinato.emissions.emission import Support
from ostinato.errors import ConfigError, DataError
from ostinato.forecasting.protocol import fitted
from ostinato.inference.adapt import learns
from ostinato.inference.live.build import live
from ostinato.inference.live.robust import Robust
from ostinato.inference.live.step import Live
from ostinato.inference.mixture import marginal_quantiles
from ostinato.inference.raw import raw_sequences
from ostinato.inference.rollout import window_of
from ostinato.inference.steps_given import as_steps
from ostinato.look import Shown
from ostinato.model_file import Model
from ostinato.numbers import counted
from ostinato.settings import undisturbed
from ostinato.shapes import Array, State
from ostinato.threads import Threads, computing, decide

#: How the arrays of a block are shown: the first and the last values, with five digits.
_FEW: Final[dict[str, Any]] = {"threshold": 8, "edgeitems": 2, "precision": 5, "separator": ", "}


@dataclass(frozen=True, repr=False, eq=False)
class Seen(Shown):
    """The surprisals and predictions of a block of T values.

    Attributes:
        surprisal: The surprisal of each value in nats, given all values before it, (T,). NaN where a value is missing.
        prediction: The value expected of each step before it was observed, in the units of the data, (T, D): the mean;
            for a price the price before, moved by the expected return; for text the likeliest symbol, -1 for the end.
    """

    surprisal: Array
    prediction: Array

    def look(self) -> tuple[list[str], None]:
        """Return the number of the values with their surprisal, and the first and the last of them."""
        said = f"{counted(len(self.surprisal), 'step')}, {np.nansum(self.surprisal):.4f} nats"
        arrays = {"surprisal": self.surprisal, "prediction": self.prediction}
        return [said, *(f"{name}: {np.array2string(x, **_FEW)}" for name, x in arrays.items())], None


class Held(NamedTuple):
    """What a stream goes on from.

    Attributes:
        state: The state of the model, (1, ...) each.
        last: The last prices, (1, D); None for other values and before the first price.
        steps: The number of steps so far.
        doubted: The number of values in a row that were doubted.
        returned: Whether the text so far ends with a carriage return.
    """

    state: State
    last: NDArray[Any] | None
    steps: int
    doubted: int
    returned: bool


class Stream(Shown):
    """A live sequence. Only the state of the model is held, and its size is fixed.

    The surprisals of a stream sum to what ``score`` gives for the whole sequence, however it is cut into blocks. For
    sound this holds if the stream is given the spacing of the amplitudes (``step``), which ``score`` finds in a whole
    file and a stream cannot know. On whole numbers, a file whose amplitudes are multiples of 4 has up to log 4 nats a
    sample more. If the end of a text is an event (a model of lines), a newline is that end, and the next character
    begins a new sequence.

    The stream of an adaptive model goes on learning, in memory of a fixed size.

    A stream can be copied and pickled; the copy goes on from the same step.

    Attributes:
        steps: The number of steps so far.
        adapts: Whether the model goes on learning.
    """

    @undisturbed
    def __init__(
        self,
        model: Model,
        unique_id: str = "stream",
        *,
        step: float = 1.0,
        robust: float | None = None,
        adapt: bool | None = None,
        forget: float | None = None,
        threads: Threads = "auto",
        device: Device = "auto",
    ) -> None:
        """Start a stream at the beginning of a sequence.

        Args:
            model: A fitted SequenceModel.
            unique_id: The id of the series, if the model scales each series of a panel by its own values.
            step: The spacing of the amplitudes of a sound, such as 256 for 8-bit sound stored as 16-bit. Other values
                are refused. 1 takes every whole number.
            robust: A value farther from its prediction than this many standard deviations is scored as it is. The
                state goes on as if the prediction had come true, so an outlier does not spoil the steps after it.
                From the third such value in a row on they enter the state: the level has changed. Without such a value
                nothing changes. None lets every value enter the state. 6 is a good number. For continuous values only.
            adapt: Whether the model goes on learning from the stream. None: an adaptive model does.
            forget: The least rate at which an adaptive model moves towards the latest values, above 0 and at most 1.
                None keeps the rate of the model.
            threads: The number of threads that compute a block of values, or "auto" for the decision by the machine.
            device: Where the model computes: "cpu", "cuda", "cuda:1" or "mps". "auto" leaves it where it is, because
                a single step is quicker on the CPU.

        Raises:
            ConfigError: The model is a DirectModel, an option is out of range, robust is given and the values are not
                continuous, or adapt or forget is given and the model is not adaptive.
        """
        with computing_on(device):
            self.model, self._id = placed(fitted(model).likelihood("follow a stream").eval()), unique_id
        self._step = real("step", step, above=0)
        if robust is not None and not self.model.encoding.continuous:
            raise ConfigError(f"robust needs continuous values, got {robust!r}", fix="remove robust")
        limit = None if robust is None else real("robust", robust, above=0, fix="use a number such as 6")
        self._robust = None if limit is None else Robust(limit)
        decide(threads)  # a number out of range is an error of the caller, not of the first block
        self._threads = threads
        self.adapts = learns(self.model, adapt)
        self._state: State = self.model.initial_state(1, learns=self.adapts)
        if forget is not None:
            if not self.adapts:
                raise ConfigError("forget is for a model that goes on learning", fix="remove forget")
            self.model.parts(self._state).backbone[0][:, 1] = share("forget", forget)
        self._last: NDArray[Any] | None = None
        self.steps = 0
        self._live, self._lent = self._plain(), False
        self._returned = False  # whether the text so far ends with "\r", so that a "\n" belongs to it

    def look(self) -> tuple[list[str], None]:
        """Return the series with the number of its steps, what is done with its values, and the model."""
        learns = ["goes on learning"] if self.adapts else []
        doubts = [] if self._robust is None else [f"robust: {self._robust.limit:g} standard deviations"]
        return [f"{self._id!r} after {counted(self.steps, 'step')}", *learns, *doubts, self.model.title()], None

    @property
    def spacing(self) -> float | None:
        """The spacing of the amplitudes that the probabilities are of; None if the values are not those of a sound."""
        return None if self.model.encoding.spacing is None else self._step

    def _plain(self) -> Live | None:
        """Return the step in plain numbers; None if the model has none."""
        return live(self.model, self._id, self._step, self._robust)

    def __getstate__(self) -> dict[str, Any]:
        """Return the stream without its step in plain numbers, which points into memory and is built again."""
        self._take_back()
        kept = {name: value for name, value in self.__dict__.items() if name not in ("_live", "_lent")}
        # a live step changes tensors in place, so a copy needs its own
        robust = None if self._robust is None else replace(self._robust)
        return {**kept, "_state": tuple(s.clone() for s in self._state), "_robust": robust}

    def __setstate__(self, kept: dict[str, Any]) -> None:
        self.__dict__.update(kept)
        self._live, self._lent = self._plain(), False

    def copy(self) -> Stream:
        """Return a stream that goes on from the same step; both use the same model."""
        other = Stream.__new__(Stream)
        other.__setstate__(self.__getstate__())
        return other

    __copy__ = copy

    def held(self) -> Held:
        """Return what the stream goes on from, which later steps do not change."""
        self._take_back()
        state = tuple(s.clone() for s in self._state)
        doubted = 0 if self._robust is None else self._robust.in_a_row
        return Held(state, self._last, self.steps, doubted, self._returned)

    def resume(self, held: Held) -> None:
        """Go on from a state that ``held`` returned.

        Args:
            held: The state of a stream of the same model and id.
        """
        state, self._last, self.steps, doubted, self._returned = held
        if self._robust is not None:
            self._robust.in_a_row = doubted
        # a stream that learns changes its state in place, and what is held stays as it is
        self._state = tuple(s.clone() for s in state) if self.adapts else state
        self._lent = False

    def _take_back(self) -> None:
        """Take the state back that was lent to the step in plain numbers."""
        if self._live is not None and self._lent:
            self._state, self._last, self._lent = self._live.after(), self._live.last, False

    @undisturbed
    @torch.inference_mode()
    def quantiles(self, p: Sequence[float] | Array) -> Array:
        """Return the quantiles of the next value in the units of the data, (P, D), before it is observed.

        Args:
            p: The probabilities, (P,), between 0 and 1.

        Raises:
            ConfigError: A probability is not between 0 and 1, or the model is one of text.
        """
        if not self.model.description.traits.numeric:
            raise ConfigError("text has no quantiles", fix="use update, which returns the likeliest symbol")
        p = np.array([share("a probability", one) for one in p])
        self._take_back()
        encoding, last = self.model.encoding, self._last
        data = self._set(np.zeros((0, self.model.channels)) if last is None else last)
        encoded = encoding.encode(data)
        conditional, _ = self.model.predict(self._state)
        support = Support(encoded.unit, encoded.low, encoded.high).to(self.model.device)
        found = marginal_quantiles(conditional, support, torch.from_numpy(p).to(self.model.device))
        return np.asarray(encoding.decode(found[0].T[:, None].cpu().numpy(), data, 0)[:, 0], dtype=np.float64)

    def update(self, values: NDArray[Any] | Sequence[Any] | str) -> Seen:
        """Take in a block of values.

        Args:
            values: Text, or values (T, D) or (T,) with NaN for missing values.

        Raises:
            DataError: The model gives no probability to a value, a sample is not a multiple of ``step``, or the number
                of channels is wrong. The state then stays as it was.
        """
        if isinstance(values, str) and (self._returned or "\r" in values):
            values, self._returned = continued(values, self._returned)
        if self._live is not None:
            if not self._lent:
                self._live.hold(self._state, self._last)
                self._lent = True
            one = self._live.take(values)
            if one is not None:
                self.steps += 1
                return Seen(np.array(one[:1]), np.array(one[1:]))
            self._take_back()
        with computing(self._threads):
            return self._block(values)

    @undisturbed
    @torch.inference_mode()
    def _block(self, values: NDArray[Any] | Sequence[Any] | str) -> Seen:
        if not self.model.description.traits.numeric:
            return self._text(values)
        raw = as_steps(values, self.model, self._where, self.spacing)
        # a price is modelled as its return over the price before
        block = raw if self._last is None else np.concatenate([self._last, raw])
        data, encoding = self._set(block), self.model.encoding
        surprisal, expected = self._unroll(_tail(encoding.encode(data), len(raw)))
        if self.model.description.traits.log_returns and len(raw):
            self._last = raw[-1:]
        return Seen(surprisal, encoding.expected(expected, data))

    def _text(self, text: Any) -> Seen:
        """Take in a block of text, line by line if the end of a line is an event."""
        if not isinstance(text, str):
            raise DataError(
                f"the stream takes text, got {type(text).__name__}", where=self._where(0), fix="give a string"
            )
        encoding, surprisals, predictions = self.model.encoding, [], []
        for points, ends in encoding.lines(text):
            data = self._set(points, ends=ends)
            surprisal, expected = self._unroll(encoding.encode(data))
            surprisals.append(surprisal)
            predictions.append(encoding.expected(expected, data))
            if ends:
                self._state = self.model.next_sequence(self._state)
        return Seen(np.concatenate(surprisals), np.concatenate(predictions))

    def by_character(self, text: str, surprisal: Array) -> list[tuple[str, float]]:
        """Return the characters of a text, each with the sum of the surprisals (N,) of its symbols.

        Characters that one symbol holds stay together.

        Args:
            text: The text, as ``update`` took it in.
            surprisal: What ``update`` returned.
        """
        out, at, spelling = list[tuple[str, float]](), 0, spelling_of(self.model.description.source)
        for points, ends in self.model.encoding.lines(text):
            begun = spelling.characters(points[:, 0])
            line, first, starts = spelling.text(points[:, 0].tolist()), 0, np.flatnonzero(begun)
            sums = np.add.reduceat(surprisal[at : at + len(points)], starts).tolist() if len(starts) else []
            for count, nats in zip(begun[starts].tolist(), sums, strict=True):
                out.append((line[first : first + count], nats))
                first += count
            at += len(points) + ends
            if ends:
                out.append(("\n", float(surprisal[at - 1])))
        return out

    def _set(self, values: NDArray[Any], *, ends: bool = False) -> SequenceSet:
        """Return raw values (T, D) as the one sequence of a SequenceSet."""
        return raw_sequences(self.model, [self._id], values, [len(values)], spacing=self._step, ends=ends)

    def _unroll(self, encoded: Encoded) -> tuple[Array, Array]:
        """Return surprisals (T,), and expected values (T, D) in model space; the state moves on, a window at a time."""
        support = Support(encoded.unit, encoded.low, encoded.high).to(self.model.device)
        count, window = len(encoded.values), window_of(self.model)
        surprisal, expected = np.zeros(count), np.zeros((count, self.model.channels))
        for start in range(0, count, window):
            span = slice(start, min(start + window, count))
            x, observed = encoded.values[span, None], encoded.observed[span, None]
            nats, means = (part.cpu() for part in self._steps(x.to(self.model.device), support))
            nats = nats + encoded.log_measure[span, None]
            joint = torch.where(observed, nats, torch.zeros_like(nats)).double().sum(-1)[:, 0].numpy()
            surprisal[span] = np.where(observed.any(-1)[:, 0].numpy(), -joint, np.nan)
            expected[span] = means[:, 0].double().numpy()
        self.steps += count
        return surprisal, expected

    def _steps(self, x: Tensor, support: Support) -> tuple[Tensor, Tensor]:
        """Return the nats and means (T, 1, D) of the steps x (T, 1, D); the state moves on."""
        if self._robust is None:
            conditional, self._state = self.model.unroll(x, self._state, in_place=self.adapts)
            return conditional.log_prob(x, support), conditional.mean(support)
        nats, means = [], []
        for value in x:
            conditional, middle = self.model.predict(self._state)
            loc, scale = conditional.loc, conditional.scale
            assert loc is not None
            assert scale is not None
            nats.append(conditional.log_prob(value, support))
            means.append(conditional.mean(support))
            far = ((value - loc) / scale).abs() > self._robust.limit
            believed = self._robust.believes(bool(far.any()))
            self._state = self.model.observe(middle, value if believed else torch.where(far, loc, value))
        return torch.stack(nats), torch.stack(means)

    def _where(self, ahead: int) -> str:
        """Return the place of a step for an error; ``ahead`` is its place in the block."""
        return f"step {self.steps + ahead + 1} of {self._id!r}"


def _tail(encoded: Encoded, count: int) -> Encoded:
    """Return the last ``count`` steps. A price before them only serves to compute the first log return."""
    offsets = np.array([0, count], dtype=np.int64)
    cut = len(encoded.values) - count
    return replace(encoded, values=encoded.values[cut:], offsets=offsets, log_measure=encoded.log_measure[cut:])
