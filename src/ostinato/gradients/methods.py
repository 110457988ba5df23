"""The methods of backpropagation through time, one class each."""

from __future__ import annotations

import re
from dataclasses import InitVar, dataclass
from typing import TypeAlias

from ostinato.arguments import number, real, whole
from ostinato.errors import ConfigError


@dataclass(frozen=True)
class FullBPTT:
    """The exact gradient, for short sequences: each is unrolled as a whole (Rumelhart, Hinton, Williams 1986)."""


#: The number of bytes in each unit of memory, by its name in lower case.
_UNITS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}


@dataclass(frozen=True)
class CheckpointedBPTT(FullBPTT):
    """The exact gradient in less memory: states are kept at the borders of segments, and the rest is computed twice.

    Give either the number of segments or a memory limit, not both.

    Attributes:
        segments: The number of segments that a sequence is cut into, at most T. About sqrt(T) segments need the least
            memory (Chen, Xu, Zhang, Guestrin 2016).
        memory_limit: The most memory for the gradient, for example "200MB" or "1.5 GiB", in addition to the inputs, the
            outputs and the weights. The fewest segments within the limit are used: one, which stores everything, if
            that fits.

    Raises:
        ConfigError: Both arguments are given or both are missing, or a value cannot be used. When the method is used:
            no number of segments stays within the memory limit.
    """

    segments: int | None = None
    memory_limit: str | None = None
    memory: InitVar[str | None] = None  # the earlier name of memory_limit

    def __post_init__(self, memory: str | None) -> None:
        if memory is not None:
            if self.memory_limit is not None:
                raise ConfigError(
                    "memory_limit is given under two names: memory_limit and memory", fix="give memory_limit alone"
                )
            object.__setattr__(self, "memory_limit", memory)
        if (self.segments is None) == (self.memory_limit is None):
            raise ConfigError(
                "CheckpointedBPTT needs either segments or memory_limit, "
                f"got segments={self.segments!r} and memory_limit={self.memory_limit!r}",
                fix="give segments or memory_limit, not both",
            )
        if self.segments is not None:
            object.__setattr__(self, "segments", whole("segments", self.segments))
        if self.memory_limit is not None and not (isinstance(self.memory_limit, str) and self.bytes):
            raise ConfigError(
                f"memory_limit must be an amount of memory, got {self.memory_limit!r}",
                fix='write it as "200MB" or "1.5 GiB"',
            )

    @property
    def bytes(self) -> int | None:
        """The memory limit in bytes; 0 if it cannot be read, None if there is no limit."""
        if self.memory_limit is None:
            return None
        match = re.fullmatch(r"\s*(\d+\.?\d*)\s*([kmg]?i?b)\s*", self.memory_limit, re.IGNORECASE | re.ASCII)
        return int(float(match[1]) * _UNITS.get(match[2].lower(), 0)) if match else 0


@dataclass(frozen=True)
class TruncatedBPTT:
    """Truncated gradients for long sequences: chunks pass on their state, not their error (Williams and Peng 1990).

    Attributes:
        window: The truncation window: the number of steps in a chunk. With a window of T or more the gradient is exact.

    Raises:
        ConfigError: The window is below 1.
    """

    window: int = 128

    def __post_init__(self) -> None:
        object.__setattr__(self, "window", whole("the truncation window", self.window, unit=" step"))


@dataclass(frozen=True)
class AdaptiveBPTT:
    """Truncated BPTT for long sequences, with a window that adapts to its bias (after Aicher, Foti and Fox 2019).

    In the paper the error of every step goes back over K steps, and the bias falls like rho^K. In chunks the error of
    step j goes back over j steps, so the bias falls only like 1 / W. It is the mean over j = 1..W of the share of the
    gradient at lags from j on. This mean is kept below ``bias``. It is an estimate without a proof; see
    training.truncation.

    Attributes:
        bias: The greatest relative bias of the gradient of the weights, ||E g_W - g|| / ||g||.
        window: The number of steps in a chunk until the bias is first measured.
        shortest: The least window. A batch has the same number of steps for every window, so less than 64 saves
            nothing.
        longest: The greatest window. The window is doubled and halved from ``shortest`` on.

    Raises:
        ConfigError: The bias is not between 0 and 1, or the windows are not in order.
    """

    bias: float = 0.05
    window: int = 128
    shortest: int = 64
    longest: int = 1024

    def __post_init__(self) -> None:
        advice = "use a number between 0 and 1"
        object.__setattr__(self, "bias", real("the relative bias", self.bias, above=0, below=1, fix=advice))
        for name in ("shortest", "window", "longest"):
            object.__setattr__(self, name, number(name, getattr(self, name)))
        if not 1 <= self.shortest <= self.window <= self.longest:
            raise ConfigError(
                "the truncation windows must be in order, "
                f"got shortest={self.shortest}, window={self.window}, longest={self.longest}",
                fix="use 1 <= shortest <= window <= longest",
            )


Method: TypeAlias = FullBPTT | TruncatedBPTT | AdaptiveBPTT  # CheckpointedBPTT is a FullBPTT
