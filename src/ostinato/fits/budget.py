"""When a fit ends."""

from __future__ import annotations

from dataclasses import dataclass

from ostinato.errors import ConfigError


@dataclass(frozen=True)
class Budget:
    """When training ends, whatever comes first: wall-clock seconds, optimiser steps, or no progress for a while."""

    seconds: float | None = 120.0
    steps: int | None = None

    def __post_init__(self) -> None:
        if self.seconds is not None and not self.seconds > 0:
            raise ConfigError(f"a budget of {self.seconds} seconds cannot be", fix="use a positive time, such as 60s")
        if self.steps is not None and self.steps < 1:
            raise ConfigError(f"{self.steps} training steps cannot be", fix="use 1 or more")

    def spent(self, seconds: float, steps: int) -> float:
        """The share of the budget that is used up, 0 to 1 and beyond."""
        by_time = seconds / self.seconds if self.seconds else 0.0
        return max(by_time, steps / self.steps if self.steps else 0.0)
