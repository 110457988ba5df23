"""The drives of text: a network that codes texts side by side, or a memory that learns each symbol it has coded."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import final

import numpy as np
import torch
from torch import Tensor

from ostinato.compression.drive import Coder, Drive, Found, Lanes, Values
from ostinato.compression.memory import Memory, memory_of
from ostinato.compression.portable import of_symbols
from ostinato.compression.sound import SoundLanes
from ostinato.data.alphabet import Alphabet
from ostinato.data.amplitude import Amplitude
from ostinato.data.corpus import BLOCK, forget
from ostinato.data.spelling.base import END
from ostinato.emissions.conditional import Conditional
from ostinato.errors import ConfigError
from ostinato.model import SequenceModel
from ostinato.shapes import Array

#: The steps that an encoder takes together of a memory that learns.
TOGETHER = 1024
#: A character outside the alphabet is spelled as a number below this, and before version 5 below the second one.
SPELLED, SPELLED_BEFORE_5 = END, 1 << 21


@final
class Symbols:
    """The symbols of text. Values that are kept are code points, and -1 for the end of a sequence."""

    def __init__(self, alphabet: Alphabet, spelled: int) -> None:
        self._spelled = spelled
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
                    points[i] = coder.number(self._spelled, None)
            return symbols, points
        symbols = self.symbols(points)
        coder.symbols(p, symbols)
        for i in np.flatnonzero(symbols == 0):
            coder.number(self._spelled, int(points[i]))
        return symbols, points


@final
class TextLanes(Lanes):
    """Symbols of sequences side by side."""

    def __init__(self, model: SequenceModel, alphabet: Alphabet, spelled: int) -> None:
        super().__init__(model)
        self._symbols = Symbols(alphabet, spelled)

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

    def __init__(self, memory: Memory, alphabet: Alphabet, spelled: int) -> None:
        self._memory, self._symbols, self._start = memory, Symbols(alphabet, spelled), alphabet.size

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
        before, t, found = np.array([self._start]), 0, Found(length)
        goes_on = self._symbols.begins(length)
        while goes_on:
            before, point = self._symbols.code(coder, of_symbols(self._memory.after(before)), None)
            found.add(point)
            t += 1
            goes_on = self._symbols.goes_on(int(before[0]), t, length)
        self._memory.after(before)
        return found.all()[:, None]


def drive_of(model: SequenceModel, version: int) -> Drive:
    """Return the drive of a model of text or sound.

    Args:
        model: The model.
        version: The version of the container.

    Raises:
        ConfigError: The model is one of another kind of data.
    """
    model = copy.deepcopy(model).double().eval()
    match model.encoding:
        case Alphabet() as alphabet:
            memory = memory_of(model)
            spelled = SPELLED if version >= 5 else SPELLED_BEFORE_5
            return TextLanes(model, alphabet, spelled) if memory is None else LearnedText(memory, alphabet, spelled)
        case Amplitude() as amplitude:
            return SoundLanes(model, amplitude)
        case _:
            raise ConfigError(
                f"compress is for models of text and sound, and the model is one of {model.description.kind}",
                fix="give a model that was fitted to text or sound",
            )
