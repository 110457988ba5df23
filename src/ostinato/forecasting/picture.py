"""The picture of a forecast: the end of the history, the point forecast, and the intervals as a fan."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ostinato.data.ahead import times_ahead, walls_of
from ostinato.data.extras import missing
from ostinato.numbers import counted, plain
from ostinato.shapes import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ostinato.forecasting.table import Forecast


@dataclass(frozen=True)
class Colours:
    """The colours of a forecast.

    Attributes:
        ink: The colour of observed values.
        blue: The colour of the point forecast.
        shades: The colours of the intervals, the widest first. They are opaque, so that the legend shows the same
            colours as the chart.
    """

    ink: str
    blue: str
    shades: tuple[str, ...]


PICTURE = Colours("#1f2933", "#1769aa", ("#dbe7f1", "#aecbe2", "#7fafd4"))
#: The greatest number of panels in one picture.
MOST = 6
#: The width of a picture in inches, and its dots per inch. On a phone of 400 pixels, 10 points are 11 pixels.
WIDE, DOTS = 5, 270


def figure(forecast: Forecast) -> Figure:
    """Return the picture of the first series and channels of a forecast, at most six panels.

    Args:
        forecast: A forecast.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    data = forecast.history
    panels = [(b, d) for b in range(len(data)) for d in range(len(data.channels))][:MOST]
    drawn = empty(len(panels))
    for axes, (b, d) in zip(drawn.axes, panels, strict=True):
        course(axes, forecast, b, d, PICTURE)
        name = data.ids[b] if len(data.channels) == 1 else f"{data.ids[b]}, {data.channels[d]}"
        title = f"{name}: the next {counted(forecast.horizon, 'step')}"
        axes.set_title(title, loc="left", color=PICTURE.ink, parse_math=False)
        key(axes)
        tidy(axes)
    return drawn


def blank(width: float, height: float, **options: Any) -> Figure:
    """Return a figure without axes.

    Args:
        width: Its width in inches.
        height: Its height in inches.
        **options: The other arguments of ``matplotlib.figure.Figure``.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    try:
        import matplotlib.figure  # noqa: F401

        from ostinato.forecasting.shown_figure import ShownFigure
    except ImportError as error:
        raise missing("a chart", "matplotlib", "plot") from error
    return ShownFigure(figsize=(width, height), **options)


def empty(panels: int) -> Figure:
    """Return a figure of a number of axes, one below the other.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    drawn = blank(WIDE, 0.4 + 2.4 * panels, dpi=DOTS, layout="constrained")
    drawn.subplots(panels, 1)
    return drawn


def key(axes: Any) -> None:
    """Draw the legend in one row between the title and the axes, so that neither covers the other on a phone."""
    title = axes.get_title(loc="left")
    axes.legend(
        frameon=False,
        loc="lower left",
        bbox_to_anchor=(-0.02, 0.98),
        ncols=5,
        fontsize=9,
        handlelength=1.2,
        handletextpad=0.5,
        columnspacing=1.0,
    )
    axes.set_title(title, loc="left", pad=22, color=PICTURE.ink, fontsize=11, parse_math=False)


def few_dates(axes: Any) -> None:
    """Label at most five dates of an axis of times, which is what a phone has room for."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    if isinstance(axes.xaxis.get_major_locator(), AutoDateLocator):
        locator = AutoDateLocator(minticks=2, maxticks=5)  # type: ignore[no-untyped-call] # every span has an interval
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def tidy(axes: Any) -> None:
    """Remove the lines of axes that a picture does not need, and keep as many dates as there is room for."""
    few_dates(axes)
    axes.margins(x=0.01)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color="#e4e7eb", linewidth=0.8)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0, colors=PICTURE.ink)


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
