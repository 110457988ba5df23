"""The picture of a forecast as a file, and its colours on a page."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from ostinato.data.drawing import Colours
from ostinato.forecasting.picture import figure
from ostinato.report import chart
from ostinato.storage import atomic_write

if TYPE_CHECKING:
    from ostinato.forecasting.table import Forecast

PAGE = Colours(chart.INK, chart.BLUE, (chart.WIDE, chart.MIDDLE, chart.NARROW))


def draw(forecast: Forecast, path: Path) -> None:
    """Write a PNG of the first series and channels of a forecast, at most six panels.

    Args:
        forecast: A forecast.
        path: The file to write.

    Raises:
        ConfigError: matplotlib is not installed.
        WriteError: The file cannot be written.
    """
    buffer = io.BytesIO()
    figure(forecast).savefig(buffer, format="png")
    atomic_write(path, buffer.getvalue())
