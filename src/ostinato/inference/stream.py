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
from ostinato.data.sequences import SequenceSet
from ostinato.emissions.emission import Support
from ostinato.errors import DataError
from ostinato.inference.score import window_of
from ostinato.model import SequenceModel
from ostinato.shapes import State


@dataclass(frozen=True)
class Seen:
    """What the model made of a block of T values.

    surprisal   (T,): nats of each value, given all before it; NaN where it was missing
    prediction  (T, D): what was expected of each before it was seen, in the data's units
    """

    surprisal: NDArray[np.float64]
    prediction: NDArray[np.float64]


class Stream:
    """A live sequence: the state is the only thing held, and it is of fixed size.

    The surprisals of a stream sum to what ``score`` gives the whole sequence, however it is cut into blocks.
    """

    def __init__(self, model: SequenceModel, unique_id: str = "stream") -> None:
        """unique_id: the series this is, where the model scales each series of a panel by its own values."""
        self.model, self._id = model.eval(), unique_id
        self._state: State = model.initial_state(1)
        self._last: NDArray[Any] | None = None
        self.steps = 0

    @torch.inference_mode()
    def update(self, values: NDArray[Any] | Sequence[Any] | str) -> Seen:
        """Take in a block: text, or values (T, D) or (T,) with NaN for missing.

        Raises DataError for values that are not finite or of another width; the state is then what it was.
        """
        raw = self._raw(values)
        block = raw if self._last is None else np.concatenate([self._last, raw])
        data = SequenceSet(
            self.model.description.kind,  # type: ignore[arg-type]
            block,
            np.array([0, len(block)], dtype=np.int64),
            (self._id,),
            tuple(self.model.description.source.get("channels", ["y"])) if self._wide else ("y",),
            count=bool(self.model.description.source.get("count")),
            meta=self.model.description.source,
        )
        encoded = _tail(self.model.encoding.encode(data), len(raw))
        seen = [self._window(encoded, i) for i in range(0, len(raw), window_of(self.model))]
        if self.model.description.kind == "prices" and len(raw):
            self._last = raw[-1:]
        self.steps += len(raw)
        if not seen:
            return Seen(np.zeros(0), np.zeros((0, self.model.channels)))
        expected = np.concatenate([s.prediction for s in seen])
        return Seen(np.concatenate([s.surprisal for s in seen]), self._decode(expected, data, len(raw)))

    @property
    def _wide(self) -> bool:
        return self.model.description.kind != "text"

    def _window(self, encoded: Encoded, start: int) -> Seen:
        x = encoded.values[start : start + window_of(self.model), None]
        conditional, self._state = self.model.unroll(x, self._state)
        support = Support(encoded.unit, encoded.low, encoded.high)
        observed = x >= 0 if x.dtype == torch.int64 else ~torch.isnan(x)
        filled = x if x.dtype == torch.int64 else x.nan_to_num(0.0)
        nats = conditional.log_prob(filled, support) + encoded.log_measure[start : start + len(x), None]
        joint = torch.where(observed, nats, torch.zeros_like(nats)).sum(-1)[:, 0].double().numpy()
        mean = conditional.mean(support)[:, 0].double().numpy()
        return Seen(np.where(observed.any(-1)[:, 0].numpy(), -joint, np.nan), mean)

    def _decode(self, z: NDArray[np.float64], data: SequenceSet, count: int) -> NDArray[np.float64]:
        """Predictions (T, D) in the data's units; a price's is its last price moved by the expected return."""
        encoding = self.model.encoding
        if isinstance(encoding, Alphabet):
            return encoding.decode(z).astype(np.float64)
        if self.model.description.kind != "prices":
            return np.asarray(encoding.decode(z[None], data, 0)[0], dtype=np.float64)
        before = np.concatenate([np.full((max(0, count + 1 - len(data.values)), z.shape[1]), np.nan), data.values])[
            :count
        ]
        one = replace(data, values=np.ones((1, z.shape[1])), offsets=np.array([0, 1], dtype=np.int64))
        ratio = np.stack([encoding.decode(row[None, None], one, 0)[0, 0] for row in z])
        return np.asarray(before * ratio)

    def _raw(self, values: NDArray[Any] | Sequence[Any] | str) -> NDArray[Any]:
        if isinstance(values, str):
            encoding = self.model.encoding
            of_bytes = isinstance(encoding, Alphabet) and encoding.of_bytes
            points = list(values.encode()) if of_bytes else [ord(c) for c in values]
            return np.array(points, dtype=np.int32).reshape(-1, 1)
        raw = np.asarray(values, dtype=np.float64)
        raw = raw[:, None] if raw.ndim == 1 else raw
        if raw.ndim != 2 or raw.shape[1] != self.model.channels:
            raise DataError(
                f"a step of {raw.shape[-1]} values, where the model has {self.model.channels} channels",
                where=f"step {self.steps + 1} of {self._id!r}",
                fix="one value a channel, in the order of the training data",
            )
        bad = np.isinf(raw).any(axis=1)
        if self.model.description.kind == "prices":
            bad |= (raw <= 0).any(axis=1)
        if bad.any():
            at = int(np.flatnonzero(bad)[0])
            raise DataError(
                f"a value that cannot be: {raw[at].tolist()}",
                where=f"step {self.steps + at + 1} of {self._id!r}",
                fix="leave it empty if it is missing",
            )
        return raw


def _tail(encoded: Encoded, count: int) -> Encoded:
    """The last ``count`` steps: without the one that was put before them to give the first a return."""
    offsets = np.array([0, count], dtype=np.int64)
    cut = len(encoded.values) - count
    return replace(encoded, values=encoded.values[cut:], offsets=offsets, log_measure=encoded.log_measure[cut:])
