"""How every picture looks: its size, its colours, its axes and its legend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ostinato.data.extras import missing

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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

        from ostinato.data.shown_figure import ShownFigure
    except ImportError as error:
        raise missing("a chart", "matplotlib", "plot") from error
    return ShownFigure(figsize=(width, height), **options)


def stacked_panels(count: int) -> Figure:
    """Return a figure with a number of empty axes, one below the other.

    Args:
        count: The number of axes.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    drawn = blank(WIDE, 0.4 + 2.4 * count, dpi=DOTS, layout="constrained")
    drawn.subplots(count, 1)
    return drawn


def legend(axes: Any) -> None:
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
