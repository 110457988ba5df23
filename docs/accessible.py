"""A Sphinx extension: small changes to the pages of the theme, so that axe-core finds no violation.

- The two asides of a page, the sidebar and the contents of the page, have names.
- The page of the search has a heading.
- A block of code or a table can be reached with the keyboard, since it scrolls where it is wide.
- The lines of a long signature are spans: Sphinx writes a list of definitions without terms.
"""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx

NAMES = {
    "en": ("Site", "On this page", "Search"),
    "ko": ("사이트", "이 페이지의 내용", "검색"),
}
LINES = re.compile(r"<dl>\s*((?:<dd>(?:(?!</?d[ld]>).)*</dd>\s*)+)</dl>", re.DOTALL)


def _spans(found: re.Match[str]) -> str:
    """Return the lines of a signature as spans."""
    lines = (
        found[1].replace("<dd>", '<span class="sig-line">').replace("</dd>", "</span>")
    )
    return f'<span class="sig-lines">{lines}</span>'


def improve(html: str, language: str) -> str:
    """Return the page with its changes."""
    site, page, search = NAMES[language]
    html = html.replace(
        '<aside class="sidebar-drawer"',
        f'<aside class="sidebar-drawer" aria-label="{site}"',
    )
    html = re.sub(
        r'<aside class="toc-drawer',
        rf'<aside aria-label="{page}" class="toc-drawer',
        html,
    )
    html = html.replace(
        '<div id="search-results">', f'<h1>{search}</h1>\n<div id="search-results">'
    )
    html = html.replace("<pre>", '<pre tabindex="0">')
    html = html.replace(
        '<div class="table-wrapper', '<div tabindex="0" class="table-wrapper'
    )
    return LINES.sub(_spans, html)


def finish(app: Sphinx, error: Exception | None) -> None:
    """Change every page that was written."""
    if error is None and app.builder.format == "html":
        for path in Path(app.outdir).rglob("*.html"):
            if (
                Path(app.outdir).name != "ko"
                and "ko" in path.relative_to(app.outdir).parts
            ):
                continue  # a Korean site of an earlier build stands inside the English one
            text = path.read_text(encoding="utf-8")
            path.write_text(improve(text, app.config.language), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension; Sphinx calls this function."""
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
