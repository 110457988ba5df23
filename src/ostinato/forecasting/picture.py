"""The picture of a forecast: the end of the history, the point forecast, and the intervals as a fan."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ostinato.data.ahead import times_ahead, walls_of
from ostinato.data.drawing import MOST, PICTURE, Colours, legend, stacked_panels, tidy
from ostinato.numbers import counted, plain
from ostinato.shapes import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ostinato.forecasting.table import Forecast


def figure(forecast: Forecast) -> Figure:
    """Return the picture of the first series and channels of a forecast, at most six panels.

    Args:
        forecast: A forecast.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    data = forecast.history
    panels = [(b, d) for b in range(len(data)) for d in range(len(data.channels))][:MOST]
    drawn = stacked_panels(len(panels))
    for axes, (b, d) in zip(drawn.axes, panels, strict=True):
        course(axes, forecast, b, d, PICTURE)
        name = data.ids[b] if len(data.channels) == 1 else f"{data.ids[b]}, {data.channels[d]}"
        title = f"{name}: the next {counted(forecast.horizon, 'step')}"
        axes.set_title(title, loc="left", color=PICTURE.ink, parse_math=False)
        legend(axes)
        tidy(axes)
    return drawn


def course(axes: Any, forecast: Forecast, b: int, d: int, colours: Colours, came: Array | None = None) -> None:
    """Draw the forecast of one channel of one sequence on axes.

    Args:
        axes: The axes of a drawing.
        forecast: A forecast.
        b: The index of the sequence.
        d: The index of the channel.
        colours: The colours to draw in.
        came: The values that were observed later, (H,), NaN where a value is not known. None for a forecast beyond the
            data, which is drawn with three sample paths.
    """
    data, horizon, table = forecast.history, forecast.horizon, forecast.course(b, d)
    values, times = np.asarray(data[b][:, d], dtype=float), data.times_of(b)
    shown = min(len(values), max(60, 4 * horizon) if came is None else max(20, 2 * horizon))
    past = np.arange(1, len(values) + 1) if times is None else walls_of(data, times)
    axes.plot(past[-shown:], values[-shown:], color=colours.ink, linewidth=1.2, label="observed")
    # the fan starts at the last value, which is certain
    opens = len(values) > 0 and bool(np.isfinite(values[-1]))

    def on(x: NDArray[Any], last: NDArray[Any] = values[-1:]) -> NDArray[Any]:
        """Return x with the last observed value in front of it, if there is one."""
        return np.concatenate([last, x]) if opens else x

    ahead = on(walls_of(data, times_ahead(data, b, horizon)), past[-1:])
    for one, shade in zip(sorted(forecast.level, reverse=True), cycle(colours.shades), strict=False):
        low, high = (on(table[f"ostinato-{side}-{plain(one)}"].to_numpy()) for side in ("lo", "hi"))
        axes.fill_between(ahead, low, high, color=shade, linewidth=0, label=f"{plain(one)} % interval")
    if came is None and forecast.paths:
        # sample paths show what the series may look like, because the point forecast is smoother than any of them
        for path in forecast.paths[b][:3, :, d]:
            axes.plot(ahead, on(path), color=colours.blue, linewidth=0.5, alpha=0.6)
    axes.plot(ahead, on(table["ostinato"].to_numpy()), color=colours.blue, linewidth=1.8, label="forecast")
    if came is not None:
        axes.plot(ahead, on(came), color=colours.ink, linewidth=1.2)
