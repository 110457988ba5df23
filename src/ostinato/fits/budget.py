"""The limits of a fit: seconds and optimiser steps."""

from __future__ import annotations

from dataclasses import dataclass

from ostinato.errors import ConfigError


@dataclass(frozen=True, init=False)
class Budget:
    """The limits of a fit. Training ends at the first limit that is reached, or when nothing improves any more.

    Args:
        seconds: The wall-clock time of the whole fit. None sets no limit.
        max_steps: The optimiser steps of each model. None sets no limit.
        steps: The earlier name of ``max_steps``.

    Raises:
        ConfigError: A limit is not positive.
        TypeError: ``max_steps`` and ``steps`` are both given.
    """

    seconds: float | None
    steps: int | None  # this name is in the records of model files and checkpoints

    def __init__(
        self, seconds: float | None = 120.0, max_steps: int | None = None, *, steps: int | None = None
    ) -> None:
        if max_steps is not None and steps is not None:
            raise TypeError("Budget() got both 'max_steps' and its old name 'steps'; give 'max_steps' only")
        limit = steps if max_steps is None else max_steps
        if seconds is not None and not seconds > 0:
            raise ConfigError(
                f"the budget must be a positive time, got {seconds:g} seconds", fix="use a time such as 60s"
            )
        if limit is not None and limit < 1:
            raise ConfigError(f"max_steps must be at least 1, got {limit}", fix="use 1 or more")
        object.__setattr__(self, "seconds", seconds)
        object.__setattr__(self, "steps", limit)

    @property
    def max_steps(self) -> int | None:
        """The optimiser steps of each model; None without a limit."""
        return self.steps

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
