"""Charts for a page: SVG from matplotlib, in the colours and the type of the page, with a text alternative."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from ostinato.data.drawing import blank

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
ElementTree.register_namespace("", SVG)

#: These colours are placeholders for the variables of the page, which differ in light, dark and printed pages. The
#: drawing is never shown with these values.
NAMES = ("ink", "grid", "blue", "red", "wide", "middle", "narrow")
INK, GRID, BLUE, RED, WIDE, MIDDLE, NARROW = (f"#01020{i}" for i in range(len(NAMES)))

#: The width of a drawing in CSS pixels: of a card on a phone, and of the page on a screen.
PHONE, SCREEN = 360, 1080
#: The signs of an exponent.
RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
#: The resolution of an image in a drawing, for example a spectrogram, in dots per inch.
DOTS = 144


@dataclass(frozen=True)
class Table:
    """The numbers of a chart as a table.

    Attributes:
        head: The headings of the columns.
        rows: The cells of each row, as text.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Chart:
    """A chart on the page.

    Attributes:
        title: The title.
        words: A description in words of what the chart shows, which is also its text alternative.
        svgs: One drawing, or one for a phone and one for a screen.
        table: The numbers of the chart.
        name: The name of the sequence or the channel that is shown. It comes from the user and is never part of the
            drawing.
    """

    title: str
    words: str
    svgs: tuple[str, ...]
    table: Table | None = None
    name: str = ""


def chart(
    title: str,
    words: str,
    draw: Callable[[Any], None],
    *,
    height: int = 220,
    wide: bool = False,
    name: str = "",
    table: Table | None = None,
) -> Chart:
    """Return a chart.

    A drawing must not contain text from the user, which could be too long for it or have characters that XML forbids.

    Args:
        title: The title.
        words: A description in words of what the chart shows.
        draw: Draws the chart on a matplotlib figure.
        height: The height in CSS pixels.
        wide: Whether the chart has the width of the page. It is then drawn twice, for a phone and for a screen.
        name: The name of the sequence or the channel that is shown.
        table: The numbers of the chart.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    widths = (PHONE, SCREEN) if wide else (PHONE,)
    svgs = tuple(_svg(draw, width, height, f"{title} {name} {width}", f"{title}. {words}") for width in widths)
    return Chart(title, words, svgs, table, name)


def plain(axes: Axes) -> None:
    """Remove the lines of axes that the chart does not need, and write powers of ten as the page writes its text.

    Args:
        axes: The axes of a drawing.
    """
    from matplotlib.ticker import FuncFormatter, LogFormatterMathtext

    for axis in (axes.xaxis, axes.yaxis):
        if isinstance(usual := axis.get_major_formatter(), LogFormatterMathtext):
            axis.set_major_formatter(FuncFormatter(partial(_power, usual)))
    axes.margins(x=0.01)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    axes.tick_params(length=0, colors=INK)


def _power(usual: Callable[[float, Any], str], x: float, place: Any = None) -> str:
    """Return the label of a tick of a logarithmic axis as text, such as 10⁻³, where matplotlib writes a formula.

    Its parser of formulas takes half a second to start, and places the signs by another font than that of the page.
    """
    text = usual(x, place).removeprefix("$\\mathdefault{").removesuffix("}$").replace(r"\times", "×")
    return re.sub(r"\^\{(-?\d+)\}", lambda found: found[1].translate(RAISED), text).replace("-", "−")


@contextmanager
def _style(salt: str) -> Iterator[None]:
    """Draw in the style of the page; the ids in the SVG follow from ``salt``, so a page is the same every time."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()  # a style that the user has set must not change the page
        mpl.rcParams.update(
            {
                "svg.fonttype": "none",
                "svg.hashsalt": salt,
                "font.size": 8.25,  # points, of which 0.75 are a pixel: 11 px
                "text.color": INK,
                "axes.labelcolor": INK,
                "axes.edgecolor": GRID,
                "legend.frameon": False,
                "legend.handlelength": 1.4,
                "legend.columnspacing": 1.2,
                "lines.linewidth": 1.3,
                "axes.formatter.use_mathtext": False,
                "date.converter": "concise",
            }
        )
        yield


def _svg(draw: Callable[[Any], None], width: int, height: int, salt: str, words: str) -> str:
    """Return a drawing as an SVG element, with ``words`` as its text alternative."""
    buffer = io.StringIO()
    with _style(salt):
        figure = blank(width / 96, height / 96, facecolor="none")
        draw(figure)
        for axes in figure.axes:
            axes.set_facecolor("none")
        _lay_out(figure)
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", metadata=nothing, facecolor="none", dpi=DOTS)
    return _inline(buffer.getvalue(), words)


def _lay_out(figure: Any) -> None:
    """Place the axes so that no two labels overlap; a figure that has a layout engine is drawn twice to be saved."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    FigureCanvasSVG(figure).figure.set_dpi(72)  # words are measured as in the drawing
    ConstrainedLayoutEngine().execute(figure)


def _inline(svg: str, words: str) -> str:
    """Return an SVG document as an element of a page, which sets its size and its colours."""
    root = ElementTree.fromstring(svg)
    for element in list(root):
        if element.find(f"{{{SVG}}}style") is not None:
            root.remove(element)  # its style would apply to the whole page
    for element in root.iter():
        if element.tag == f"{{{SVG}}}g":
            element.attrib.pop("id", None)  # every chart has the id "axes_1", and an id must be unique on a page
        if (target := element.attrib.pop(f"{{{XLINK}}}href", None)) is not None:
            element.set("href", target)
        if "style" in element.attrib:
            element.set("style", _themed(element.attrib["style"]))
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.set("role", "img")
    root.set("aria-label", words)
    return ElementTree.tostring(root, encoding="unicode")


def _themed(style: str) -> str:
    """Return a style with the colours as variables of the page, and without the font."""
    style = re.sub(r"#01020([0-6])", lambda found: f"var(--{NAMES[int(found[1])]})", style)
    return re.sub(r"font-family: [^;]*; ", "", style)
