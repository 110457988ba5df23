"""How the error is sent back through time: values, not flags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ostinato.errors import ConfigError


@dataclass(frozen=True)
class FullBPTT:
    """The exact gradient: every sequence is unrolled whole (Rumelhart, Hinton, Williams 1986). For short sequences."""


@dataclass(frozen=True)
class TruncatedBPTT:
    """The state is carried from chunk to chunk, the error is not (Williams and Peng 1990). For long sequences.

    window  steps in a chunk: the truncation window. Where window >= T it is FullBPTT.
    """

    window: int = 128

    def __post_init__(self) -> None:
        if self.window < 1:
            raise ConfigError(f"a truncation window of {self.window} steps cannot be", fix="use 1 or more")


@dataclass(frozen=True)
class AdaptiveBPTT:
    """Truncated BPTT whose window follows what it leaves out (after Aicher, Foti and Fox 2019). For long sequences.

    bias               the greatest relative bias of the gradient with respect to the weights, ||E g_W - g|| / ||g||
    window             steps in a chunk until the bias is first measured
    shortest, longest  what the window is kept between; from the first one on it is doubled and halved

    In the paper every step's error goes back over K steps, and the bias falls like rho^K. In chunks the j-th step's
    goes back over j, so the bias falls like 1 / W only: it is the mean over j = 1..W of what lags from j on are worth.
    That is what is kept under ``bias`` here. It is estimated, not proved: see training.truncation.
    """

    bias: float = 0.05
    window: int = 128
    shortest: int = 16
    longest: int = 1024

    def __post_init__(self) -> None:
        if not 0 < self.bias < 1:
            raise ConfigError(f"a relative bias of {self.bias} cannot be", fix="use a number between 0 and 1")
        if not 1 <= self.shortest <= self.window <= self.longest:
            raise ConfigError(
                f"a truncation window of {self.window} steps, from {self.shortest} to {self.longest}, cannot be",
                fix="use 1 <= shortest <= window <= longest",
            )


Method: TypeAlias = FullBPTT | TruncatedBPTT | AdaptiveBPTT
