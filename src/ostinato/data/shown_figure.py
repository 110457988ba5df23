"""A figure of matplotlib that a notebook shows by itself.

A notebook shows the figures of pyplot alone, unless the reader has imported it, and pyplot would keep every figure in
memory until it is closed.
"""

from __future__ import annotations

from io import BytesIO

from matplotlib.figure import Figure

#: The width in a notebook, in pixels for each inch.
SHOWN = 130


class ShownFigure(Figure):
    """A figure that a notebook shows without pyplot."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """Return the picture for a notebook, and the width at which it is shown."""
        buffer = BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue(), {"width": round(float(self.get_figwidth()) * SHOWN)}
