"""stream: follow a live sequence, one value or one block at a time, in constant memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato.data.alphabet import Alphabet
from ostinato.data.encoded import Encoded
from ostinato.data.scaling import Scaling
from ostinato.data.sequences import SequenceSet
from ostinato.emissions.emission import Support
from ostinato.errors import DataError
from ostinato.inference.inputs import impossible, likelihood, possible, words
from ostinato.inference.live.build import live
from ostinato.inference.score import window_of
from ostinato.model_file import Model
from ostinato.shapes import State


@dataclass(frozen=True)
class Seen:
    """What the model made of a block of T values.

    surprisal   (T,): nats of each value, given all before it; NaN where it was missing
    prediction  (T, D): what was expected of each before it was seen, in the data's units: the mean; of a price the
                last one moved by the expected return; of text the likeliest symbol, -1 for the end
    """

    surprisal: NDArray[np.float64]
    prediction: NDArray[np.float64]


class Stream:
    """A live sequence: the state is the only thing held, and it is of fixed size.

    The surprisals of a stream sum to what ``score`` gives the whole sequence, however it is cut into blocks. Where the
    end of a text is an event (a model of lines), a newline is that end, and the next character begins a new sequence.
    """

    def __init__(self, model: Model, unique_id: str = "stream", *, step: float = 1.0) -> None:
        """unique_id: the series this is, where the model scales each series of a panel by its own values.

        step: the spacing of a sound's amplitudes, such as 256 for 8-bit sound stored as 16-bit.
        """
        model = likelihood(model, "follow a stream")
        self.model, self._id, self._step = model.eval(), unique_id, np.array([step])
        self._state: State = model.initial_state(1)
        self._last: NDArray[Any] | None = None
        self.steps = 0
        self._live, self._held = live(model, unique_id), False

    def update(self, values: NDArray[Any] | Sequence[Any] | str) -> Seen:
        """Take in a block: text, or values (T, D) or (T,) with NaN for missing.

        Raises DataError for values that the model gives no probability to, or of another width; the state is then what
        it was.
        """
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
        encoding = self.model.encoding
        if isinstance(encoding, Alphabet):
            return self._text(encoding, str(values))
        raw = self._raw(values)
        # a price is modelled as its return over the one before
        block = raw if self._last is None else np.concatenate([self._last, raw])
        data = self._set(block)
        surprisal, expected = self._unroll(_tail(encoding.encode(data), len(raw)))
        if self.model.description.kind == "prices" and len(raw):
            self._last = raw[-1:]
        return Seen(surprisal, self._decode(expected, data, len(raw)))

    def _text(self, encoding: Alphabet, text: str) -> Seen:
        """A block of text; where the end is an event, line by line."""
        *ended, rest = text.split("\n") if encoding.terminated else [text]
        parts = []
        for line, ends in [*((line, True) for line in ended), (rest, False)]:
            points = list(line.encode()) if encoding.of_bytes else [ord(c) for c in line]
            data = self._set(np.array(points, dtype=np.int32).reshape(-1, 1), ends=ends)
            parts.append(self._unroll(encoding.encode(data)))
            if ends:
                self._state = self.model.initial_state(1)
        surprisal, expected = (np.concatenate(p) for p in zip(*parts, strict=True))
        return Seen(surprisal, encoding.decode(expected).astype(np.float64))

    def _set(self, values: NDArray[Any], *, ends: bool = False) -> SequenceSet:
        source, kind = self.model.description.source, self.model.description.kind
        return SequenceSet(
            kind,
            values,
            np.array([0, len(values)], dtype=np.int64),
            (self._id,),
            tuple(source.get("channels", ["y"])) if kind != "text" else ("y",),
            step=self._step if kind == "sound" else None,
            terminated=ends,
            count=bool(source.get("count")),
            meta=source,
        )

    def _unroll(self, encoded: Encoded) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Surprisals (T,) and expectations (T, D) in model space; the state moves on, a window at a time."""
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

    def _decode(self, z: NDArray[np.float64], data: SequenceSet, count: int) -> NDArray[np.float64]:
        """Expectations (T, D) in the data's units; those of counts are not rounded."""
        encoding = self.model.encoding
        if isinstance(encoding, Scaling):
            y = encoding.unscale(z, self._id)
            if not encoding.returns:
                return y
            none = np.full((count + 1 - len(data.values), z.shape[1]), np.nan)
            return np.asarray(np.concatenate([none, data.values])[:count] * np.exp(y))
        return np.asarray(encoding.decode(z[None], data, 0)[0], dtype=np.float64)

    def _raw(self, values: NDArray[Any] | Sequence[Any] | str) -> NDArray[Any]:
        raw, channels = np.asarray(values, dtype=np.float64), self.model.channels
        raw = raw.reshape(-1, channels if not raw.size else 1) if raw.ndim == 1 else raw
        if raw.ndim != 2 or raw.shape[1] != channels:
            raise DataError(
                f"a step of {raw.shape[-1] if raw.ndim else 1} values, where the model has {channels} channels",
                where=f"step {self.steps + 1} of {self._id!r}",
                fix="one value a channel, in the order of the training data",
            )
        bad = impossible(self.model, raw)
        if bad.any():
            at = int(np.flatnonzero(bad)[0])
            raise DataError(
                f"a value that the model cannot take: {words(raw[at])}",
                where=f"step {self.steps + at + 1} of {self._id!r}",
                fix=possible(self.model),
            )
        return raw


def _tail(encoded: Encoded, count: int) -> Encoded:
    """The last ``count`` steps: without the one that was put before them to give the first a return."""
    offsets = np.array([0, count], dtype=np.int64)
    cut = len(encoded.values) - count
    return replace(encoded, values=encoded.values[cut:], offsets=offsets, log_measure=encoded.log_measure[cut:])
