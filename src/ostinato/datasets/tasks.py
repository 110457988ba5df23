"""The two classical tasks on which a memory is tried: what matters is far back, and how far is known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ostinato.errors import ConfigError


@dataclass(frozen=True)
class AddingProblem:
    """Add the two marked ones among T numbers, and say their sum after the last.

    Experiment 4 of Hochreiter and Schmidhuber (1997) in the form of Arjovsky, Shah and Bengio (2016): values uniform in
    0..1, the first mark anywhere in the first half and the second in the second half.

    steps  T. Raises ConfigError below 2.
    """

    steps: int

    def __post_init__(self) -> None:
        if self.steps < 2:
            raise ConfigError(f"two marked numbers cannot be among {self.steps}", fix="use 2 steps or more")

    @property
    def inputs(self) -> int:
        """D = 2: the value and its mark."""
        return 2

    @property
    def outputs(self) -> int:
        """1: the sum."""
        return 1

    @property
    def lag(self) -> int:
        """From the first mark to the end, as it is on average: three quarters of T."""
        return self.steps - self.steps // 4

    @property
    def baseline(self) -> float:
        """The squared error of always saying 1: the variance of the sum of two values, 2 / 12."""
        return 1 / 6

    def batch(self, rows: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """X (T, B, 2), value and mark (0 or 1); the sum y (B,)."""
        half = self.steps // 2
        value = torch.rand(self.steps, rows, generator=generator)
        first = torch.randint(half, (1, rows), generator=generator)
        second = torch.randint(half, self.steps, (1, rows), generator=generator)
        mark = torch.zeros(self.steps, rows).scatter_(0, torch.cat([first, second]), 1.0)
        return torch.stack([value, mark], dim=-1), (value * mark).sum(0)


@dataclass(frozen=True)
class CopyMemory:
    """Say a word again, a long silence later.

    After experiment 2 of Hochreiter and Schmidhuber (1997), as Arjovsky, Shah and Bengio (2016) have it, section 5.1:
    a word of ``symbols`` letters, T - 1 blanks, a sign to begin, and as many blanks as the word is long, over which it
    is to be said; before them, blanks. V = letters + 2: the letters, the blank, the sign.

    silence  T, from the word's last letter to the sign. Raises ConfigError where any of the three is below 1.
    """

    silence: int
    symbols: int = 10
    letters: int = 8

    def __post_init__(self) -> None:
        for name in ("silence", "symbols", "letters"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} = {getattr(self, name)} cannot be", fix="use 1 or more")

    @property
    def steps(self) -> int:
        """Steps of a sequence: T and the word, twice."""
        return self.silence + 2 * self.symbols

    @property
    def inputs(self) -> int:
        """D = V, one-hot."""
        return self.letters + 2

    @property
    def outputs(self) -> int:
        """V: what can be said."""
        return self.letters + 2

    @property
    def lag(self) -> int:
        """From a letter to where it is said again."""
        return self.silence + self.symbols

    @property
    def baseline(self) -> float:
        """Nats of a sequence under the best guess without a memory: blanks for certain, then letters at random."""
        return -self.symbols * math.log(self.letters)

    def batch(self, rows: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """X (T, B, V) one-hot; what is to be said y (T, B) int64. T counts the steps of a sequence here."""
        blank, sign = self.letters, self.letters + 1
        word = torch.randint(self.letters, (self.symbols, rows), generator=generator)
        heard = torch.full((self.steps, rows), blank)
        heard[: self.symbols] = word
        heard[-self.symbols - 1] = sign
        said = torch.full((self.steps, rows), blank)
        said[-self.symbols :] = word
        return torch.nn.functional.one_hot(heard, self.inputs).float(), said
