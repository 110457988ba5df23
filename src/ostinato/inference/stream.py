"""The verb stream: follow a live sequence, one value or one block at a time, in constant memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato.data.encoded import Encoded
from ostinato.data.lines import continued
from ostinato.data.sequences import SequenceSet
from ostinato.emissions.emission import Support
from ostinato.errors import DataError
from ostinato.forecasting.inputs import words
from ostinato.inference.live.build import live
from ostinato.inference.score import window_of
from ostinato.model_file import Model
from ostinato.shapes import State


@dataclass(frozen=True)
class Seen:
    """The surprisals and predictions of a block of T values.

    Attributes:
        surprisal: The surprisal of each value in nats, given all values before it, (T,). NaN where a value is missing.
        prediction: The value expected of each step before it was observed, in the units of the data, (T, D): the mean;
            for a price the price before, moved by the expected return; for text the likeliest symbol, -1 for the end.
    """

    surprisal: NDArray[np.float64]
    prediction: NDArray[np.float64]


class Stream:
    """A live sequence. Only the state of the model is held, and its size is fixed.

    The surprisals of a stream sum to what ``score`` gives for the whole sequence, however it is cut into blocks. If the
    end of a text is an event (a model of lines), a newline is that end, and the next character begins a new sequence.
    """

    def __init__(self, model: Model, unique_id: str = "stream", *, step: float = 1.0) -> None:
        """Start a stream at the beginning of a sequence.

        Args:
            model: A fitted SequenceModel.
            unique_id: The id of the series, if the model scales each series of a panel by its own values.
            step: The spacing of the amplitudes of a sound, such as 256 for 8-bit sound stored as 16-bit.

        Raises:
            ConfigError: The model is a DirectModel.
        """
        self.model, self._id, self._step = model.likelihood("follow a stream").eval(), unique_id, np.array([step])
        self._state: State = self.model.initial_state(1)
        self._last: NDArray[Any] | None = None
        self.steps = 0
        self._live, self._held = live(self.model, unique_id), False
        self._returned = False  # whether the text so far ends with "\\r", so that a "\\n" belongs to it

    def update(self, values: NDArray[Any] | Sequence[Any] | str) -> Seen:
        """Take in a block of values.

        Args:
            values: Text, or values (T, D) or (T,) with NaN for missing values.

        Raises:
            DataError: The model gives no probability to a value, or the number of channels is wrong. The state then
                stays as it was.
        """
        if isinstance(values, str) and (self._returned or "\r" in values):
            values, self._returned = continued(values, self._returned)
        if self._live is not None:
            if not self._held:
                self._live.hold(self._state, self._last)
                self._held = True
            one = self._live.take(values)
            if one is not None:
                self.steps += 1
                return Seen(np.array(one[:1]), np.array(one[1:]))
            self._state, self._last, self._held = self._live.state, self._live.last, False
        return self._block(values)

    @torch.inference_mode()
    def _block(self, values: NDArray[Any] | Sequence[Any] | str) -> Seen:
        if not self.model.description.traits.numeric:
            return self._text(str(values))
        raw = self._raw(values)
        # a price is modelled as its return over the price before
        block = raw if self._last is None else np.concatenate([self._last, raw])
        data, encoding = self._set(block), self.model.encoding
        surprisal, expected = self._unroll(_tail(encoding.encode(data), len(raw)))
        if self.model.description.traits.log_returns and len(raw):
            self._last = raw[-1:]
        return Seen(surprisal, encoding.expected(expected, data))

    def _text(self, text: str) -> Seen:
        """Take in a block of text, line by line if the end of a line is an event."""
        encoding, surprisals, predictions = self.model.encoding, [], []
        for points, ends in encoding.lines(text):
            data = self._set(points, ends=ends)
            surprisal, expected = self._unroll(encoding.encode(data))
            surprisals.append(surprisal)
            predictions.append(encoding.expected(expected, data))
            if ends:
                self._state = self.model.initial_state(1)
        return Seen(np.concatenate(surprisals), np.concatenate(predictions))

    def _set(self, values: NDArray[Any], *, ends: bool = False) -> SequenceSet:
        """Return raw values (T, D) as the one sequence of a SequenceSet."""
        description, source = self.model.description, self.model.description.source
        return SequenceSet(
            description.kind,
            values,
            np.array([0, len(values)], dtype=np.int64),
            (self._id,),
            tuple(source.get("channels", ["y"])) if description.traits.numeric else ("y",),
            step=None if self.model.encoding.spacing is None else self._step,
            terminated=ends,
            count=bool(source.get("count")),
            meta=source,
        )

    def _unroll(self, encoded: Encoded) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return surprisals (T,), and expected values (T, D) in model space; the state moves on, a window at a time."""
        support = Support(encoded.unit, encoded.low, encoded.high)
        count, window = len(encoded.values), window_of(self.model)
        surprisal, expected = np.zeros(count), np.zeros((count, self.model.channels))
        for start in range(0, count, window):
            span = slice(start, min(start + window, count))
            x, observed = encoded.values[span, None], encoded.observed[span, None]
            conditional, self._state = self.model.unroll(x, self._state)
            nats = conditional.log_prob(x, support) + encoded.log_measure[span, None]
            joint = torch.where(observed, nats, torch.zeros_like(nats)).double().sum(-1)[:, 0].numpy()
            surprisal[span] = np.where(observed.any(-1)[:, 0].numpy(), -joint, np.nan)
            expected[span] = conditional.mean(support)[:, 0].double().numpy()
        self.steps += count
        return surprisal, expected

    def _raw(self, values: NDArray[Any] | Sequence[Any] | str) -> NDArray[Any]:
        """Return values as an array (T, D), after checks."""
        raw, channels = np.asarray(values, dtype=np.float64), self.model.channels
        raw = raw.reshape(-1, channels if not raw.size else 1) if raw.ndim == 1 else raw
        if raw.ndim != 2 or raw.shape[1] != channels:
            raise DataError(
                f"the step has {raw.shape[-1] if raw.ndim else 1} values, expected {channels}",
                where=f"step {self.steps + 1} of {self._id!r}",
                fix="give one value for each channel, in the order of the training data",
            )
        bad = self.model.encoding.impossible(raw)
        if bad.any():
            at = int(np.flatnonzero(bad)[0])
            raise DataError(
                f"the model cannot take the value {words(raw[at])}",
                where=f"step {self.steps + at + 1} of {self._id!r}",
                fix=self.model.encoding.possible,
            )
        return raw


def _tail(encoded: Encoded, count: int) -> Encoded:
    """Return the last ``count`` steps. A price before them only serves to compute the first log return."""
    offsets = np.array([0, count], dtype=np.int64)
    cut = len(encoded.values) - count
    return replace(encoded, values=encoded.values[cut:], offsets=offsets, log_measure=encoded.log_measure[cut:])
