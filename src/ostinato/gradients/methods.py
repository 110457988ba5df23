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


Method: TypeAlias = FullBPTT | TruncatedBPTT
