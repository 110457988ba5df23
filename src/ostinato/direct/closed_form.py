"""The closed form of a direct model: a linear map of the window, and the distribution of its errors."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ostinato.direct.effects import Effects
from ostinato.direct.inputs import SeriesInputs
from ostinato.direct.ridge import design
from ostinato.direct.windows import Windows, WindowSpec
from ostinato.errors import ConfigError
from ostinato.shapes import Array


@dataclass(frozen=True)
class ClosedForm:
    """A linear map of the window to the point forecast, and the quantiles of its errors.

    Attributes:
        window: How windows are cut and normalised.
        weights: The weights of the whole panel, (K + 1, H).
        own: The weights (K + 1, H), float32, of each series that has weights of its own.
        typical: The mean absolute error of cross-fitted forecasts in model space, (H,).
        deviation: The mean absolute error of each series, (H,).
        shape: The quantiles of the errors at LEVELS, divided by the deviation of the series, (H, Q).
        effects: The effects of future covariates and the clock, which are subtracted from the windows.
        groups: The weights (K + 1, H) of each combination of static covariates.
    """

    window: WindowSpec
    weights: Array
    own: dict[str, NDArray[np.float32]]
    typical: Array
    deviation: dict[str, Array]
    shape: Array
    effects: Effects | None = None
    groups: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    @property
    def horizon(self) -> int:
        """The number H of steps forecast at once."""
        return int(self.weights.shape[1])

    def middle(self, windows: Windows, series: str, static: tuple[str, ...] = ()) -> Array:
        """Return the point forecasts of windows in model space, (n, H).

        Args:
            windows: The n windows of one series.
            series: The name of the series. A series without weights of its own uses those of its static covariates.
            static: The static covariates of the series.
        """
        weights = self.own.get(series, self.groups.get(group(static), self.weights))
        return np.asarray(design(windows.inputs) @ weights)

    def last(self, series: str, y: Array, inputs: SeriesInputs | None) -> Windows:
        """Return the window at the end of a series.

        Args:
            series: The name of the series.
            y: The observed values, (T,).
            inputs: The covariates of the series; None if it has none.

        Raises:
            ConfigError: The model has effects, and no covariates are given.
        """
        if inputs is None:
            if self.effects:
                raise ConfigError(
                    "the model needs covariates or times, got none",
                    fix="call forecast on data with covariates and times",
                )
            return self.window.last(y)
        effect = self.effects.of(series, y, inputs) if self.effects else None
        return self.window.last(y, effect, inputs.past)

    def quantiles(self, middle: Array, series: str, moves: Array | float = 0.0) -> Array:
        """Return the quantiles in model space in increasing order, (n, H, Q).

        Args:
            middle: The point forecasts in model space, (n, H).
            series: The name of the series.
            moves: By how much the networks move the quantiles, (n, H, Q).
        """
        deviation = self.deviation.get(series, self.typical)
        return np.sort(middle[..., None] + deviation[:, None] * self.shape + moves, axis=-1)


def group(static: tuple[str, ...]) -> str:
    """Return static covariates as one word, which is the key of ``ClosedForm.groups``."""
    return "\x1f".join(static)
