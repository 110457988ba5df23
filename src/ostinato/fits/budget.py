"""The limits of a fit: seconds and optimiser steps."""

from __future__ import annotations

from dataclasses import dataclass

from ostinato.errors import ConfigError


@dataclass(frozen=True)
class Budget:
    """The limits of a fit. Training ends at the first limit that is reached, or when nothing improves any more.

    Attributes:
        seconds: The wall-clock time of the whole fit. None sets no limit.
        steps: The optimiser steps of each model. None sets no limit.

    Raises:
        ConfigError: A limit is not positive.
    """

    seconds: float | None = 120.0
    steps: int | None = None

    def __post_init__(self) -> None:
        if self.seconds is not None and not self.seconds > 0:
            raise ConfigError(
                f"the budget must be a positive time, got {self.seconds:g} seconds", fix="use a time such as 60s"
            )
        if self.steps is not None and self.steps < 1:
            raise ConfigError(f"steps must be at least 1, got {self.steps}", fix="use 1 or more")

    @classmethod
    def of(cls, given: Budget | float | None, default: float | None) -> Budget:
        """Return a budget from a Budget or from seconds; None stands for the default seconds."""
        if isinstance(given, Budget):
            return given
        return cls(default if given is None else float(given))

    def spent(self, seconds: float, steps: int) -> float:
        """Return the share of the budget that is used up: 0 at the start, 1 and more at the end."""
        by_time = seconds / self.seconds if self.seconds else 0.0
        return max(by_time, steps / self.steps if self.steps else 0.0)
