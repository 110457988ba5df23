"""The configuration of the site in both languages: MyST pages, the furo theme, and formulas as MathML.

`make docs` builds the site.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from pages import KEPT, code_digest, draw, with_figures  # noqa: E402
from sphinx.application import Sphinx  # noqa: E402

from ostinato import __version__  # noqa: E402

project = "ostinato"
release = __version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "mathml",
    "reference",
    "korean",
    "keywords",
    "accessible",
]
html_math_renderer = "mathml"
smartquotes_action = "qe"  # an option such as --level keeps its hyphens
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 2
exclude_patterns = ["ko"]
autodoc_member_order = "bysource"
maximum_signature_line_length = 80
python_use_unqualified_type_names = True
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = "ostinato"
html_static_path = [str(HERE / "_static")]
html_css_files = ["style.css"]
templates_path = [str(HERE / "_templates")]
html_sidebars = {
    "**": [
        f"sidebar/{part}.html"
        for part in ("brand", "search", "scroll-start", "navigation")
    ]
    + ["language.html", "sidebar/scroll-end.html"]
}
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_context = {
    "translated": sorted(
        str(p.relative_to(HERE / "ko"))[:-3] for p in (HERE / "ko").rglob("*.md")
    )
}


def place(app: Sphinx) -> None:
    """Put the figures next to the pages, and draw those that no run of the pages has kept; a failing block stops it."""
    kept = Path(os.environ.get(KEPT) or Path(app.doctreedir).parent / "figures")
    pages = with_figures(Path(app.srcdir))
    draw(pages, kept)
    for page in pages:
        shutil.copytree(
            kept / code_digest(page), page.parent / "figures", dirs_exist_ok=True
        )


def name_alias(
    _app: Sphinx,
    _what: str,
    name: str,
    _obj: object,
    _options: object,
    lines: list[str],
) -> None:
    """Replace the docstring of an alias of a class by a pointer to the class.

    The sentence that autodoc itself writes in Korean does not end its reference.
    """
    if name == "ostinato.Config":
        lines[:] = ["The earlier name of :class:`LadderOptions`.", ""]


def plain_factories(
    _app: Sphinx,
    _what: str,
    _name: str,
    _obj: object,
    _options: object,
    signature: str | None,
    returns: str | None,
) -> tuple[str | None, str | None]:
    """Return the signature with "..." for the default factories of a dataclass.

    Sphinx can then read the signature and gives each argument its own line.
    """
    return signature and signature.replace("<factory>", "..."), returns


def setup(app: Sphinx) -> None:
    """Register the extension; Sphinx calls this function."""
    app.connect("autodoc-process-docstring", name_alias, priority=100)
    app.connect("autodoc-process-signature", plain_factories)
    app.connect("builder-inited", place)
