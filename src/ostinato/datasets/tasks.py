"""Two classical tasks for recurrent networks, whose answers depend on inputs a known number of steps back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ostinato.arguments import whole


@dataclass(frozen=True)
class AddingProblem:
    """The adding problem: add the two marked numbers among T, and give their sum after the last one.

    Experiment 4 of Hochreiter and Schmidhuber (1997) in the form of Arjovsky, Shah and Bengio (2016): values uniform in
    0..1, the first mark anywhere in the first half and the second in the second half.

    Attributes:
        steps: The number of steps T, at least 2.

    Raises:
        ConfigError: There are fewer than 2 steps.
    """

    steps: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", whole("steps", self.steps, 2))

    @property
    def inputs(self) -> int:
        """The number of inputs D = 2: the value and its mark."""
        return 2

    @property
    def outputs(self) -> int:
        """The number of outputs, 1: the sum."""
        return 1

    @property
    def lag(self) -> int:
        """The mean number of steps from the first mark to the end: three quarters of T."""
        return self.steps - self.steps // 4

    @property
    def baseline(self) -> float:
        """The squared error of the constant answer 1: the variance of the sum of two values, 2 / 12."""
        return 1 / 6

    def batch(self, rows: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw a batch.

        Args:
            rows: The number of sequences B.
            generator: The generator of the random numbers.

        Returns:
            The values and marks (0 or 1) x, (T, B, 2), and the sums y, (B,).
        """
        half = self.steps // 2
        value = torch.rand(self.steps, rows, generator=generator)
        first = torch.randint(half, (1, rows), generator=generator)
        second = torch.randint(half, self.steps, (1, rows), generator=generator)
        mark = torch.zeros(self.steps, rows).scatter_(0, torch.cat([first, second]), 1.0)
        return torch.stack([value, mark], dim=-1), (value * mark).sum(0)


@dataclass(frozen=True)
class CopyMemory:
    """The copy task: read a word of random letters, and repeat it after T blank steps.

    The task follows experiment 2 of Hochreiter and Schmidhuber (1997) in the form of Arjovsky, Shah and Bengio (2016),
    section 5.1. The input is a word, T - 1 blanks, a start sign, and as many blanks as the word has letters. The
    expected output is blank at every step but the last ones, which repeat the word. There are V = letters + 2 symbols:
    the letters, the blank and the sign.

    Attributes:
        silence: The number of steps T from the last letter of the word to the start sign.
        symbols: The number of letters of the word.
        letters: The number of different letters.

    Raises:
        ConfigError: One of the three is less than 1.
    """

    silence: int
    symbols: int = 10
    letters: int = 8

    def __post_init__(self) -> None:
        for name in ("silence", "symbols", "letters"):
            object.__setattr__(self, name, whole(name, getattr(self, name)))

    @property
    def steps(self) -> int:
        """The number of steps of a sequence: T plus the word twice."""
        return self.silence + 2 * self.symbols

    @property
    def inputs(self) -> int:
        """The number of inputs D = V, one for each symbol."""
        return self.letters + 2

    @property
    def outputs(self) -> int:
        """The number of outputs V, one for each symbol."""
        return self.letters + 2

    @property
    def lag(self) -> int:
        """The number of steps from a letter to its repetition."""
        return self.silence + self.symbols

    @property
    def baseline(self) -> float:
        """The best log-likelihood of a sequence in nats for a model without memory, which guesses the letters."""
        return -self.symbols * math.log(self.letters)

    def batch(self, rows: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw a batch. In the shapes, T is the number of steps of a whole sequence.

        Args:
            rows: The number of sequences B.
            generator: The generator of the random numbers.

        Returns:
            The one-hot inputs x, (T, B, V), and the expected outputs y, (T, B), int64.
        """
        blank, sign = self.letters, self.letters + 1
        word = torch.randint(self.letters, (self.symbols, rows), generator=generator)
        inputs = torch.full((self.steps, rows), blank)
        inputs[: self.symbols] = word
        inputs[-self.symbols - 1] = sign
        outputs = torch.full((self.steps, rows), blank)
        outputs[-self.symbols :] = word
        return torch.nn.functional.one_hot(inputs, self.inputs).float(), outputs
