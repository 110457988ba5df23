"""A Sphinx extension that converts formulas to MathML during the build.

A page needs no script and no font from the network to show its formulas. A formula that cannot be converted stops the
build.
"""

from __future__ import annotations

from docutils import nodes
from math_core import LatexToMathML
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

CONVERTER = LatexToMathML(annotation=True, fancy_error=False)


def inline(self: HTML5Translator, node: nodes.math) -> None:
    """Write a formula inside a line."""
    """Write a formula that stands in a line of text."""
    self.body.append(
        CONVERTER.convert_with_local_state(node.astext(), displaystyle=False)
    )
    raise nodes.SkipNode


def block(self: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula on a line of its own."""
    """Write a displayed formula."""
    formula = CONVERTER.convert_with_local_state(node.astext(), displaystyle=True)
    # A wide formula scrolls in its own box, and the tab index lets the keyboard scroll it too.
    self.body.append(f'<div class="formula" tabindex="0">{formula}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension; Sphinx calls this function."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
