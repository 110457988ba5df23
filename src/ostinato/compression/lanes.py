"""The drive of the coder by a model: predict, code, observe, for many sequences side by side.

Encoding and decoding are the same function: an encoder is given the symbols and returns them, a decoder finds them.
Both compute each step in the same calls in float64, so on one machine they agree to the bit whatever the model is.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from array import array
from itertools import pairwise
from typing import Any, TypeAlias, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.compression.coder import Decoder, Encoder
from ostinato.compression.memory import Memory, memory_of
from ostinato.compression.portable import Mixture, of_symbols
from ostinato.data.alphabet import Alphabet
from ostinato.data.amplitude import Amplitude
from ostinato.data.corpus import BLOCK, forget, scratch
from ostinato.emissions.conditional import Conditional
from ostinato.emissions.logistic_mixture import LEAST_SCALE, LogisticMixture
from ostinato.errors import ConfigError
from ostinato.model import SequenceModel
from ostinato.shapes import Array, State

Coder = Encoder | Decoder
Values: TypeAlias = NDArray[Any]
#: The sequences that are coded side by side.
SIDE_BY_SIDE = 256
#: The steps that an encoder takes together of a memory that learns.
TOGETHER = 1024
#: A character outside the alphabet is spelled as a number below this.
SPELLED = 1 << 21


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
        out = [array("q") for _ in lengths]
        for first in range(0, len(lengths), SIDE_BY_SIDE):
            rows = list(range(first, min(first + SIDE_BY_SIDE, len(lengths))))
            self._side_by_side(coder, given, rows, lengths, extra, out)
        channels = self.model.channels
        return [np.array(steps, dtype=np.int64).reshape(-1, channels) for steps in out]

    def _side_by_side(
        self,
        coder: Coder,
        given: list[Values] | None,
        rows: list[int],
        lengths: list[int],
        extra: list[int],
        out: list[array[int]],
    ) -> None:
        state = self.model.initial_state(len(rows))
        rows, state = self._kept([self.begins(lengths[r]) for r in rows], rows, state)
        t = 0
        while rows:
            conditional, middle = self.model.predict(state)
            step = None if given is None else np.stack([given[r][t] for r in rows])
            values, raw = self.code(coder, conditional, step, [extra[r] for r in rows])
            t += 1
            for i, r in enumerate(rows):
                out[r].extend(raw[i].tolist())
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


@final
class Symbols:
    """The symbols of text. Values that are kept are code points, and -1 for the end of a sequence."""

    def __init__(self, alphabet: Alphabet) -> None:
        self.end = alphabet.end_symbol if alphabet.terminated else None
        self._symbol = {p: i + 1 for i, p in enumerate(alphabet.code_points)} | {-1: alphabet.size - 1}
        self._point = np.array(alphabet.vocabulary(), dtype=np.int64)

    def begins(self, length: int) -> bool:
        """Return whether a sequence has a first step: one that ends by a symbol always does."""
        return self.end is not None or length > 0

    def goes_on(self, symbol: int, t: int, length: int) -> bool:
        """Return whether a sequence goes on after t steps, of which the last is symbol: until its end or its length."""
        return t < length if self.end is None else symbol != self.end

    def symbols(self, points: Values) -> Values:
        """Return the symbols of values (n,): 0 for a character outside the alphabet."""
        known, places = np.unique(points, return_inverse=True)
        return np.array([self._symbol.get(p, 0) for p in known.tolist()], dtype=np.int64)[places]

    def code(self, coder: Coder, p: Array, points: Values | None) -> tuple[Values, Values]:
        """Code symbols by numbers p (n, V) proportional to their probabilities; one outside the alphabet is spelled.

        Returns:
            The symbols and the values, (n,) each.
        """
        if points is None:
            symbols = coder.symbols(p, None)
            points = self._point[symbols]
            if not symbols.all():
                for i in np.flatnonzero(symbols == 0):
                    points[i] = coder.number(SPELLED, None)
            return symbols, points
        symbols = self.symbols(points)
        coder.symbols(p, symbols)
        for i in np.flatnonzero(symbols == 0):
            coder.number(SPELLED, int(points[i]))
        return symbols, points


@final
class TextLanes(Lanes):
    """Symbols of sequences side by side."""

    def __init__(self, model: SequenceModel, alphabet: Alphabet) -> None:
        super().__init__(model)
        self._symbols = Symbols(alphabet)

    def begins(self, length: int) -> bool:
        """Return whether a sequence has a first step."""
        return self._symbols.begins(length)

    def goes_on(self, value: int, t: int, length: int) -> bool:
        """Return whether a sequence goes on."""
        return self._symbols.goes_on(value, t, length)

    def code(
        self, coder: Coder, conditional: Conditional, step: Values | None, extra: list[int]
    ) -> tuple[Values, Values]:
        """Code one symbol of each row; one outside the alphabet is spelled."""
        logits = conditional.params[:, 0].double().log_softmax(-1).numpy()
        symbols, points = self._symbols.code(coder, of_symbols(logits), None if step is None else step[:, 0])
        return symbols[:, None], points[:, None]

    def in_model_space(self, values: Values) -> Tensor:
        """Return symbols as they are."""
        return torch.from_numpy(values)


@final
class LearnedText(Drive):
    """Symbols of one sequence after the other, by a memory that learns each when it has coded it.

    What was learned from one sequence serves the next, as in ``score``.
    """

    def __init__(self, memory: Memory, alphabet: Alphabet) -> None:
        self._memory, self._symbols, self._start = memory, Symbols(alphabet), alphabet.size

    @torch.inference_mode()
    def run(self, coder: Coder, given: list[Values] | None, lengths: list[int], extra: list[int]) -> list[Values]:
        """Code sequences and return them (see ``Drive.run``)."""
        if given is not None:
            for points in given:
                self._encode(coder, points[:, 0])
            return given
        return [self._decode(coder, length) for length in lengths]

    def _encode(self, coder: Coder, points: Values) -> None:
        before = np.array([self._start])
        for first in range(0, len(points), TOGETHER):
            # a character that is spelled ends what is coded together: its spelling follows it
            part = points[first : first + TOGETHER]
            symbols = self._symbols.symbols(part)
            p = of_symbols(self._memory.after(np.concatenate([before, symbols[:-1]])))
            cuts = [0, *(np.flatnonzero(symbols == 0) + 1).tolist(), len(part)]
            for a, z in pairwise(cuts):
                if a < z:
                    self._symbols.code(coder, p[a:z], part[a:z])
            before = symbols[-1:]
            if not first % BLOCK:
                forget(points)
        self._memory.after(before)

    def _decode(self, coder: Coder, length: int) -> Values:
        before, t, at = np.array([self._start]), 0, 0
        found = array("i")
        kept = scratch(length, np.int32) if length > BLOCK else None
        goes_on = self._symbols.begins(length)
        while goes_on:
            before, point = self._symbols.code(coder, of_symbols(self._memory.after(before)), None)
            found.append(int(point[0]))
            t += 1
            goes_on = self._symbols.goes_on(int(before[0]), t, length)
            if kept is not None and (len(found) == BLOCK or not goes_on):
                kept[at:t], at = found, t
                del found[:]
                forget(kept)
        self._memory.after(before)
        return (np.array(found, dtype=np.int32) if kept is None else kept)[:, None]


@final
class SoundLanes(Lanes):
    """Samples on the lattice of their file; ``extra`` is the step of the lattice."""

    def __init__(self, model: SequenceModel, amplitude: Amplitude) -> None:
        super().__init__(model)
        if not isinstance(model.emission, LogisticMixture):
            raise ConfigError(
                f"compress of sound needs a mixture of logistics, and the model has the emission {model.emission.name}",
                fix="fit the model without --emission",
            )
        self._amplitude, self._components = amplitude, model.emission.components

    def begins(self, length: int) -> bool:
        """Return whether there are samples."""
        return length > 0

    def goes_on(self, value: int, t: int, length: int) -> bool:
        """Return whether there are more samples."""
        return t < length

    def code(
        self, coder: Coder, conditional: Conditional, step: Values | None, extra: list[int]
    ) -> tuple[Values, Values]:
        """Code one sample of each channel of each row, channel by channel."""
        assert conditional.loc is not None
        assert conditional.scale is not None
        M, rows = self._components, len(extra)
        p = conditional.params.double().numpy()
        loc, scale = conditional.loc.double().numpy(), conditional.scale.double().numpy()
        coupling = None if conditional.coupling is None else conditional.coupling.matrix().double().numpy()
        lattice = np.array(extra, dtype=np.int64)
        unit = lattice / self._amplitude.scale
        out = np.zeros((rows, self.model.channels), dtype=np.int64)
        e = np.zeros((rows, self.model.channels))
        for d in range(self.model.channels):
            shift = np.zeros(rows)
            for c in range(d):  # in a fixed order
                if coupling is not None:
                    shift = shift + coupling[..., d, c] * e[:, c]
            middle = loc[:, d] + scale[:, d] * (shift + p[:, d, 0])
            width = scale[:, d] / unit
            means = (middle / unit)[:, None] + width[:, None] * p[:, d, 1 + M : 1 + 2 * M]
            raw = np.log(np.exp(np.minimum(p[:, d, 1 + 2 * M :], 20.0)) + LEAST_SCALE) + np.log(width)[:, None]
            logits = p[:, d, 1 : 1 + M]
            logits = logits - logits.max(-1, keepdims=True)
            out[:, d] = self._channel(coder, (logits, means, raw), lattice, None if step is None else step[:, d])
            e[:, d] = (self._z(out[:, d]) - loc[:, d]) / scale[:, d]
        return out, out

    def _channel(
        self, coder: Coder, mixture: tuple[Array, Array, Array], lattice: Values, given: Values | None
    ) -> Values:
        """Code one sample of each row, (n,): rows of one lattice together."""
        out = np.zeros(len(lattice), dtype=np.int64)
        for unit in np.unique(lattice).tolist():
            own = np.flatnonzero(lattice == unit)
            bits = self._amplitude.bits - (int(unit).bit_length() - 1)
            half = 1 << (bits - 1)
            logits, means, raw = (part[own] for part in mixture)
            distribution = Mixture(logits, means + half, raw, bits)
            cells = None if given is None else given[own] // unit + half
            low, left = np.zeros(len(own), dtype=np.int64), bits
            while left:
                taken = min(distribution.TAKEN, left)
                left -= taken
                part = None if cells is None else (cells - low) >> left
                low = low + (coder.symbols(distribution.split(low, left + taken), part) << left)
            out[own] = (low - half) * unit
        return out

    def _z(self, samples: Values) -> Array:
        """Return samples in model space, as the encoding gives them to ``score``: rounded to float32."""
        return np.asarray((samples / self._amplitude.scale).astype(np.float32).astype(np.float64))

    def in_model_space(self, values: Values) -> Tensor:
        """Return samples (n, D) in model space."""
        return torch.from_numpy(self._z(values))


def drive_of(model: SequenceModel) -> Drive:
    """Return the drive of a model of text or sound.

    Raises:
        ConfigError: The model is one of another kind of data.
    """
    model = copy.deepcopy(model).double().eval()
    match model.encoding:
        case Alphabet() as alphabet:
            memory = memory_of(model)
            return TextLanes(model, alphabet) if memory is None else LearnedText(memory, alphabet)
        case Amplitude() as amplitude:
            return SoundLanes(model, amplitude)
        case _:
            raise ConfigError(
                f"compress is for models of text and sound, and the model is one of {model.description.kind}",
                fix="give a model that was fitted to text or sound",
            )
