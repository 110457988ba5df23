"""How the error is sent back through time: values, not flags."""

from __future__ import annotations

import re
from dataclasses import InitVar, dataclass
from typing import TypeAlias

from ostinato.errors import ConfigError


@dataclass(frozen=True)
class FullBPTT:
    """The exact gradient: every sequence is unrolled whole (Rumelhart, Hinton, Williams 1986). For short sequences."""


#: Bytes in a unit of memory, by its name in lower case.
_UNITS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}


@dataclass(frozen=True)
class CheckpointedBPTT(FullBPTT):
    """The exact gradient in less memory: states are kept at the borders of segments, the rest is computed once more.

    One of the two, never both:

    segments  how many segments a sequence is cut into; about sqrt(T) hold least (Chen, Xu, Zhang, Guestrin 2016), and
              more than T are T
    memory    "200MB", "1.5 GiB": what may be held for the gradient beside the inputs, the outputs that are asked for
              and the weights; the fewest segments that keep to it, one (which stores everything) where that fits

    Raises ConfigError for other values, and where it is used for a memory that no number of segments keeps to.
    """

    segments: int | None = None
    memory_limit: str | None = None
    memory: InitVar[str | None] = None  # the earlier name of memory_limit

    def __post_init__(self, memory: str | None) -> None:
        if memory is not None:
            if self.memory_limit is not None:
                raise ConfigError("memory_limit is given twice, also as memory", fix="give memory_limit alone")
            object.__setattr__(self, "memory_limit", memory)
        if (self.segments is None) == (self.memory_limit is None):
            raise ConfigError(
                "CheckpointedBPTT needs to know how much to keep, in one way", fix="give segments or memory, not both"
            )
        if self.segments is not None and self.segments < 1:
            raise ConfigError(f"{self.segments} segments cannot be", fix="use 1 or more")
        if self.memory_limit is not None and not self.bytes:
            raise ConfigError(
                f"a memory of {self.memory_limit!r} cannot be read", fix='write it as "200MB" or "1.5 GiB"'
            )

    @property
    def bytes(self) -> int | None:
        """The memory as a number; 0 where it cannot be read, None where none is given."""
        if self.memory_limit is None:
            return None
        found = re.fullmatch(r"\s*(\d+\.?\d*)\s*([kmg]?i?b)\s*", self.memory_limit, re.IGNORECASE | re.ASCII)
        return int(float(found[1]) * _UNITS.get(found[2].lower(), 0)) if found else 0


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
    shortest, longest  what the window is kept between; from the first one on it is doubled and halved. An optimiser's
                       batch has as many steps whatever the window, so that one below 64 would save nothing

    In the paper every step's error goes back over K steps, and the bias falls like rho^K. In chunks the j-th step's
    goes back over j, so the bias falls like 1 / W only: it is the mean over j = 1..W of what lags from j on are worth.
    That is what is kept under ``bias`` here. It is estimated, not proved: see training.truncation.
    """

    bias: float = 0.05
    window: int = 128
    shortest: int = 64
    longest: int = 1024

    def __post_init__(self) -> None:
        if not 0 < self.bias < 1:
            raise ConfigError(f"a relative bias of {self.bias} cannot be", fix="use a number between 0 and 1")
        if not 1 <= self.shortest <= self.window <= self.longest:
            raise ConfigError(
                f"a truncation window of {self.window} steps, from {self.shortest} to {self.longest}, cannot be",
                fix="use 1 <= shortest <= window <= longest",
            )


Method: TypeAlias = FullBPTT | TruncatedBPTT | AdaptiveBPTT  # CheckpointedBPTT is a FullBPTT
