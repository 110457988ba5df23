"""The drive of the coder by a model: predict, code, observe, for many sequences side by side.

Encoding and decoding are the same function: an encoder is given the symbols and returns them, a decoder finds them.
Both compute each step in the same calls in float64, so on one machine they agree to the bit whatever the model is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.compression.coder import Decoder, Encoder
from ostinato.data.corpus import BLOCK, forget, scratch
from ostinato.emissions.conditional import Conditional
from ostinato.model import SequenceModel
from ostinato.shapes import State

Coder = Encoder | Decoder
Values: TypeAlias = NDArray[Any]
#: The sequences that are coded side by side.
SIDE_BY_SIDE = 256


class Found:
    """The values of a sequence as they are decoded. Those of a long sequence are kept in a mapped file.

    Args:
        length: The values of the sequence, of all channels together; 0 if it is not known.
    """

    def __init__(self, length: int) -> None:
        self._held, self._count = array("q"), 0
        self._kept = scratch(length, np.int64) if length > BLOCK else None

    def add(self, values: Values) -> None:
        """Take the next values."""
        self._held.frombytes(np.asarray(values, dtype=np.int64).tobytes())
        if self._kept is not None and len(self._held) >= BLOCK:
            self._keep(self._kept)

    def all(self) -> Values:
        """Return all values that were taken, (N,)."""
        if self._kept is None:
            return np.array(self._held, dtype=np.int64)
        self._keep(self._kept)
        return self._kept[: self._count]

    def _keep(self, kept: Values) -> None:
        kept[self._count : self._count + len(self._held)] = self._held
        self._count += len(self._held)
        del self._held[:]
        forget(kept)


class Drive(ABC):
    """A model that drives the coder through sequences."""

    @abstractmethod
    def run(self, coder: Coder, given: list[Values] | None, lengths: list[int], extra: list[int]) -> list[Values]:
        """Code sequences and return them.

        Args:
            coder: An encoder or a decoder.
            given: The steps of each sequence, (T, D) each; None to decode.
            lengths: The steps of each sequence; of those that end by a symbol of their own it is not used.
            extra: What else each sequence needs, a number each.
        """


class Lanes(Drive):
    """A model that codes the steps of several sequences side by side.

    Args:
        model: The model in float64.
    """

    def __init__(self, model: SequenceModel) -> None:
        self.model = model

    @torch.inference_mode()
    def run(self, coder: Coder, given: list[Values] | None, lengths: list[int], extra: list[int]) -> list[Values]:
        """Code sequences and return them (see ``Drive.run``)."""
        channels = self.model.channels
        out = [Found(length * channels) for length in lengths] if given is None else []
        for first in range(0, len(lengths), SIDE_BY_SIDE):
            rows = list(range(first, min(first + SIDE_BY_SIDE, len(lengths))))
            self._side_by_side(coder, given, rows, lengths, extra, out)
        return [found.all().reshape(-1, channels) for found in out] if given is None else given

    def _side_by_side(
        self,
        coder: Coder,
        given: list[Values] | None,
        rows: list[int],
        lengths: list[int],
        extra: list[int],
        out: list[Found],
    ) -> None:
        state = self.model.initial_state(len(rows))
        rows, state = self._kept([self.begins(lengths[r]) for r in rows], rows, state)
        t = 0
        while rows:
            conditional, middle = self.model.predict(state)
            step = None if given is None else np.stack([given[r][t] for r in rows])
            values, raw = self.code(coder, conditional, step, [extra[r] for r in rows])
            t += 1
            if given is None:
                for i, r in enumerate(rows):
                    out[r].add(raw[i])
            stays = [self.goes_on(int(values[i, 0]), t, lengths[r]) for i, r in enumerate(rows)]
            if any(stays):
                state = self.model.observe(middle, self.in_model_space(values))
            rows, state = self._kept(stays, rows, state)

    @staticmethod
    def _kept(stays: list[bool], rows: list[int], state: State) -> tuple[list[int], State]:
        if all(stays):
            return rows, state
        index = torch.tensor([i for i, stay in enumerate(stays) if stay], dtype=torch.int64)
        return [r for r, stay in zip(rows, stays, strict=True) if stay], tuple(s[index] for s in state)

    @abstractmethod
    def begins(self, length: int) -> bool:
        """Return whether a sequence has a first step."""

    @abstractmethod
    def goes_on(self, value: int, t: int, length: int) -> bool:
        """Return whether a sequence goes on after t steps, of which the last has this value."""

    @abstractmethod
    def code(
        self, coder: Coder, conditional: Conditional, step: Values | None, extra: list[int]
    ) -> tuple[Values, Values]:
        """Code a step of each row, (n, D), and return its values for the model and those that are kept."""

    @abstractmethod
    def in_model_space(self, values: Values) -> Tensor:
        """Return values (n, D) as the model takes them."""
