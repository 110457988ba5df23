"""Charts for a page: matplotlib's SVG, in the page's own colours and type, with a text alternative."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from ostinato.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
ElementTree.register_namespace("", SVG)

#: Colours stand for the page's variables, by which it can be light, dark or printed; they are never seen as they are.
NAMES = ("ink", "grid", "blue", "red", "wide", "middle", "narrow")
INK, GRID, BLUE, RED, WIDE, MIDDLE, NARROW = (f"#01020{i}" for i in range(len(NAMES)))

#: Width in CSS pixels: a card's on a phone, and the page's on a screen.
PHONE, SCREEN = 360, 1080
#: Dots an inch of what is no line but an image, such as a spectrogram.
DOTS = 144


@dataclass(frozen=True)
class Table:
    """Numbers behind a chart, as words."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Chart:
    """A picture on the page.

    title, words  what it is, and what is to be seen in it, for those who do not see it too
    svgs          one drawing, or one for a phone and one for a screen
    name          what of the data it shows, in the data's own words: never part of the drawing
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
    """A chart that ``draw`` draws on a figure; ``wide`` ones are drawn twice, for a phone and for a screen.

    Words of the user's do not belong into it: they could be longer than any picture, or no text that XML can hold.

    Raises ConfigError where matplotlib is not installed.
    """
    widths = (PHONE, SCREEN) if wide else (PHONE,)
    svgs = tuple(_svg(draw, width, height, f"{title} {name} {width}", f"{title}. {words}") for width in widths)
    return Chart(title, words, svgs, table, name)


def plain(axes: Axes) -> None:
    """No more lines than are needed."""
    axes.margins(x=0.01)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    axes.tick_params(length=0, colors=INK)


@contextmanager
def _style(salt: str) -> Iterator[None]:
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()  # a style of the user's own is for other pictures
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
                "figure.constrained_layout.use": True,
                "axes.formatter.use_mathtext": False,
                "date.converter": "concise",
            }
        )
        yield


def _svg(draw: Callable[[Any], None], width: int, height: int, salt: str, words: str) -> str:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError("drawing needs matplotlib", fix="pip install 'ostinato[plot]'") from error
    buffer = io.StringIO()
    with _style(salt):
        figure = Figure(figsize=(width / 96, height / 96), facecolor="none")
        draw(figure)
        for axes in figure.axes:
            axes.set_facecolor("none")
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", metadata=nothing, facecolor="none", dpi=DOTS)
    return _inline(buffer.getvalue(), words)


def _inline(svg: str, words: str) -> str:
    """An SVG document as an element of a page: sized by it, coloured by it, and read out as ``words``."""
    root = ElementTree.fromstring(svg)
    for element in list(root):
        if element.find(f"{{{SVG}}}style") is not None:
            root.remove(element)  # it would be the whole page's
    for element in root.iter():
        if element.tag == f"{{{SVG}}}g":
            element.attrib.pop("id", None)  # "axes_1" would be there once a chart
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
    style = re.sub(r"#01020([0-6])", lambda found: f"var(--{NAMES[int(found[1])]})", style)
    return re.sub(r"font-family: [^;]*; ", "", style)
