"""The limits of a fit: seconds and optimiser steps."""

from __future__ import annotations

from dataclasses import dataclass

from ostinato.arguments import seconds as time_of
from ostinato.arguments import whole

#: The default seconds from a checkpoint to the next.
CHECKPOINT_EVERY = 10.0


@dataclass(frozen=True, init=False)
class Budget:
    """The limits of a fit. Training ends at the first limit that is reached, or when nothing improves any more.

    Args:
        seconds: The wall-clock time of the whole fit, as a number or in words such as "2m". None sets no limit.
        max_steps: The optimiser steps of each model. None sets no limit.
        steps: The earlier name of ``max_steps``.

    Raises:
        ConfigError: A limit is neither a time nor a number, or it is not positive.
        TypeError: ``max_steps`` and ``steps`` are both given.
    """

    seconds: float | None
    steps: int | None  # this name is in the records of model files and checkpoints

    def __init__(
        self, seconds: float | str | None = 120.0, max_steps: int | None = None, *, steps: int | None = None
    ) -> None:
        if max_steps is not None and steps is not None:
            raise TypeError("Budget() got both 'max_steps' and its old name 'steps'; give 'max_steps' only")
        limit = steps if max_steps is None else max_steps
        object.__setattr__(self, "seconds", None if seconds is None else time_of("the budget", seconds))
        object.__setattr__(self, "steps", None if limit is None else whole("max_steps", limit))

    @property
    def max_steps(self) -> int | None:
        """The optimiser steps of each model; None without a limit."""
        return self.steps

    @classmethod
    def of(cls, given: Budget | float | str | None, default: float | None) -> Budget:
        """Return a budget from a Budget, seconds or words such as "2m"; None stands for the default seconds."""
        if isinstance(given, Budget):
            return given
        return cls(default if given is None else given)

    def spent(self, seconds: float, steps: int) -> float:
        """Return the share of the budget that is used up: 0 at the start, 1 and more at the end.

        Args:
            seconds: The seconds so far.
            steps: The optimiser steps so far.
        """
        by_time = seconds / self.seconds if self.seconds else 0.0
        return max(by_time, steps / self.steps if self.steps else 0.0)
