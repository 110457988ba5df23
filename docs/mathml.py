"""Formulas as MathML, made at build: no script and no font comes from anywhere when a page is read.

A formula that cannot be converted stops the build.
"""

from __future__ import annotations

from docutils import nodes
from math_core import LatexToMathML
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

CONVERTER = LatexToMathML(annotation=True, fancy_error=False)


def inline(self: HTML5Translator, node: nodes.math) -> None:
    self.body.append(
        CONVERTER.convert_with_local_state(node.astext(), displaystyle=False)
    )
    raise nodes.SkipNode


def block(self: HTML5Translator, node: nodes.math_block) -> None:
    formula = CONVERTER.convert_with_local_state(node.astext(), displaystyle=True)
    # a wide formula scrolls in its own box, also by the keyboard
    self.body.append(f'<div class="formula" tabindex="0">{formula}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
